"""What a program computes on its way shares memory, where it is not needed at the same time.

PlaidML's CPU compiler gives each such tensor memory of its own for the whole step. The library has a
pass that puts those together which are never alive at once (tile/codegen/placer.cc), but derives from
dependencies alone what is: a gradient of weights is nobody's ancestor, and the activation that it
reads would be kept to the end. On a CPU the statements of a program run one after the other. In place
of its loop over a statement's dependencies the pass is given code that makes all before it
dependencies. In a training step of the notebook's network they then take half the memory.

The pass is also kept from what lies within a statement: its parts run in threads, each with memory of
its own.
"""

import functools
import os

from plaidkeras.library import Library, change

# In PlaceRefinements of the library of 0.7.0 for Linux. A statement's number is at 16 of the node in
# r14, the address of the bits of its dependencies at 24; the number of statements met so far, of which
# the first is the block that holds all others, 2296 below rbp.
LOOP, AFTER_IT = 0x493937, 0x493a72
ITS_CODE = bytes.fromhex("4c8b7f10488d5f104939df0f842a010000498b4710")
ALL_BEFORE = bytes.fromhex(
    "498b4e10"    # mov rcx, [r14 + 16]
    "498b7618"    # mov rsi, [r14 + 24]
    "31d2"        # xor edx, edx
    "4839ca"      # cmp rdx, rcx
    "7309"        # jae, to the end
    "480fab16"    # bts [rsi], rdx
    "48ffc2"      # inc rdx
    "ebf2")       # jmp, to cmp
CALL, ADD_CHUNKS = 0x49422c, 0x492ae0  # of a block inside another one
IF_FIRST = bytes.fromhex("4883bd08f7ffff017505")  # cmp qword [rbp - 2296], 1; jne, 5 further


@functools.lru_cache(maxsize=None)
def share_memory() -> bool:
    """Let the pass work like that in this process; returns whether it does. With PLAIDML_USE_STRIPE the
    programs of GPUs, whose statements may run at the same time, pass through it too: then it does not."""
    return "PLAIDML_USE_STRIPE" not in os.environ and change(
        lambda library: library.has(LOOP, ITS_CODE) and library.has(CALL, _jump(b"\xe8", CALL, ADD_CHUNKS)), _write)


def _write(library: Library) -> None:
    code = ALL_BEFORE + _jump(b"\xe9", LOOP + len(ALL_BEFORE), AFTER_IT)
    if_first = LOOP + len(code)
    code += IF_FIRST
    code += _jump(b"\xe9", LOOP + len(code), ADD_CHUNKS) + b"\xc3"  # ret
    library.write(LOOP, code)
    library.write(CALL, _jump(b"\xe8", CALL, if_first))


def _jump(instruction: bytes, start: int, end: int) -> bytes:
    """A jump or call, of five bytes, from one place to another."""
    return instruction + (end - start - 5).to_bytes(4, "little", signed=True)
