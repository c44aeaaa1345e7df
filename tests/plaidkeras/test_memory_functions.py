"""What compiled programs call for memory: as aligned_alloc, free and memset, only sooner."""

import ctypes
import subprocess
import sys
import threading

import numpy as np
import pytest

from plaidkeras import memory_functions
from plaidkeras.library import block, change, machine_code

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

# A padded convolution, whose program looks for memset.
CONVOLUTION = """
import ctypes
import plaidkeras
from plaidkeras import memory_functions

sizes = []
look = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)(
    lambda start, value, size: sizes.append(size) or ctypes.memset(start, value, size))
address = ctypes.cast(look, ctypes.c_void_p).value
memory_functions._set = lambda *given: b"\\x48\\xb8" + address.to_bytes(8, "little") + b"\\xff\\xe0"
plaidkeras.install("llvm_cpu.0")
import keras.backend as K
images = K.relu(K.random_uniform((4, 30, 30, 16)))
K.eval(K.conv2d(images, K.ones((3, 3, 16, 16)), padding="same"))
print(len(sizes))
"""
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="patches on Linux only")


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
    assert all(block % (64 if size <= 2 ** 20 else 16) == 0 for block in blocks)
    for number, block in enumerate(blocks):
        ctypes.memset(block, number, size)
    assert [ctypes.string_at(block, size) for block in blocks] == [bytes([number]) * size for number in range(6)]
    for block in blocks:
        free(block)


def test_a_thread_gets_what_it_freed_and_no_other_does(allocate, free):
    def in_another_thread():
        others.extend(allocate(16, 3000) for _ in range(4))
        for block in others:
            free(block)

    blocks, others = {allocate(16, 3000) for _ in range(4)}, []
    for block in blocks:
        free(block)
    thread = threading.Thread(target=in_another_thread)
    thread.start()
    thread.join()
    assert not blocks & set(others)
    assert {allocate(16, size) for size in (2049, 3000, 4000, 4096)} == blocks
    for block in blocks:
        free(block)


def test_of_one_size_four_blocks_are_kept_by_whose_place_it_is():
    """Five are freed into a table of their own, then one more where another thread has the place."""
    libc, kept = ctypes.CDLL(None), block(memory_functions.PLACES * memory_functions.PLACE)
    table = (ctypes.c_uint64 * (memory_functions.PLACES * memory_functions.PLACE // 8)).from_address(kept)
    theirs = [ctypes.cast(function, Address).value for function in (libc.aligned_alloc, libc.free)]
    allocate = ctypes.CFUNCTYPE(Address, Size, Size)(machine_code(memory_functions._allocate(theirs[0], kept)))
    free = ctypes.CFUNCTYPE(None, Address)(machine_code(memory_functions._free(theirs[1], kept)))

    blocks = [allocate(16, 4096) for _ in range(6)]
    for one in blocks[:5]:
        free(one)
    words = {number: word for number, word in enumerate(table) if word}
    owner = max(words)
    assert owner % 64 == 60 and list(words.values())[:-1] == blocks[:4]
    assert list(words)[:-1] == [owner - 60 + 6 * 4 + number for number in range(4)]  # the seventh row: 64, 128, ...

    assert allocate(16, 4096) == blocks[0]
    table[owner] += 1
    before = bytes(table)
    free(blocks[5])
    assert allocate(16, 4096) not in blocks[1:4] and bytes(table) == before


def test_large_blocks_fill_the_holes_that_others_left(allocate, free):
    blocks = [allocate(16, 3_000_000) for _ in range(5)]
    holes = {blocks[1], blocks[3]}
    for block in holes:
        free(block)
    again = [allocate(16, 3_000_000) for _ in holes]
    for block in {*blocks} - holes | {*again}:
        free(block)
    assert set(again) == holes


def test_where_there_is_no_memory_there_is_no_block(allocate):
    assert allocate(16, 1 << 62) is None


def test_nothing_is_freed_where_nothing_is(free):
    free(None)


@pytest.mark.parametrize("value", [0, 7])
@pytest.mark.parametrize("size", [0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 3_333_333])
def test_memory_is_set_from_the_first_byte_to_the_last(memset, value, size):
    memory = np.full(size + 200, 9, np.uint8)
    start = memory.ctypes.data + 100
    assert memset(start, value, size) == start
    assert (memory[:100] == 9).all() and (memory[100:-100] == value).all() and (memory[-100:] == 9).all()


def test_freed_memory_of_more_than_two_gigabytes_stays_in_the_process():
    """A step of 512 images frees 2.4 GB at once, and took twice its time when these were
    returned to the kernel."""
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True,
                             check=True)
    held, kept = map(int, process.stdout.split())
    assert held > 3 << 30
    assert kept == held


def test_a_program_calls_them():
    process = subprocess.run([sys.executable, "-c", CONVOLUTION], capture_output=True, text=True, check=True)
    assert int(process.stdout) > 0


def test_a_library_that_is_not_known_is_left_alone(found):
    assert not memory_functions.serve_programs.__wrapped__()  # its code is another one now
