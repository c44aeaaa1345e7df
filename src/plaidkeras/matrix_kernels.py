"""How PlaidML comes to its matrix kernels and back, changed in its library in memory.

A kernel, which LIBXSMM makes for its sizes, takes less than a microsecond, and PlaidML calls some ten
thousand a step. Two things around each of them took a quarter of a training step of `best`:

It leaves its vectors in the upper parts of the registers, where the next instruction of the kind that
knows no such parts waits until the processor has put them aside: some 100 cycles on Intel's. Here they
are cleared.

And each time LIBXSMM looks it up by a description of 28 bytes, which it writes and compares. Here a
table is looked at first, by what PlaidML tells of it:

    libxsmm_smmdispatch(m, n, k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch)

of which all but the first six are always the same. An entry is made once, by the thread that is the first
to write its m, and is valid when the kernel's address, the last of it, is there.
"""

import functools

from plaidkeras import processor
from plaidkeras.library import Library, block, change

ENTRIES, SIZE = 1024, 32  # of the table; an entry is six words and an address
LOOK_UP = 0x7801d0, bytes.fromhex("55" "4889e5" "4157" "4d89c7" "4156" "4989ce")  # libxsmm_smmdispatch
# rt::XSMMRTCaller(kernel, a, b, c): mov rax, rdi; mov rdi, rsi; mov rsi, rdx; mov rdx, rcx; jmp rax; nop
CALL = 0x733170, bytes.fromhex("4889f8" "4889f7" "4889d6" "4889ca" "ffe0" "6690")
# The same in fewer bytes: xchg rax, rdi; three push and pop; push rax, which aligns the stack; call rax.
# Then vzeroupper; pop rcx; ret
CALL_AND_CLEAR = bytes.fromhex("4897" "565f" "525e" "515a" "50" "ffd0" "c5f877" "59" "c3")


@functools.lru_cache(maxsize=None)
def clear_registers() -> bool:
    """Have the registers' upper parts cleared after each kernel; returns whether they are.

    Patches on Linux only, and only the library that it knows.
    """
    return "avx" in processor.instruction_sets() and change(
        lambda library: library.has(*CALL), lambda library: library.write(CALL[0], CALL_AND_CLEAR))


@functools.lru_cache(maxsize=None)
def look_up_in_a_table() -> bool:
    """Have kernels looked up in a table of this process first; returns whether they are. Patches as above."""
    def write(library: Library) -> None:
        library.run_before(*LOOK_UP, _look_up(block(ENTRIES * SIZE)))

    return change(lambda library: library.has(*LOOK_UP), write)


def _look_up(table: int) -> bytes:
    """Machine code that returns the kernel of the arguments, in edi, esi, edx, [rcx], [r8] and [r9]; or goes
    on behind its end, where LIBXSMM's own begins, if another kernel has their entry."""
    return bytes.fromhex(
        "69c7b179371e"            # imul eax, edi, an odd number
        "4469d677caeb05" "4401d0"  # imul r10d, esi, another; add eax, r10d
        "4469d23daeb242" "4401d0"  # edx
        "4469112febd427" "4401d0"  # [rcx]
        "456910b1675616" "4401d0"  # [r8]
        "4569115ff36e3c" "4401d0"  # [r9]
        "c1e816" "c1e005"          # shr eax, 22: one of ENTRIES; shl eax, 5: where it lies
        "49ba" + table.to_bytes(8, "little").hex() +  # mov r10, table
        "4901c2"                  # add r10, rax
        "498b4218" "4885c0" "742d"  # mov rax, [r10 + 24]; test rax, rax; je MISSING
        "413b3a" "756e"           # cmp edi, [r10]; jne END
        "413b7204" "7568"         # cmp esi, [r10 + 4]; jne END
        "413b5208" "7562"         # cmp edx, [r10 + 8]; jne END
        "448b19" "453b5a0c" "7559"  # mov r11d, [rcx]; cmp r11d, [r10 + 12]; jne END
        "458b18" "453b5a10" "7550"  # mov r11d, [r8]; cmp r11d, [r10 + 16]; jne END
        "458b19" "453b5a14" "7547"  # mov r11d, [r9]; cmp r11d, [r10 + 20]; jne END
        "c3"                      # ret
        # MISSING:
        "f0410fb13a" "753f"       # lock cmpxchg [r10], edi: m, if there was 0; jne END
        "41897204" "41895208"     # mov [r10 + 4], esi; mov [r10 + 8], edx
        "448b19" "45895a0c"       # mov r11d, [rcx]; mov [r10 + 12], r11d
        "458b18" "45895a10"       # mov r11d, [r8]; mov [r10 + 16], r11d
        "458b19" "45895a14"       # mov r11d, [r9]; mov [r10 + 20], r11d
        "4152" "ff742428" "ff742428" "ff742428" "ff742428"  # push r10; push the four arguments on the stack
        "e80b000000"              # call END: LIBXSMM's own, which makes the kernel
        "4883c420" "415a"         # add rsp, 32; pop r10
        "49894218" "c3")          # mov [r10 + 24], rax; ret
