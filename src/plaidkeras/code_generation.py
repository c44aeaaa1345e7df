"""How LLVM generates code for the CPU, changed in PlaidML's library in memory.

It translates for LLVM's processor "generic", the x86-64 of 2003, whatever it runs on: only the matrix
kernels, which LIBXSMM makes, use AVX2 and AVX-512. LLVM looks a processor's features up in a table
(`X86SubTypeKV`), sorted by name, in which each has its name, a set of features and a model of its
timing. "generic" is given the features of the best processor there whose instructions this one has: a
training step of the notebook's network takes a fifth less time, and computes the same numbers.

It is told nothing of the processor's vectors while it transforms loops, and assumes registers of 32
bits: no element-wise loop is vectorized. Told their width, it does so where it costs nothing in
exactness; the numbers are the same.

Nor can it know that the tensors of a kernel lie apart, and has their addresses compared before each
inner loop, which often has a few turns only. Told that they do, a step of a network of separable
convolutions takes a fifth less time. Only an update's new value lies where the old one is: there each
element is read before it is written, and nothing else is (see updates.py). Tensors of several kernels may
share memory, but meet in the function that calls them all only, which reads and writes none of them, for
PlaidML has LLVM inline nothing.

Each loop over a block is a function, for all LLVM knows called from elsewhere too, and is given where its
indices begin: so it does not know how many turns a loop has. As functions of the program alone it sees what
they are given, nearly always 0, unrolls short loops, and keeps what they add up in registers: that step
takes another fifth less.
"""

import functools
import struct

from plaidkeras import processor
from plaidkeras.library import change

# Where the library of 0.7.0 for Linux has things, and what must be there for it to be that library.
ENTRY = struct.Struct("<Q24sQ")  # where the name stands, features, where the model stands
TABLE, GENERIC, HASWELL, SKYLAKE = 0x2544440, 29, 33, 68  # places in it
KNOWN = {
    GENERIC: (b"generic\0", "000010000080000000000000800080000000000000000000"),
    HASWELL: (b"haswell\0", "640c38dc60c1f1780c1000480100800a0000000000000000"),
    SKYLAKE: (b"skylake-avx512\0", "fc5c7bdc60d3d1782e3200480100811e0000000000000000")}
# What LLVM may use for one of them, as /proc/cpuinfo names it.
AVX2 = {"avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe", "popcnt"}
AVX512 = AVX2 | {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
VECTOR_WIDTH = 0x17620fa  # in bits, in TargetTransformInfo::getRegisterBitWidth
ITS_RETURN = 0x17620f9, bytes.fromhex("b820000000c3")  # mov eax, 32; ret
# In Argument::hasNoAliasAttr, for a pointer: mov esi, NoAlias; jmp to Argument::hasAttribute
IS_APART = 0x198c090, bytes.fromhex("be15000000" "e956ffffff")
RETURN_TRUE = bytes.fromhex("b001" "c3")  # mov al, 1; ret
# In Compiler::CompileBlock, CompileThreadedBlock and CompileXSMMBlock, where each has its llvm::Function made:
# xor edx, edx, that is ExternalLinkage; other arguments; mov ecx, -1
FUNCTIONS = (0x730176, "4d89e8"), (0x72ee0e, "4889de4d89f0"), (0x7270f8, "4989c0")
EXTERNAL = {at: bytes.fromhex(f"31d2{others}b9ffffffff") for at, others in FUNCTIONS}
# InternalLinkage, in as many bytes: push 7; pop rdx; push -1; pop rcx; nop
INTERNAL = {at: bytes.fromhex(f"6a075a{others}6aff5990") for at, others in FUNCTIONS}


def best_processor() -> int | None:
    """The place in the table of the best processor whose instructions this one has; None for the oldest."""
    has = processor.instruction_sets()
    return SKYLAKE if AVX512 <= has else HASWELL if AVX2 <= has else None


@functools.lru_cache(maxsize=None)
def use_instructions_of_the_processor() -> int:
    """Let LLVM use AVX2 or AVX-512 in this process; returns for which processor of the table it then
    translates, or 0 if nothing was changed.

    Call it before anything is compiled. Patches on Linux only, and only the library that it knows.
    """
    best = best_processor()
    return best if best and change(
        lambda library: all(_is_known(library, entry) for entry in KNOWN),
        lambda library: library.write(TABLE + GENERIC * ENTRY.size + 8, bytes.fromhex(KNOWN[best][1]))) else 0


@functools.lru_cache(maxsize=None)
def vectorize() -> bool:
    """Let LLVM vectorize loops in this process; returns whether it does. Patches as above."""
    width = {SKYLAKE: 512, HASWELL: 256, None: 128}[best_processor()]  # every x86-64 has 128 bits
    return change(lambda library: library.has(*ITS_RETURN),
                  lambda library: library.write(VECTOR_WIDTH, width.to_bytes(4, "little")))


@functools.lru_cache(maxsize=None)
def know_tensors_apart() -> bool:
    """Let LLVM know in this process that a kernel's tensors lie apart; returns whether it does. Patches as above."""
    return change(lambda library: library.has(*IS_APART), lambda library: library.write(IS_APART[0], RETURN_TRUE))


@functools.lru_cache(maxsize=None)
def know_all_calls() -> bool:
    """Let LLVM know in this process that nothing else calls a program's functions; returns whether it does.
    Patches as above."""
    return change(lambda library: all(library.has(*place) for place in EXTERNAL.items()),
                  lambda library: [library.write(*place) for place in INTERNAL.items()])


def _is_known(library, entry: int) -> bool:
    """Whether an entry of the table has the name and features that are known."""
    name, features = KNOWN[entry]
    at, found, _ = ENTRY.unpack(library.read(TABLE + entry * ENTRY.size, ENTRY.size))
    return found.hex() == features and library.read(at - library.start, len(name)) == name
