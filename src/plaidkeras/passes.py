"""Mend the passes of PlaidML's CPU compiler, in the table that the library keeps in memory.

The table is a Protocol Buffers message, a list of passes, each with a name, a kind and settings
(tile/targets/cpu/llvm_cpu.jsonnet and tile/codegen/codegen.proto of 0.7.0). The names are for
people only. Left out, they make room for settings, and the table stays as long as it is.

`pad` rounds a size that is a prime above 32 up to a multiple of 8, so that it divides into tiles,
computes into a copy of that size, and copies the wanted rows back. Fused into the product, the
copying back keeps to no bound: of 37 rows in two tiles of 20, it writes 40. So a last batch of 37,
97 or 101 rows, or a layer as wide, corrupts the heap. Here it rounds none, and such sizes are
computed in tiles that divide them, as all others are.

`tile_contract` cuts each contraction into parts for the cores, as finely as it can: copies,
transposes and pools call a function for each element. And element-wise operations it leaves whole,
for one core. Here only the products for the matrix kernels are cut so, since their parts are large
already. All else is cut into tiles of a cache's size, which use whole cache lines.
"""

import functools
import mmap
import struct
import sys
from typing import Iterator, Tuple

UNBOUNDED = 2 ** 32 - 1
DANGER = ("PlaidML's CPU can crash here at batches, layers and images whose size is a prime above "
          "32 (37, 41, 43, 47, ...), and this process may not mend it: choose other sizes, such as "
          "multiples of 8.")

TABLE = b"\x08llvm_cpu\x12\xb8\r\n\xb5\r\n\x07default\x12\xa9\r"  # what lies before its passes
LENGTH = 1705  # of all passes together, as the last two bytes of TABLE say


def _varint(number: int) -> bytes:
    *low, last = [number >> shift & 0x7F for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([*(part | 0x80 for part in low), last])


def _field(number: int, content) -> bytes:
    """A field of a message: of bytes, an int, or a float as a double."""
    if isinstance(content, bytes):
        return _varint(number << 3 | 2) + _varint(len(content)) + content
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 1) + struct.pack("<d", content)


def _settings(kind: bytes, *fields: bytes) -> bytes:
    """All of a pass but its name: Pass.pass."""
    url = _field(1, b"type.vertex.ai/vertexai.tile.codegen.proto." + kind)
    return _field(2, url + _field(2, b"".join(fields)))


def _tile(tags, without=(), *, cache_line_cost: float, split_factor: float) -> bytes:
    """An AutotilePass, for threads, over the blocks with all of some tags and none of others.

    Of all tiles whose sides divide the axes it takes the one with the lowest

        (1 + cost * cache lines that it meets) / elements + split_factor * log2(tiles)

    Tiles that do not divide an axis would be set to their first value beyond its end, where the
    zeros may lie that a later convolution is padded with.
    """
    cache_line = 64  # bytes
    return _settings(
        b"AutotilePass",
        *(_field(1, tag) for tag in tags),         # reqs
        *(_field(36, tag) for tag in without),     # exclude
        _field(2, b"cpu_thread"),                  # outer_set
        _field(5, 1),                              # only_even: a tile's sides divide the axes
        _field(14, cache_line_cost / cache_line),  # output_cost, a byte
        _field(15, cache_line_cost / cache_line),  # input_cost
        _field(17, cache_line),                    # cache_width
        _field(21, 0),                             # acc_idxs: what is summed stays together
        _field(29, split_factor))


# Makes tiles of some 2,000 elements, if they meet no more cache lines than smaller ones.
IN_CACHE = dict(cache_line_cost=1.0, split_factor=-0.0003)
# "mac" is the tag of products for the matrix kernels.
MENDED = {
    b"pad": [_settings(b"PadPass", _field(1, b"main"), _field(2, UNBOUNDED))],
    b"fuse_mac_eltwise": [_settings(  # as it was, but what becomes part of a product is no kernel
        b"FusionPass", _field(2, b"mac"), _field(3, b"eltwise"), _field(4, b"mac"),
        _field(9, b"kernel"))],                    # inner_remove_set
    b"tile_contract": [
        _tile([b"mac"], cache_line_cost=0.0, split_factor=-100.0),
        _tile([b"contraction"], without=[b"mac"], **IN_CACHE),
        _tile([b"eltwise", b"kernel"], **IN_CACHE)],
    b"mlir_nop": [],  # does nothing, and makes room
}


def _passes(table: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """Name and settings of each pass of a table. Raises IndexError or ValueError if it is none."""
    at = 0
    while at < len(table):
        entry, at = _first_field(table, at)
        name, end = _first_field(entry, 0)
        yield name, entry[end:]


def _first_field(message: bytes, at: int) -> Tuple[bytes, int]:
    """The content of field 1, which is to begin at a place of a message, and where it ends."""
    if message[at] != 1 << 3 | 2:
        raise ValueError("not a table of passes")
    length, shift = 0, 0
    while True:
        at += 1
        length |= (message[at] & 0x7F) << shift
        shift += 7
        if message[at] < 0x80:
            break
    begin, end = at + 1, at + 1 + length
    if end > len(message):
        raise ValueError("not a table of passes")
    return message[begin:end], end


def mended(table: bytes) -> bytes:
    """PlaidML's table of passes with ours in it, as long as it was.

    Raises IndexError or ValueError if the table is not that of 0.7.0.
    """
    passes = dict.fromkeys(MENDED)
    settings = []
    for name, own in _passes(table):
        passes.pop(name, None)
        settings += MENDED.get(name, [own])
    if passes:
        raise ValueError("not PlaidML's own table")
    first, *others = settings
    others = b"".join(_field(1, _field(1, b"") + each) for each in others)
    for length in range(LENGTH):  # of a name that fills the room that is left
        new = _field(1, _field(1, b" " * length) + first) + others
        if len(new) == len(table):
            return new
    raise ValueError("no room")


@functools.lru_cache(maxsize=None)
def mend() -> bool:
    """Mend the table of this process; whether primes are safe from then on.

    Call it once PlaidML is imported, before a device is opened. Linux only; PlaidML for Windows
    fuses no products.
    """
    if not sys.platform.startswith("linux"):
        return sys.platform == "win32"
    try:
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "r+b", buffering=0) as memory:
            segments = [line.split()[:2] for line in maps]
            return any(_mend_between(memory, *(int(address, 16) for address in ends.split("-")))
                       for ends, access in segments if access.startswith("rw"))
    except OSError:  # some containers close their own memory to a process
        return False


def _mend_between(memory, start: int, end: int) -> bool:
    """Mend the table wherever it lies between two addresses; whether it does."""
    with mmap.mmap(-1, end - start) as held:  # malloc would keep so large a block
        try:
            memory.seek(start)
            memory.readinto(held)
        except (OSError, OverflowError):  # gone since the list was made, or not to be read
            return False
        found, at = False, held.find(TABLE)
        while at >= 0:
            at += len(TABLE)
            try:
                new = mended(held[at:at + LENGTH])
            except (IndexError, ValueError):  # such as this module's own TABLE
                pass
            else:
                memory.seek(start + at)
                memory.write(new)
                found = True
            at = held.find(TABLE, at)
        return found
