"""Keep PlaidML's CPU compiler from writing past its buffers where a size is a prime above 32.

Its pass `pad` (tile/codegen/pad.cc of 0.7.0) rounds such a size up to a multiple of 8, so that it
divides into tiles, computes into a copy of that size, and copies the wanted rows back. Fused into
the product, the copying back keeps to no bound: of 37 rows in two tiles of 20, it writes 40. So a
last batch of 37, 97 or 101 rows, or a layer as wide, corrupts the heap.

The pass has a setting for the smallest prime that it rounds, but the table of passes is compiled
into the library. So the setting is written into the table where the library keeps it in memory.
Sizes that are not rounded are computed in tiles that divide them, as all others are.
"""

import functools
import mmap
import sys

UNBOUNDED = 2 ** 32 - 1
DANGER = ("PlaidML's CPU can crash here at batches, layers and images whose size is a prime above "
          "32 (37, 41, 43, 47, ...), and this process may not mend it: choose other sizes, such as "
          "multiples of 8.")


def _field(number: int, content: bytes) -> bytes:
    """A field of a Protocol Buffers message, of less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def _varint(number: int) -> bytes:
    *low, last = [number >> shift & 0x7F for shift in range(0, number.bit_length(), 7)]
    return bytes([*(part | 0x80 for part in low), last])


def _stage(name: bytes, kind: bytes, settings: bytes = b"") -> bytes:
    """One entry of the table of passes: Stage.passes of tile/codegen/codegen.proto."""
    url = _field(1, b"type.vertex.ai/vertexai.tile.codegen.proto." + kind)
    return _field(1, _field(1, name) + _field(2, url + (settings and _field(2, settings))))


# Only the CPU's table has a pass that does nothing, and right before `pad`. Its name gives the
# bytes that the setting takes: no byte moves.
NOTHING, PAD = _stage(b"mlir_nop", b"MLIR_NopPass"), _stage(b"pad", b"PadPass", _field(1, b"main"))
UNNAMED = _stage(b"no", b"MLIR_NopPass")
PAD_NO_PRIMES = _stage(b"pad", b"PadPass", _field(1, b"main") + b"\x10" + _varint(UNBOUNDED))


@functools.lru_cache(maxsize=None)
def leave_as_they_are() -> bool:
    """Switch the rounding off in this process; whether primes are safe from then on.

    Call it once PlaidML is imported. Linux only; PlaidML for Windows fuses no products.
    """
    if not sys.platform.startswith("linux"):
        return sys.platform == "win32"
    try:
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "r+b", buffering=0) as memory:
            segments = [line.split()[:2] for line in maps]
            return any(_replace(memory, *map(_address, addresses.split("-")))
                       for addresses, access in segments if access.startswith("rw"))
    except OSError:  # some containers close their own memory to a process
        return False


def _address(text: str) -> int:
    return int(text, 16)


def _replace(memory, start: int, end: int) -> bool:
    """Write the setting wherever the table lies between two addresses; whether it does."""
    with mmap.mmap(-1, end - start) as held:  # malloc would keep so large a block
        try:
            memory.seek(start)
            memory.readinto(held)
        except (OSError, OverflowError):  # gone since the list was made, or not to be read
            return False
        found = False
        at = held.find(NOTHING)
        while at >= 0:
            # Looked for in two parts: this module's own bytes are not the table.
            if held[at + len(NOTHING):at + len(NOTHING) + len(PAD)] == PAD:
                memory.seek(start + at)
                memory.write(UNNAMED)
                memory.write(PAD_NO_PRIMES)
                found = True
            at = held.find(NOTHING, at + 1)
        return found
