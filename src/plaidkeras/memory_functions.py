"""The functions of memory that compiled programs call: aligned_alloc, free and memset.

By default glibc returns large blocks to the kernel with each free, and PlaidML allocates the buffers of
each step anew: 144,000 page faults a training step. If it keeps them, a step takes 70 % of the time.

A program asks for the buffers of its tiles thousands of times a step, from all cores at once. All wait for
the lock of the one arena that glibc is left with, and with it until their own results are in the cache: up
to a quarter of a prediction. Here each thread keeps some of what it has freed, by itself. And a program
sets a whole tensor to zero on one core; here on all of them.
"""

import ctypes
import functools
import sys

from plaidkeras import library
from plaidkeras.library import Library, block, machine_code

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # <malloc.h>
# Functions of the library of 0.7.0 for Linux, each with its first instructions.
SEARCH = 0x1a5c900, bytes.fromhex("554889e54157415641554154")  # DynamicLibrary::SearchForAddressOfSymbol
PARALLEL_FOR = 0x7335a0, bytes.fromhex("554889e54157415641554154")  # rt::ParallelFor(tensors, indexes, range, part)
# Each thread has a place of 16 rows, one for each of 15 sizes, each of the addresses of four blocks: it keeps
# 8 MB at most. The last row is for the address that says whose place it is.
PLACES, PLACE = 1024, 16 * 4 * 8


def keep_freed_memory() -> None:
    """Tell glibc's malloc to use one arena, to map no block by itself, and never to trim. Does nothing elsewhere."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)  # a number of bytes would have to fit an int: 2 GB


@functools.lru_cache(maxsize=None)
def serve_programs() -> bool:
    """Have programs call the functions below; returns whether they do.

    Call it before the first program is loaded: an address that was found once is never looked for again.
    Patches on Linux only, and only the library that it knows.
    """
    return library.change(lambda memory: memory.has(*SEARCH) and memory.has(*PARALLEL_FOR), _write)


def _write(memory: Library) -> None:
    libc = ctypes.CDLL(None)
    aligned_alloc, free, memset = (ctypes.cast(function, ctypes.c_void_p).value for function in (
        libc.aligned_alloc, libc.free, libc.memset))
    kept, part = block(PLACES * PLACE), machine_code(_zero_part(memset))
    memory.run_before(*SEARCH, _answer(b"aligned_alloc", machine_code(_allocate(aligned_alloc, kept)))
                      + _answer(b"free", machine_code(_free(free, kept)))
                      + _answer(b"memset", machine_code(_set(memset, memory.start + PARALLEL_FOR[0], part))))


def _answer(name: bytes, function: int) -> bytes:
    """Returns the function if [rdi] is its name; else goes on behind its own end."""
    code = bytes.fromhex("48b8" + _word(function) + "c3")  # mov rax, function; ret
    for place, letter in reversed([*enumerate(name + b"\0")]):
        code = bytes([0x80, 0x7f, place, letter, 0x75, len(code)]) + code  # cmp byte [rdi + place], letter; jne
    return code


# r10: this thread's place, by the address that each thread has for itself at fs:0. Who comes first owns it, and
# no other thread looks at its rows: a locked instruction would wait for what was computed before.
ITS_PLACE = ("644c8b1c2500000000"       # mov r11, fs:0
             "4489d8" "c1e80c"          # mov eax, r11d; shr eax, 12
             "69c0b179371e" "c1e816"    # imul eax, eax, an odd number; shr eax, 22: one of PLACES
             "c1e009" "4901c2"          # shl eax, 9; add r10, rax
             "4d3b9ae0010000")          # cmp r11, [r10 + 480]: is it ours?
# r10: its row for blocks of 2 << ecx bytes, 64 to 1 MB
ITS_ROW = ("89c8" "c1e005"              # mov eax, ecx; shl eax, 5
           "4d8d940260ffffff"           # lea r10, [r10 + rax - 160]
           "ba04000000")                # mov edx, 4


def _allocate(aligned_alloc: int, kept: int) -> bytes:
    """aligned_alloc(edi 16, rsi size). In the 64 bytes before it a block has its ecx, or 0 where it is larger than
    those that are kept. These are aligned to 64 bytes; of larger ones that would leave holes too small for the next."""
    return bytes.fromhex(
        "488d4eff"                # lea rcx, [rsi - 1]
        "4889c8" "48c1e814" "756f"  # mov rax, rcx; shr rax, 20; jne LARGE
        "83c93f" "0fbdc9"         # or ecx, 63; bsr ecx, ecx
        "49ba" + _word(kept) + ITS_PLACE + "7522" + ITS_ROW +  # mov r10, kept; jne FRESH
        # NEXT:
        "498b02" "4885c0" "7516"  # mov rax, [r10]; test rax, rax; jne TAKE
        "4983c208" "ffca" "75f0"  # add r10, 8; dec edx; jne NEXT
        # FRESH:
        "be02000000" "d3e6"       # mov esi, 2; shl esi, cl
        "bf40000000" "eb0a"       # mov edi, 64; jmp NEW
        # TAKE:
        "49c70200000000" "c3"     # mov qword [r10], 0; ret
        # LARGE:
        "31c9"                    # xor ecx, ecx
        # NEW:
        "51" "4883c640"           # push rcx; add rsi, 64
        "48b8" + _word(aligned_alloc) + "ffd0" "59"  # mov rax, aligned_alloc; call rax; pop rcx
        "4885c0" "7406"           # test rax, rax; je END
        "8908" "4883c040"         # mov [rax], ecx; add rax, 64
        # END:
        "c3")                     # ret


def _free(free: int, kept: int) -> bytes:
    """free(rdi block): keeps it. Gives it back if it is larger than what is kept, if four of its size are kept
    already, or if the thread has no place."""
    return bytes.fromhex(
        "4885ff" "7501" "c3"      # test rdi, rdi; jne, over the next; ret
        "8b4fc0" "85c9" "7468"    # mov ecx, [rdi - 64]; test ecx, ecx; je GIVE_BACK
        "49ba" + _word(kept) + ITS_PLACE + "7417"  # mov r10, kept; je OURS
        "498b82e0010000" "4885c0" "752b"  # mov rax, [r10 + 480]; test rax, rax; jne GIVE_BACK
        "f04d0fb19ae0010000" "7520"  # lock cmpxchg [r10 + 480], r11; jne GIVE_BACK
        # OURS:
        + ITS_ROW +
        # NEXT:
        "49833a00" "7418"         # cmp qword [r10], 0; je KEEP
        "4983c208" "ffca" "75f2"  # add r10, 8; dec edx; jne NEXT
        # GIVE_BACK:
        "4883ef40"                # sub rdi, 64
        "48b8" + _word(free) + "ffe0"  # mov rax, free; jmp rax
        # KEEP:
        "49893a" "c3")            # mov [r10], rdi; ret


def _set(memset: int, parallel_for: int, part: int) -> bytes:
    """memset(rdi start, esi value, rdx size): a megabyte of zeros and more in parts of 64 KB, on all cores."""
    return bytes.fromhex(
        "48b8" + _word(memset) +  # mov rax, memset
        "85f6" "753b"             # test esi, esi; jne AT_ONCE
        "4881fa00001000" "7232"   # cmp rdx, 1 << 20; jb AT_ONCE
        "52" "57" "50"            # push rdx; push rdi; push rax, which aligns the stack
        "488d7c2408" "488d742410"  # lea rdi, [rsp + 8]; lea rsi, [rsp + 16]
        "4881c2ffff0000" "48c1ea10"  # add rdx, 65535; shr rdx, 16
        "48b9" + _word(part) +    # mov rcx, part
        "48b8" + _word(parallel_for) + "ffd0"  # mov rax, parallel_for; call rax
        "58" "58" "5a" "c3"       # pop rax; pop rax, the start; pop rdx; ret
        # AT_ONCE:
        "ffe0")                   # jmp rax


def _zero_part(memset: int) -> bytes:
    """part([rdi] start, [rsi] size, rdx first, rcx end): what of it lies in these parts of 64 KB."""
    return bytes.fromhex(
        "48c1e210" "48c1e110"     # shl rdx, 16; shl rcx, 16
        "483b0e" "480f470e"       # cmp rcx, [rsi]; cmova rcx, [rsi]
        "4829d1"                  # sub rcx, rdx
        "488b3f" "4801d7"         # mov rdi, [rdi]; add rdi, rdx
        "31f6" "4889ca"           # xor esi, esi; mov rdx, rcx
        "48b8" + _word(memset) + "ffe0")  # mov rax, memset; jmp rax


def _word(address: int) -> str:
    return address.to_bytes(8, "little").hex()
