"""Messages of Protocol Buffers: their fields that hold bytes, ints, or floats as doubles."""

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


def fields(message: bytes) -> Iterator[tuple[int, bytes | int | float]]:
    """Number and content of each field of a message, as `field` takes them."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        content, at = _varint(message, at) if kind != 1 else (8, at)
        if kind != 0:
            at += content
            content = message[at - content:at]
        yield number, struct.unpack("<d", content)[0] if kind == 1 else content


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number that begins at a place, and where it ends."""
    number, shift = 0, 0
    while True:
        part = message[at]
        number |= (part & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if part < 0x80:
            return number, at
