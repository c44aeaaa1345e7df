"""Messages of Protocol Buffers, as bytes: fields that hold bytes are read, all kinds are written."""

import struct
from collections.abc import Iterator


def varint(number: int) -> bytes:
    *low, last = [number >> shift & 0x7F for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([*(part | 0x80 for part in low), last])


def field(number: int, content) -> bytes:
    """A field of a message: of bytes, an int, or a float as a double."""
    if isinstance(content, bytes):
        return varint(number << 3 | 2) + varint(len(content)) + content
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 1) + struct.pack("<d", content)


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field of a message whose fields all hold bytes, and are at most 15."""
    at = 0
    while at < len(message):
        number, length, shift = message[at] >> 3, 0, 0
        while True:
            at += 1
            length |= (message[at] & 0x7F) << shift
            shift += 7
            if message[at] < 0x80:
                break
        at += 1 + length
        yield number, message[at - length:at]
