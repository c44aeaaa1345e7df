"""PlaidML's library in the memory of this process, by the places that it has in its file.

What is changed there is known to the byte: in a library of another version nothing is, and on other
systems neither.
"""

import ctypes
import mmap
from collections.abc import Callable

ARGUMENTS = 6  # in registers: rdi, rsi, rdx, rcx, r8, r9
# push 0 and the arguments; mov rdi, rsp. Then: pop them, and the verdict; test eax, eax
SAVE = bytes.fromhex("6a00" "4151" "4150" "51" "52" "56" "57" "4889e7")
RESTORE = bytes.fromhex("5f" "5e" "5a" "59" "4158" "4159" "58" "85c0")
IF_NOT_ZERO_RETURN = bytes.fromhex("7404" "4889f8" "c3")  # je over the rest: mov rax, rdi; ret


class Library:
    """The library's memory, while it may be read and written."""

    def __init__(self, memory, start: int):
        self.memory, self.start = memory, start

    def read(self, at: int, length: int) -> bytes:
        self.memory.seek(self.start + at)
        return self.memory.read(length)

    def write(self, at: int, content: bytes) -> None:
        self.memory.seek(self.start + at)
        self.memory.write(content)

    def has(self, at: int, content: bytes) -> bool:
        return self.read(at, len(content)) == content

    def function(self, at: int, result, *arguments) -> Callable:
        """A function of the library, of ctypes' types."""
        return ctypes.CFUNCTYPE(result, *arguments)(self.start + at)

    def look_before(self, at: int, beginning: bytes, look: Callable) -> None:
        """Have `look` called whenever the function at a place begins, with an array of its ARGUMENTS that are
        ints or addresses; where it returns true, the function ends at once, and returns the first of them,
        where a C++ function has its result.

        `beginning`: the function's first instructions, 12 bytes or more, which may stand anywhere.
        """
        # ctypes leaves a result as it was where something is raised, if only by a signal: a word after the
        # arguments tells the verdict, and stays 0 where nothing was decided.
        def decide(words):
            words.contents[ARGUMENTS] = bool(look(words.contents))

        called = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint64 * (ARGUMENTS + 1)))(decide)
        _kept.append(called)
        self.run_before(at, beginning, SAVE + _to("call", ctypes.cast(called, ctypes.c_void_p).value) + RESTORE
                        + IF_NOT_ZERO_RETURN)

    def run_before(self, at: int, beginning: bytes, code: bytes) -> None:
        """Have machine code run whenever the function at a place begins, which then goes on; `beginning` as above."""
        self.write(at, _to("jmp", machine_code(code + beginning + _to("jmp", self.start + at + len(beginning)))))


def block(size: int, more: int = 0) -> int:
    """The address of a block of zeros that stays, with more than the right to read and write it if asked for."""
    memory = mmap.mmap(-1, size, prot=mmap.PROT_READ | mmap.PROT_WRITE | more)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))  # for good: a thread may run there when Python ends
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def machine_code(code: bytes) -> int:
    """The address of machine code that stays."""
    place = block(len(code), mmap.PROT_EXEC)
    ctypes.memmove(place, code, len(code))
    return place


def _to(instruction: str, address: int) -> bytes:
    """A jump or a call to an address anywhere: mov rax, address; jmp rax."""
    return b"\x48\xb8" + address.to_bytes(8, "little") + {"jmp": b"\xff\xe0", "call": b"\xff\xd0"}[instruction]


_kept = []  # as long as the library may come there


def change(is_known: Callable[[Library], bool], write: Callable[[Library], None]) -> bool:
    """Let `write` change the library, if `is_known` says that it is the one; returns whether it is."""
    import plaidml

    plaidml._lib()  # loads it
    try:
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "r+b", buffering=0) as memory:
            library = Library(memory, min(int(line.partition("-")[0], 16) for line in maps
                                          if line.rstrip().endswith("/libplaidml.so")))
            if is_known(library):
                write(library)
                return True
            return False
    except (OSError, OverflowError, ValueError):  # not Linux, or memory out of reach
        return False
