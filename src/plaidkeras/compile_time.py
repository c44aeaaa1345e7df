"""What takes PlaidML's compiler time for nothing, changed in its library in memory.

A third of the time until the first step is LLVM's loop strength reduction, which looks for cheaper
ways to step through arrays. x86 has addresses that do this by themselves: without it the code is as
fast.

Each operation is a function of its own. LLVM finds equal ones after it has optimized them all; told to
do so before, it translates each once. The steps of a recurrent layer are such: half of its time.

A name that is taken gets a number, and PlaidML tries them from 0: for thousands of tensors of one name,
millions of names are made. The first number tried here is that of the names there are.
"""

import ctypes
import functools
import struct

from plaidkeras.library import change

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
# In Block::unique_ref_name, the instructions before its loop: those of ours do the same in fewer
# bytes, and in place of 0 take the number of references, 192 bytes into the block in r14.
BEFORE_LOOP = 0x1c5b335
FROM_ZERO = bytes.fromhex(
    "31c0"              # xor eax, eax
    "48898d60feffff"    # mov [rbp - 416], rcx
    "488d8d78feffff"    # lea rcx, [rbp - 392]
    "488d9de0feffff"    # lea rbx, [rbp - 288]
    "48898d58feffff"    # mov [rbp - 424], rcx
    "488d8da0feffff"    # lea rcx, [rbp - 352]
    "48898d50feffff"    # mov [rbp - 432], rcx
    "498d4c2410"        # lea rcx, [r12 + 16]
    "48898d48feffff")   # mov [rbp - 440], rcx
FROM_COUNT = bytes.fromhex(
    "498b86c0000000"    # mov rax, [r14 + 192]
    "48898d60feffff"    # mov [rbp - 416], rcx
    "498d4c24b8"        # lea rcx, [r12 - 72], and r12 is rbp - 320
    "498d5c2420"        # lea rbx, [r12 + 32]
    "48898d58feffff"    # mov [rbp - 424], rcx
    "498d4c24e0"        # lea rcx, [r12 - 32]
    "48898d50feffff"    # mov [rbp - 432], rcx
    "498d4c2410"        # lea rcx, [r12 + 16]
    "48898d48feffff"    # mov [rbp - 440], rcx
    "90")               # nop


@functools.lru_cache(maxsize=None)
def skip_loop_strength_reduction() -> bool:
    """Let LLVM do without it in this process; returns whether it does.

    Call this and the others before anything is compiled. They patch on Linux only, and only the library that
    they know.
    """
    return change(lambda library: library.has(*ITS_USE), lambda library: library.write(IS_LSR_DISABLED, b"\1"))


@functools.lru_cache(maxsize=None)
def merge_equal_functions_first() -> bool:
    """Let LLVM do so in this process; returns whether it does."""
    return change(
        lambda library: all(library.has(*code) for code in (ITS_READING, *THEIR_CODE, (EXTENSIONS, bytes(8)))),
        lambda library: library.write(EXTENSIONS, _list_of_merging(library)))


@functools.lru_cache(maxsize=None)
def number_names_from_their_count() -> bool:
    """Let PlaidML do so in this process; returns whether it does."""
    return change(lambda library: library.has(BEFORE_LOOP, FROM_ZERO),
                  lambda library: library.write(BEFORE_LOOP, FROM_COUNT))


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
