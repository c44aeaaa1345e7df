"""What compiled programs call for memory: as aligned_alloc, free and memset, only sooner."""

import ctypes
import subprocess
import sys
import threading

import numpy as np
import pytest

from plaidkeras import memory_functions
from plaidkeras.library import change

Address, Size = ctypes.c_void_p, ctypes.c_size_t
PROGRAM = """
import ctypes
import plaidkeras

plaidkeras.install()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]

before = libc.sbrk(0)
blocks = [libc.malloc(1200 << 20) for _ in range(3)]  # never written, so they take no memory
held = libc.sbrk(0)
for block in reversed(blocks):
    libc.free(block)
print(held - before, libc.sbrk(0) - before)
"""


@pytest.fixture(scope="module")
def found():
    """What programs find by a name."""
    assert memory_functions.serve_programs()
    functions = []
    assert change(lambda library: True, lambda library: functions.append(
        library.function(memory_functions.SEARCH[0], Address, ctypes.c_char_p)))
    return functions[0]


@pytest.fixture(scope="module")
def allocate(found):
    return ctypes.CFUNCTYPE(Address, Size, Size)(found(b"aligned_alloc"))


@pytest.fixture(scope="module")
def free(found):
    return ctypes.CFUNCTYPE(None, Address)(found(b"free"))


@pytest.fixture(scope="module")
def memset(found):
    return ctypes.CFUNCTYPE(Address, Address, ctypes.c_int, Size)(found(b"memset"))


def test_programs_find_these_functions_and_no_others(found):
    libc = ctypes.CDLL(None)
    for name in ("aligned_alloc", "free", "memset"):
        assert found(name.encode()) != ctypes.cast(libc[name], Address).value
    assert found(b"memcpy") in (None, ctypes.cast(libc.memcpy, Address).value)


@pytest.mark.parametrize("size", [1, 64, 65, 4096, 100_000, 2 ** 20, 2 ** 20 + 1, 5_000_000])
def test_blocks_are_apart_aligned_and_as_large_as_asked_for(allocate, free, size):
    blocks = [allocate(16, size) for _ in range(6)]
    assert all(block % 64 == 0 for block in blocks)
    for number, block in enumerate(blocks):
        ctypes.memset(block, number, size)
    assert [ctypes.string_at(block, size) for block in blocks] == [bytes([number]) * size for number in range(6)]
    for block in blocks:
        free(block)


def test_a_thread_gets_what_it_freed(allocate, free):
    blocks = {allocate(16, 3000) for _ in range(4)}
    for block in blocks:
        free(block)
    assert {allocate(16, size) for size in (2049, 3000, 4000, 4096)} == blocks
    for block in blocks:
        free(block)


def test_nothing_is_freed_where_nothing_is(free):
    free(None)


def test_threads_have_no_block_at_the_same_time(allocate, free):
    mistakes = []

    def work(number):
        for turn in range(300):
            sizes = [100, 100, 1000, 70_000][: 1 + turn % 4]
            blocks = [(allocate(16, size), size) for size in sizes]
            for block, size in blocks:
                ctypes.memset(block, number, size)
            mistakes.extend(size for block, size in blocks if set(ctypes.string_at(block, size)) != {number})
            for block, _ in blocks:
                free(block)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mistakes


@pytest.mark.parametrize("value", [0, 7])
@pytest.mark.parametrize("size", [0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 3_333_333])
def test_memory_is_set_from_the_first_byte_to_the_last(memset, value, size):
    memory = np.full(size + 200, 9, np.uint8)
    start = memory.ctypes.data + 100
    assert memset(start, value, size) == start
    assert (memory[:100] == 9).all() and (memory[100:-100] == value).all() and (memory[-100:] == 9).all()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_freed_memory_of_more_than_two_gigabytes_stays_in_the_process():
    """A step of 512 images frees 2.4 GB at once, and took twice its time when these were
    returned to the kernel."""
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True,
                             check=True)
    held, kept = map(int, process.stdout.split())
    assert held > 3 << 30
    assert kept == held
