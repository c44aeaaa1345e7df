"""Which rows a matrix kernel multiplies, chosen in PlaidML's library in memory.

A kernel computes C[m, n] += A[k, n] * B[m, k]. Of a convolution n may run over the batch or over an axis of the
image, and PlaidML takes what it knows the higher rate for, the batch mostly. Its elements lie a whole image
apart, each in a memory page of its own, where they displace each other from the cache: a kernel spends 40 % of
its time on C. Here n runs over the last axis of the image where that can be cut into tiles of 16 to 64: such
convolutions take 5 to 25 % less time, a training step 2 to 5 %. Shorter tiles lose by more calls than they win.
"""

import ctypes
import functools

from plaidkeras.library import Library, change

# Functions of the library of 0.7.0 for Linux, each with its first instructions.
SEARCH = 0x4e90d0, bytes.fromhex("554889e5415741564155415453" "4889fb")  # AutoStencil::SearchIndex(0 for m)
RANGE = 0x55d530, bytes.fromhex("554889e5534889fb4883ec28")  # stripe::idxRange
# In an AutoStencil, sets of indices: the three of those that have stride 1 in an operand, the other, and C; that of
# C's; the two of the operands'.
STRIDE_ONE, OF_RESULT, OF_OPERAND, SET = 0xa8, 0x1c8, 0x2e8, 0x60
FREE = 2 ** 64 - 2  # this and the next one are no elements of a set
TILES = range(16, 65)


@functools.lru_cache(maxsize=None)
def prefer_rows_that_lie_together() -> bool:
    """Have them preferred in this process; returns whether they are.

    Call it before anything is compiled. Patches on Linux only, and only the library that it knows.
    """
    def write(memory: Library) -> None:
        index_range = memory.function(RANGE[0], ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64))

        def look(arguments) -> None:
            stencil, matrix_index = arguments[0], arguments[1] & 0xFFFFFFFF
            if matrix_index == 0:
                _prefer(stencil, lambda index: index_range(ctypes.c_uint64(index)))

        memory.look_before(*SEARCH, look)

    return change(lambda memory: memory.has(*SEARCH) and memory.has(*RANGE), write)


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


def _prefer(stencil: int, index_range) -> None:
    """Leave the last of the indices that n can be, and no other, if it can be cut into TILES."""
    def indices(at: int) -> _Set:
        return _Set.from_address(stencil + at)

    result = indices(OF_RESULT)
    operands = [set(indices(OF_OPERAND + i * SET)) for i in range(2)]
    for m in set(indices(STRIDE_ONE + 2 * SET)).intersection(result) if result.is_ordered else ():
        for a, b in operands, operands[::-1]:
            rows = [index for index in result if index in a - b]
            if m in b - a and rows and any(index_range(rows[-1]) % tile == 0 for tile in TILES):
                kept = [index for index in result if index not in rows[:-1]]
                result.places()[:len(kept)] = kept
                result.count = len(kept)
