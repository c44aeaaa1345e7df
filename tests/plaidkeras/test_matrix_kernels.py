"""LIBXSMM's kernels are called and looked up as before, only sooner."""

import ctypes
import itertools
import threading

import numpy as np
import pytest
from library_memory import other_libraries

from plaidkeras import matrix_kernels, processor
from plaidkeras.library import change

Address = ctypes.c_void_p
FACTORS = 0x1E3779B1, 0x05EBCA77, 0x42B2AE3D, 0x27D4EB2F, 0x165667B1, 0x3C6EF35F  # of the table's look-up


def function(at, *arguments, result=None):
    found = []
    assert change(lambda library: True, lambda library: found.append(library.function(at, result, *arguments)))
    return found[0]


def kernel(m, n, k, a, b, c):
    """The address of LIBXSMM's kernel for C (n, m) += B (n, k) times A (k, m), whose rows lie c, b and a apart."""
    look_up = function(matrix_kernels.LOOK_UP[0], *[ctypes.c_int] * 3, *[Address] * 7, result=Address)
    apart = [ctypes.c_int(number) for number in (a, b, c)]
    one = ctypes.c_float(1)
    return look_up(m, n, k, *map(ctypes.byref, apart), ctypes.byref(one), ctypes.byref(one), None, None)


def is_right(sizes, address=None):
    """Whether a kernel of these sizes, at an address or else the one looked up, computes what it should."""
    m, n, k, a, b, c = sizes
    random = np.random.RandomState(0)
    of_a, of_b, of_c = (random.rand(*shape).astype("float32") for shape in ((k, a), (n, b), (n, c)))
    expected = of_c.copy()
    expected[:, :m] += of_b[:, :k] @ of_a[:, :m]
    call = ctypes.CFUNCTYPE(None, Address, Address, Address)(address or kernel(*sizes))
    call(of_a.ctypes.data, of_b.ctypes.data, of_c.ctypes.data)
    return np.allclose(of_c, expected, rtol=1e-5)


def entry(sizes):
    return sum(factor * size for factor, size in zip(FACTORS, sizes)) % 2 ** 32 >> 22


@pytest.fixture
def table():
    assert matrix_kernels.look_up_in_a_table()


def test_each_size_has_its_kernel_at_its_first_look_up_and_later(table):
    sizes = [(m, n, k, m + 3, k + 5, m + 1) for m, n, k in itertools.product((16, 20), (6, 8), (4, 36))]
    first = [kernel(*one) for one in sizes]
    assert None not in first and len(set(first)) == len(sizes)
    assert [kernel(*one) for one in sizes] == first
    assert all(map(is_right, sizes))


def test_of_sizes_with_one_entry_each_has_its_own_kernel(table):
    by_entry = {}
    for sizes in itertools.product((24, 32), (2, 4), range(2, 60, 2), (32, 40), (64, 72), (32, 40)):
        by_entry.setdefault(entry(sizes), []).append(sizes)
    together = [sizes for sizes in by_entry.values() if len(sizes) > 1]
    assert len(together) > 10
    for sizes in together[:10]:
        assert all(map(is_right, sizes)) and all(map(is_right, reversed(sizes)))


def test_threads_that_look_up_at_once_get_kernels_of_these_sizes(table):
    sizes = [(16, n, k, 16, 64, 16) for n, k in itertools.product(range(2, 18, 2), range(2, 34, 4))]
    found, start = [None] * 8, threading.Barrier(8)

    def look_up(place):
        start.wait()
        found[place] = [kernel(*one) for one in sizes]
    threads = [threading.Thread(target=look_up, args=[place]) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for kernels in found:  # not all the same: LIBXSMM's threads may each make one
        assert all(map(is_right, sizes, kernels))


@pytest.mark.skipif("avx" not in processor.instruction_sets(), reason="a processor without AVX")
def test_a_kernel_is_called_with_its_operands():
    assert matrix_kernels.clear_registers()
    called = []
    look = ctypes.CFUNCTYPE(None, *[Address] * 3)(lambda *operands: called.append(operands))
    call = function(matrix_kernels.CALL[0], *[Address] * 4)
    call(ctypes.cast(look, Address), 2 ** 40 + 1, 2 ** 40 + 2, 2 ** 40 + 3)
    assert called == [(2 ** 40 + 1, 2 ** 40 + 2, 2 ** 40 + 3)]


@pytest.mark.parametrize("name, patch", [("CALL", matrix_kernels.clear_registers),
                                         ("LOOK_UP", matrix_kernels.look_up_in_a_table)])
def test_another_plaidml_is_left_alone(name, patch, monkeypatch):
    for _ in other_libraries(monkeypatch, matrix_kernels, name):
        assert not patch.__wrapped__()


def test_a_processor_without_such_registers_is_left_alone(monkeypatch):
    monkeypatch.setattr(processor, "instruction_sets", lambda: set())
    assert not matrix_kernels.clear_registers.__wrapped__()
