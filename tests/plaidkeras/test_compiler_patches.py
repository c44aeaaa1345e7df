"""The table of passes that PlaidML's CPU compiler works by, and what comes of ours in it."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import keras.backend as K
import numpy as np
import plaidml
import pytest

import plaidkeras
from plaidkeras import compiler_patches
from plaidkeras.graph import kernel
from plaidkeras.kernels import sum_to

random = np.random.RandomState(3)


def plaidmls_own():
    """The table as it is in the library's file."""
    library = Path(plaidml._lib()._lib._name).read_bytes()
    begin = library.index(compiler_patches.BEFORE_TABLE) + len(compiler_patches.BEFORE_TABLE)
    return library[begin:begin + compiler_patches.LENGTH]


def test_the_table_of_this_process_is_patched():
    assert compiler_patches.apply()


def test_where_it_cannot_be_patched_a_warning_says_so(monkeypatch):
    monkeypatch.setattr(compiler_patches, "apply", lambda: False)
    with pytest.warns(RuntimeWarning, match="a prime above 32"):
        plaidkeras.install("llvm_cpu.0")


def test_the_patched_table_is_as_long_and_has_all_other_passes_as_they_were():
    own = plaidmls_own()
    assert hashlib.sha256(own).hexdigest() == compiler_patches.SHA256
    new = compiler_patches.patched(own)
    assert len(new) == len(own)
    kept = [settings for name, settings in compiler_patches._passes(own)
            if name not in compiler_patches.PATCHED]
    ours = [settings for each in compiler_patches.PATCHED.values() for settings in each]
    found = [settings for _, settings in compiler_patches._passes(new)]
    assert sorted(found) == sorted(kept + ours)
    assert [each for each in found if each in kept] == kept  # in their order


@pytest.mark.slow
def test_a_table_of_another_plaidml_is_left_alone(monkeypatch):
    monkeypatch.setattr(compiler_patches, "SHA256", hashlib.sha256(b"another").hexdigest())
    assert not compiler_patches.apply.__wrapped__()


def kernels_of(tmp_path, patch):
    """The tags of all kernels of a small program, as PlaidML compiled it in another process."""
    code = f"""
from plaidkeras import compiler_patches
if not {patch}:
    compiler_patches.apply = lambda: True
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import keras.backend as K, numpy as np
x = K.variable(np.ones((8, 12, 12, 32)))
y = K.conv2d_transpose(x, K.variable(np.ones((3, 3, 8, 32))), (8, 24, 24, 8), (2, 2), "same")
K.eval(K.exp(K.permute_dimensions(y, (0, 3, 1, 2))))
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                   env={**os.environ, "PLAIDML_STRIPE_OUTPUT": str(tmp_path)})
    last = max((tmp_path / "passes").iterdir(), key=lambda path: path.stat().st_mtime)
    return re.findall(r"^    \d+: (#.*#kernel.*)$", last.read_text(), re.MULTILINE)


@pytest.mark.slow
def test_kernels_of_any_kind_are_cut_into_tiles_for_threads(tmp_path):
    assert any("#eltwise" in tags for tags in kernels_of(tmp_path / "own", patch=False)
               if "#cpu_thread" not in tags)
    kernels = kernels_of(tmp_path / "ours", patch=True)
    for kind in ("#eltwise", "#contraction", "#mac", "#zero"):
        assert any(kind in tags for tags in kernels), kind
    assert all("#cpu_thread" in tags for tags in kernels)


def shapes(count, rank):
    """Sizes that divide into tiles well, badly, and not at all."""
    sizes = [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 37, 64, 65, 127, 130]
    limit = 70_000
    while count:
        shape = tuple(int(size) for size in random.choice(sizes, rank))
        if np.prod(shape) < limit:
            count -= 1
            yield shape


@pytest.mark.parametrize("shape", [
    *shapes(2, 1), *shapes(2, 2), *shapes(2, 3), *shapes(2, 4), (1, 4099),
    *(pytest.param(shape, marks=pytest.mark.slow) for shape in [
        *shapes(2, 1), *shapes(6, 2), *shapes(6, 3), *shapes(6, 4), (4099, 3), (3, 2053, 5)])],
    ids=str)
def test_a_tensor_of_any_shape_is_computed_whole(shape):
    array = random.standard_normal(shape)
    x = K.variable(array, dtype="float64")
    order = list(random.permutation(len(shape)))
    row = random.standard_normal(shape[-1])
    values = [K.exp(x) + K.variable(row, dtype="float64"), K.permute_dimensions(x, order),
              sum_to(x, [0]), sum_to(x, [len(shape) - 1], keepdims=True), K.max(x, axis=0)]
    expected = [np.exp(array) + row, array.transpose(order), array.sum(0),
                array.sum(-1, keepdims=True), array.max(0)]
    for found, right in zip(K.function([], values)([]), expected):
        np.testing.assert_allclose(found.reshape(right.shape), right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 6, 10, 3), (3, 4, 34, 33), (2, 18, 18, 130)], ids=str)
def test_a_pool_of_any_shape_is_computed_whole(shape):
    array = random.standard_normal(shape)
    found = K.eval(K.pool2d(K.variable(array, dtype="float64"), (2, 2), (2, 2)))
    n, height, width, channels = shape
    windows = array.reshape(n, height // 2, 2, width // 2, 2, channels)
    np.testing.assert_array_equal(found, windows.max((2, 4)))


@pytest.mark.parametrize("aggregation", "+*<>=")
def test_what_is_written_in_part_is_zero_elsewhere(aggregation):
    x = K.variable(random.uniform(1, 2, 50_001))
    code = f"function (I[N]) -> (O) {{ O[i : 60000] = {aggregation}(I[i]); }}"
    found = K.eval(kernel("Part", code, {"I": x}, (60_000,)))
    np.testing.assert_array_equal(found[:50_001], K.eval(x))
    assert not found[50_001:].any()


@pytest.mark.parametrize("channels", [
    33, *(pytest.param(channels, marks=pytest.mark.slow) for channels in (41, 48, 59))])
def test_nothing_is_written_where_a_tensor_is_padded_with_zeros(channels):
    x = K.variable(random.standard_normal((8, 45, 45, channels)))
    weights = K.variable(random.standard_normal((3, 3, channels, 8)))
    pooled = K.pool2d(x, (3, 3), (3, 3))
    in_two_programs = K.conv2d(K.variable(K.eval(pooled)), weights, padding="same")
    np.testing.assert_allclose(K.eval(K.conv2d(pooled, weights, padding="same")),
                               K.eval(in_two_programs), rtol=1e-4, atol=1e-4)
