"""What takes PlaidML's compiler time for nothing, changed in its library in memory.

It has LLVM optimize as its -O3 does. At -O2, without the vectorizer that looks for equal instructions in
straight code (that of loops does its work before), and without loop strength reduction, which looks for cheaper
ways to step through arrays where x86 has addresses that do this by themselves, LLVM takes half of the time, and
the code is as fast.

A name that is taken gets a number, and PlaidML tries them from 0: for thousands of tensors of one name,
millions of names are made. The first number tried here is that of the names there are.
"""

import functools

from plaidkeras.library import change

IS_LSR_DISABLED = 0x281e2c0  # the option -disable-lsr
ITS_USE = 0xfcd6c5, bytes.fromhex("803df40b850100")  # cmp byte [rip + 0x1850bf4], 0
# In Compiler::CompileProgram, where it sets the fields of a PassManagerBuilder: mov eax, LoopVectorize << 8 |
# SLPVectorize, and mov qword [rbp - 496], SizeLevel << 32 | OptLevel
VECTORIZERS = 0x7326ad, bytes.fromhex("b8 01 01 0000")
LEVELS = 0x7326cd, bytes.fromhex("48c78510feffff 03 000000")
LOOPS_ONLY = bytes.fromhex("b8 00 01 0000")
O2 = bytes.fromhex("48c78510feffff 02 000000")
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
def optimize_less() -> bool:
    """Let LLVM do so in this process; returns whether it does.

    Call this and the other before anything is compiled. They patch on Linux only, and only the library that
    they know.
    """
    def write(library):
        library.write(IS_LSR_DISABLED, b"\1")
        library.write(VECTORIZERS[0], LOOPS_ONLY)
        library.write(LEVELS[0], O2)

    return change(lambda library: all(library.has(*code) for code in (ITS_USE, VECTORIZERS, LEVELS)), write)


@functools.lru_cache(maxsize=None)
def number_names_from_their_count() -> bool:
    """Let PlaidML do so in this process; returns whether it does."""
    return change(lambda library: library.has(BEFORE_LOOP, FROM_ZERO),
                  lambda library: library.write(BEFORE_LOOP, FROM_COUNT))
