"""Patches of PlaidML's CPU compiler, in the table of passes that the library keeps in memory.

The table is a Protocol Buffers message, a list of passes, each with a name, a kind and settings
(tile/targets/cpu/llvm_cpu.jsonnet and tile/codegen/codegen.proto of 0.7.0). The names are for
people only: without them there is room for settings, and the table keeps its length.

`pad` rounds a size that is a prime above 32 up to a multiple of 8, so that it divides into tiles,
computes into a copy of that size, and copies the wanted rows back. Fused into the product, the
copying back is not bounded: of 37 rows in two tiles of 20, it writes 40. So a last batch of 37, 97
or 101 rows, or a layer of that width, corrupts the heap. The patched pass rounds nothing, and such
sizes are computed in tiles that divide them, as all others are.

`tile_contract` cuts each contraction into parts for the cores, as finely as it can: copies,
transposes and pools call a function for each element. Element-wise operations it leaves whole, for
one core. The patched pass cuts only the products for the matrix kernels like that, whose parts are
large already; all else is cut into tiles of some 2,000 elements that use whole cache lines.
"""

import functools
import hashlib
import mmap
import sys
from collections.abc import Iterator

from plaidkeras.wire_format import field, fields

UNBOUNDED = 2 ** 32 - 1
DANGER = ("PlaidML's CPU can crash here at batches, layers and images whose size is a prime above "
          "32 (37, 41, 43, 47, ...), and this process may not patch it: choose other sizes, such "
          "as multiples of 8.")

BEFORE_TABLE = b"\x08llvm_cpu\x12\xb8\r\n\xb5\r\n\x07default\x12\xa9\r"
LENGTH = 1705  # of the table, as the last two bytes before it say
SHA256 = "b70f34f5c327d513c066e1e7236bd41bc5298c7ca3155655ea5ab3d3000a144d"


def _settings(kind: bytes, *settings: bytes) -> bytes:
    """All of a pass but its name: Pass.pass."""
    url = field(1, b"type.vertex.ai/vertexai.tile.codegen.proto." + kind)
    return field(2, url + field(2, b"".join(settings)))


def _tile(tag: bytes, *without: bytes, cache_line_cost: float, split_factor: float) -> bytes:
    """An AutotilePass, for threads, over the outermost blocks with a tag and none of some others.

    Of all tiles whose sides divide the axes it takes the one with the lowest

        (1 + cost * cache lines that it meets) / elements + split_factor * log2(tiles)

    PlaidML sets what is to be summed, or compared, to its first value in whole tiles. One that
    reached beyond its axis would overwrite what lies there, such as the zeros of a padding.
    """
    return _settings(
        b"AutotilePass",
        field(1, tag),                       # reqs
        *(field(36, tag) for tag in without),  # exclude
        field(2, b"cpu_thread"),             # outer_set
        field(5, 1),                         # only_even: sides that divide the axes
        field(14, cache_line_cost),          # output_cost
        field(15, cache_line_cost),          # input_cost
        field(17, 64),                       # cache_width, in bytes
        field(21, 0),                        # acc_idxs: what is summed up stays in one tile
        field(29, split_factor))


# The best of tiles that meet each cache line once have ln(2) / 0.0003 elements.
WHOLE_CACHE_LINES = dict(cache_line_cost=1 / 64, split_factor=-0.0003)
PATCHED = {
    b"mlir_nop": [],  # does nothing, and makes room
    b"pad": [_settings(b"PadPass", field(1, b"main"), field(2, UNBOUNDED))],
    b"tile_contract": [  # "mac" is the tag of products for the matrix kernels
        _tile(b"mac", cache_line_cost=0.0, split_factor=-100.0),
        _tile(b"contraction", b"mac", **WHOLE_CACHE_LINES),
        _tile(b"kernel", b"contraction", **WHOLE_CACHE_LINES)],
}


def _passes(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and settings of each pass of a table."""
    for _, entry in fields(table):
        (_, name), *_ = fields(entry)
        yield name, entry[len(field(1, name)):]


def patched(table: bytes) -> bytes:
    """PlaidML's table with our passes in it, as long as it was."""
    first, *others = [settings for name, own in _passes(table) for settings in PATCHED.get(name, [own])]
    others = b"".join(field(1, field(1, b"") + settings) for settings in others)
    return next(new for new in (field(1, field(1, b" " * length) + first) + others
                                for length in range(LENGTH))  # of a name that fills what is left
                if len(new) == len(table))


@functools.lru_cache(maxsize=None)
def apply() -> bool:
    """Patch the table of this process; returns whether sizes that are primes are safe then.

    Call it before a device is opened. Patches on Linux only; PlaidML for Windows fuses no products
    and needs none for primes.
    """
    if not sys.platform.startswith("linux"):
        return sys.platform == "win32"
    import plaidml

    plaidml._lib()  # loads the library, and so the table
    try:
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "r+b", buffering=0) as memory:
            segments = [line.split()[:2] for line in maps]
            # The library keeps one, on the heap, which comes first; the rest need not be read.
            return any(_patch_between(memory, *(int(address, 16) for address in ends.split("-")))
                       for ends, access in segments if access.startswith("rw"))
    except OSError:  # some containers deny a process its own memory
        return False


def _patch_between(memory, start: int, end: int) -> bool:
    """Patch the table wherever it lies between two addresses; returns whether it lies there."""
    try:
        with mmap.mmap(-1, end - start) as held:  # malloc would keep so large a block
            memory.seek(start)
            memory.readinto(held)
            found, at = False, held.find(BEFORE_TABLE)
            while at >= 0:
                at += len(BEFORE_TABLE)
                table = held[at:at + LENGTH]
                if hashlib.sha256(table).hexdigest() == SHA256:
                    memory.seek(start + at)
                    memory.write(patched(table))
                    found = True
                at = held.find(BEFORE_TABLE, at)
            return found
    except (OSError, OverflowError):  # gone since the list was made, or not to be read
        return False
