"""Which rows a matrix kernel multiplies, chosen in PlaidML's library in memory.

A kernel computes C[m, n] += A[k, n] * B[m, k]. Of a convolution n may run over the batch or over an axis of the
image, and PlaidML takes what it knows the higher rate for, the batch mostly. Its elements lie a whole image
apart, each in a memory page of its own, where they displace each other from the cache: a kernel spends 40 % of
its time on C. Here n runs over the last axis of the image where that can be cut into tiles of 16 to 64: such
convolutions take 5 to 25 % less time, a training step 2 to 5 %. Shorter tiles lose by more calls than they win.
How long the tiles are stays PlaidML's choice, by what it knows of all axes and cores.
"""

import ctypes
import functools

from plaidkeras.library import Library, change

# Functions of the library of 0.7.0 for Linux, each with its first instructions.
SEARCH = 0x4e90d0, bytes.fromhex("554889e5415741564155415453" "4889fb")  # AutoStencil::SearchIndex
CONFLICTS = 0x4e10c0, bytes.fromhex("554889e54157415641554154" "4989f453")  # AutoStencil::ConflictInnerIndex
RANGE = 0x55d530, bytes.fromhex("554889e5534889fb4883ec28")  # stripe::idxRange
M, N = 0, 1  # what is searched for: m first, then k, then n for both, then their tiles
# In an AutoStencil: which of two operands is A, and which B; the n that is tried; the axes that it is taken from;
# those of each operand, and of C, from which those come.
ORDER, TRIED_N, AXES, OF_TENSOR = 0x40, 0x58, 0x1c8, (0x2e8, 0x348, 0x3a8)
FREE = 2 ** 64 - 2  # this and the next one are no elements of a set
TILES = range(16, 65)


@functools.lru_cache(maxsize=None)
def prefer_rows_that_lie_together() -> bool:
    """Have them preferred in this process; returns whether they are.

    Call it before anything is compiled. Patches on Linux only, and only the library that it knows.
    """
    def write(memory: Library) -> None:
        size = memory.function(RANGE[0], ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64))
        conflicts = memory.function(CONFLICTS[0], ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint64))

        def look(arguments) -> None:
            stencil, wanted = arguments[0], arguments[1] & 0xFFFFFFFF
            axes = _Set.from_address(stencil + AXES)
            axes.count = _Set.from_address(stencil + OF_TENSOR[2]).count
            row = _row(stencil, lambda axis: size(ctypes.c_uint64(axis))) if wanted in (M, N) else None
            if row is not None and wanted == M:
                axes.put_first(row)
            elif row is not None:
                ctypes.c_uint64.from_address(stencil + TRIED_N).value = 0  # with an earlier m and k
                if not conflicts(stencil, ctypes.c_uint64(row)):
                    axes.count = 1

        memory.look_before(*SEARCH, look)

    return change(lambda memory: all(memory.has(*known) for known in (SEARCH, CONFLICTS, RANGE)), write)


class _Set(ctypes.Structure):
    """llvm::SmallPtrSet: of a few elements, in their order; of more, wherever their hashes put them."""
    _fields_ = [("room_for_few", ctypes.c_uint64), ("elements", ctypes.c_uint64), ("size", ctypes.c_uint32),
                ("count", ctypes.c_uint32)]

    @property
    def is_ordered(self) -> bool:
        return self.elements == self.room_for_few

    def places(self):
        used = self.count if self.is_ordered else self.size
        return (ctypes.c_uint64 * used).from_address(self.elements)

    def __iter__(self):
        return (element for element in self.places() if element < FREE)

    def put_first(self, element: int) -> None:
        self.places()[:] = sorted(self, key=lambda each: each != element)


def _row(stencil: int, size) -> int | None:
    """The last of the axes that n can be, if it can be cut into TILES."""
    *operands, result = (_Set.from_address(stencil + at) for at in OF_TENSOR)
    a, b = (set(operands[number]) for number in (ctypes.c_uint32 * 2).from_address(stencil + ORDER))
    rows = [axis for axis in result if axis in a - b] if result.is_ordered else []
    return rows[-1] if rows and any(size(rows[-1]) % tile == 0 for tile in TILES) else None
