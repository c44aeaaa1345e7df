"""How LLVM generates code for the CPU, changed in PlaidML's library in memory.

It translates for LLVM's processor "generic", the x86-64 of 2003, whatever it runs on: only the matrix
kernels, which LIBXSMM makes, use AVX2. LLVM looks a processor's features up in a table
(`X86SubTypeKV`), sorted by name, in which each has its name, a set of features and a model of its
timing. Where this processor has all that LLVM's "haswell" may use, "generic" is given its features:
a training step of the notebook's network takes a fifth less time, and computes the same numbers.

It is told nothing of the processor's vectors while it transforms loops, and assumes registers of 32
bits: no element-wise loop is vectorized. Told their width, it does so where it costs nothing in
exactness; the numbers are the same.
"""

import functools
import struct

from plaidkeras import processor
from plaidkeras.library import change

# Where the library of 0.7.0 for Linux has things, and what must be there for it to be that library.
ENTRY = struct.Struct("<Q24sQ")  # where the name stands, features, where the model stands
TABLE, GENERIC, HASWELL = 0x2544440, 29, 33  # places in it
KNOWN = {
    GENERIC: (b"generic\0", "000010000080000000000000800080000000000000000000"),
    HASWELL: (b"haswell\0", "640c38dc60c1f1780c1000480100800a0000000000000000")}
NEEDED = {"avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe", "popcnt"}  # as /proc/cpuinfo names them
VECTOR_WIDTH = 0x17620fa  # in bits, in TargetTransformInfo::getRegisterBitWidth
ITS_RETURN = 0x17620f9, bytes.fromhex("b820000000c3")  # mov eax, 32; ret


@functools.lru_cache(maxsize=None)
def use_instructions_of_the_processor() -> bool:
    """Let LLVM use AVX2 in this process; returns whether it does.

    Call it before anything is compiled. Patches on Linux only, and only the library that it knows.
    """
    return NEEDED <= processor.instruction_sets() and change(
        lambda library: all(_is_known(library, entry) for entry in KNOWN),
        lambda library: library.write(TABLE + GENERIC * ENTRY.size + 8, bytes.fromhex(KNOWN[HASWELL][1])))


@functools.lru_cache(maxsize=None)
def vectorize() -> bool:
    """Let LLVM vectorize loops in this process; returns whether it does. Patches as above."""
    width = 256 if NEEDED <= processor.instruction_sets() else 128  # which every x86-64 has
    return change(lambda library: library.has(*ITS_RETURN),
                  lambda library: library.write(VECTOR_WIDTH, width.to_bytes(4, "little")))


def _is_known(library, entry: int) -> bool:
    """Whether an entry of the table has the name and features that are known."""
    name, features = KNOWN[entry]
    at, found, _ = ENTRY.unpack(library.read(TABLE + entry * ENTRY.size, ENTRY.size))
    return found.hex() == features and library.read(at - library.start, len(name)) == name
