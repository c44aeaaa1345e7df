"""The instructions that PlaidML's CPU compiler may use.

It translates for LLVM's processor "generic", the x86-64 of 2003, whatever it runs on: only the matrix
kernels, which LIBXSMM makes, use AVX2. LLVM looks a processor's features up in a table
(`X86SubTypeKV`), sorted by name, in which each has its name, a set of features and a model of its
timing. Where this processor has all that LLVM's "haswell" may use, "generic" is given its features:
a training step of the notebook's network takes a fifth less time, and computes the same numbers.
"""

import functools
import struct
import sys

from plaidkeras import processor

ENTRY = struct.Struct("<Q24sQ")  # where the name stands, features, where the model stands
TABLE, GENERIC, HASWELL = 0x2544440, 29, 33  # where the library of 0.7.0 for Linux has it, and places in it
KNOWN = {  # what must stand there for it to be that table
    GENERIC: (b"generic\0", "000010000080000000000000800080000000000000000000"),
    HASWELL: (b"haswell\0", "640c38dc60c1f1780c1000480100800a0000000000000000")}
NEEDED = {"avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe", "popcnt"}  # as /proc/cpuinfo names them


@functools.lru_cache(maxsize=None)
def use_those_of_the_processor() -> bool:
    """Patch LLVM's table in this process; returns whether AVX2 is used from then on.

    Call it before anything is compiled. Patches on Linux only, and only the table that it knows.
    """
    if not (sys.platform.startswith("linux") and NEEDED <= processor.instruction_sets()):
        return False
    import plaidml

    plaidml._lib()  # loads the library
    try:
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "r+b", buffering=0) as memory:
            library = min(int(line.partition("-")[0], 16) for line in maps
                          if line.rstrip().endswith("/libplaidml.so"))
            places = {entry: library + TABLE + entry * ENTRY.size for entry in KNOWN}
            for entry, (name, features) in KNOWN.items():
                at, found, _ = ENTRY.unpack(_read(memory, places[entry], ENTRY.size))
                if found.hex() != features or _read(memory, at, len(name)) != name:
                    return False
            memory.seek(places[GENERIC] + 8)
            memory.write(bytes.fromhex(KNOWN[HASWELL][1]))
            return True
    except (OSError, OverflowError, ValueError, struct.error):  # another library, or memory out of reach
        return False


def _read(memory, address: int, length: int) -> bytes:
    memory.seek(address)
    return memory.read(length)
