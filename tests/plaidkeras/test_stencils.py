"""A kernel's rows are an image's, wherever they can be cut into tiles, and products stay what they are."""

import sys

import keras.backend as K
import numpy as np
import pytest

from plaidkeras import stencils

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the library is known on Linux only")


@pytest.fixture
def results(monkeypatch):
    """The axes of each product that is compiled, and those of them that its kernel's rows and columns may be."""
    seen, prefer = [], stencils._prefer

    def watched(stencil, index_range):
        result = stencils._Set.from_address(stencil + stencils.OF_RESULT)
        axes = [index_range(index) for index in result]
        prefer(stencil, index_range)
        seen.append((axes, [index_range(index) for index in result]))

    monkeypatch.setattr(stencils, "_prefer", watched)
    monkeypatch.setenv("PLAIDKERAS_CACHE", "")  # what is kept is not compiled
    return seen


def convolved(x, weights):
    """A convolution of one channel more than the axes of x, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(
        x.astype("float64"), weights.shape[:-2], axis=tuple(range(1, x.ndim - 1)))
    rank = x.ndim - 2
    return np.tensordot(windows, weights, axes=([1 + rank, *range(2 + rank, 2 + 2 * rank)],
                                                [rank, *range(rank)]))


# 67 is a prime, and 202 two of a prime: neither has tiles of 16 to 64.
@pytest.mark.parametrize("shape, rows", [
    ((8, 5, 18, 4), 16), ((8, 20, 19, 4), 17), ((16, 6, 25, 4), 23), ((8, 4, 39, 4), 37), ((8, 3, 66, 4), 64),
    ((8, 3, 130, 4), 128), ((8, 20, 12, 4), None), ((8, 3, 69, 4), None), ((8, 3, 204, 4), None),
    ((8, 26, 4), 24), ((8, 5, 4, 22, 4), 20)])
def test_rows_lie_in_the_image_where_it_has_tiles(results, shape, rows):
    random = np.random.RandomState(0)
    x, weights = random.rand(*shape), random.rand(*[3] * (len(shape) - 2), 4, 16)
    convolution = {3: K.conv1d, 4: K.conv2d, 5: K.conv3d}[len(shape)]
    computed = K.eval(convolution(K.variable(x), K.variable(weights), padding="valid", data_format="channels_last"))
    assert np.allclose(computed, convolved(x, weights), rtol=1e-5)
    axes = list(computed.shape)
    # Before its second search, with operands in the other order, nothing is left to prefer.
    assert [left for whole, left in results if whole == axes][0] == (axes if rows is None else [rows, 16])


def test_products_of_matrices_that_have_one_index_for_rows_keep_it(results):
    x, weights = np.random.rand(40, 24), np.random.rand(24, 16)
    assert np.allclose(K.eval(K.dot(K.variable(x), K.variable(weights))), x @ weights, rtol=1e-5)
    assert ([40, 16], [40, 16]) in results


def test_more_axes_than_llvm_keeps_in_their_order_are_left_as_they_are(results):
    x, weights = np.random.rand(*[1] * 6, 2, 16, 4), np.random.rand(4, 16)
    assert np.allclose(K.eval(K.dot(K.variable(x), K.variable(weights))), x @ weights, rtol=1e-5)
    assert any(len(whole) == 9 == len(left) for whole, left in results)


def test_rows_are_preferred_in_the_library_that_is_known_only(monkeypatch):
    assert stencils.prefer_rows_that_lie_together()
    for name in "SEARCH", "RANGE":
        at, code = getattr(stencils, name)
        for other in (at, code[::-1]), (at + 1, code), (2 ** 62, code):
            with monkeypatch.context() as patched:
                patched.setattr(stencils, name, other)
                assert not stencils.prefer_rows_that_lie_together.__wrapped__()
