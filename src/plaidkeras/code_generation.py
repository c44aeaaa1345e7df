"""How LLVM generates code for the CPU, changed in PlaidML's library in memory.

It translates for LLVM's processor "generic", the x86-64 of 2003, whatever it runs on: only the matrix
kernels, which LIBXSMM makes, use AVX2. LLVM looks a processor's features up in a table
(`X86SubTypeKV`), sorted by name, in which each has its name, a set of features and a model of its
timing. Where this processor has all that LLVM's "haswell" may use, "generic" is given its features:
a training step of the notebook's network takes a fifth less time, and computes the same numbers.

It is told nothing of the processor's vectors while it transforms loops, and assumes registers of 32
bits: no element-wise loop is vectorized. Told their width, it does so where it costs nothing in
exactness; the numbers are the same.

A third of the time until the first step is LLVM's loop strength reduction, which looks for cheaper
ways to step through arrays. x86 has addresses that do this by themselves: without it the code is as
fast.

Each operation is a function of its own. LLVM finds equal ones after it has optimized them all; told to
do so before, it translates each once. The steps of a recurrent layer are such: half the time until the
first step.
"""

import ctypes
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
IS_LSR_DISABLED = 0x281e2c0  # the option -disable-lsr
ITS_USE = 0xfcd6c5, bytes.fromhex("803df40b850100")  # cmp byte [rip + 0x1850bf4], 0
# The list of what is added to the passes (PassManagerBuilder's GlobalExtensions), where it is read, and
# the beginnings of createMergeFunctionsPass and of PassManager::add.
EXTENSIONS = 0x280aa90
ITS_READING = 0x7833e0, bytes.fromhex("488b05a97608024885c0744c488b059d760802488b188b4008488d0480")
CREATE_MERGING, ADD = 0x821280, 0x19c5340
THEIR_CODE = ((CREATE_MERGING, bytes.fromhex("55bfc80000004889e541554154534883ec38e84e6f5901")),
              (ADD, bytes.fromhex("488b7f084881c7a0010000e9d0f8ffff")))
BEFORE_ALL_OTHERS = 1  # EP_ModuleOptimizerEarly


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


@functools.lru_cache(maxsize=None)
def skip_loop_strength_reduction() -> bool:
    """Let LLVM do without it in this process; returns whether it does. Patches as above."""
    return change(lambda library: library.has(*ITS_USE), lambda library: library.write(IS_LSR_DISABLED, b"\1"))


@functools.lru_cache(maxsize=None)
def merge_equal_functions_first() -> bool:
    """Let LLVM do so in this process; returns whether it does. Patches as above."""
    return change(
        lambda library: all(library.has(*code) for code in (ITS_READING, *THEIR_CODE, (EXTENSIONS, bytes(8)))),
        lambda library: library.write(EXTENSIONS, _list_of_merging(library)))


def _list_of_merging(library) -> bytes:
    """The address of a list of one extension, a std::function that adds the pass."""
    create = ctypes.CFUNCTYPE(ctypes.c_void_p)(library.start + CREATE_MERGING)
    add = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(library.start + ADD)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(lambda _, builder, passes: add(passes, create()))
    is_set = 1  # what stands for the function's manager, which is called for copies only
    extension = ctypes.create_string_buffer(struct.pack(
        "<QQQQQ", BEFORE_ALL_OTHERS, 0, 0, is_set, ctypes.cast(call, ctypes.c_void_p).value))
    extensions = ctypes.create_string_buffer(struct.pack("<QII", ctypes.addressof(extension), 1, 1))
    _kept.extend([call, extension, extensions])
    return struct.pack("<Q", ctypes.addressof(extensions))


_kept = []  # as long as the library may read it


def _is_known(library, entry: int) -> bool:
    """Whether an entry of the table has the name and features that are known."""
    name, features = KNOWN[entry]
    at, found, _ = ENTRY.unpack(library.read(TABLE + entry * ENTRY.size, ENTRY.size))
    return found.hex() == features and library.read(at - library.start, len(name)) == name
