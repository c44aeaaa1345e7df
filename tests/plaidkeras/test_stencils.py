"""A kernel's rows are an image's, wherever they can be cut into tiles, and products stay what they are."""

import ctypes
import sys

import keras.backend as K
import numpy as np
import pytest
from library_memory import other_libraries, read

from plaidkeras import stencils
from plaidkeras.library import change

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the library is known on Linux only")

TRANSFORM = 0x4e4bc0, bytes.fromhex("554889e541574156415541545348" "89fb")  # AutoStencil::Transform
CORES = 0x1dc939a  # std::thread::hardware_concurrency
BEST_AXES, BEST_TILES = 0x438, 0x450  # in an AutoStencil: of m, n, k


@pytest.fixture(scope="module")
def all_kernels():
    seen = []

    def write(memory):
        size = memory.function(stencils.RANGE[0], ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64))

        def look(arguments):
            stencil = arguments[0]
            axes = stencils._Set.from_address(stencil + stencils.OF_TENSOR[2])
            best = (ctypes.c_uint64 * 3).from_address(stencil + BEST_AXES)
            if all(best):
                seen.append(([size(ctypes.c_uint64(axis)) for axis in axes],
                             [size(ctypes.c_uint64(axis)) for axis in best],
                             [*(ctypes.c_uint32 * 3).from_address(stencil + BEST_TILES)]))

        memory.look_before(*TRANSFORM, look)

    assert change(lambda memory: memory.has(*TRANSFORM), write)
    return seen


@pytest.fixture
def kernels(all_kernels):
    """Of each kernel that a test compiles: the axes of its result, those of m, n and k, and their tiles."""
    all_kernels.clear()
    return all_kernels


@pytest.fixture(params=[2, 64], ids="{} cores".format)
def cores(request, monkeypatch):
    """What PlaidML takes the machine to have; batches depend on it, since a program is compiled once."""
    monkeypatch.setenv("PLAIDKERAS_CACHE", "")  # what is kept is not compiled
    told = b"\xb8" + request.param.to_bytes(4, "little") + b"\xc3"  # mov eax, cores; ret
    before = read(CORES, len(told))
    assert change(lambda memory: memory.has(CORES, before), lambda memory: memory.write(CORES, told))
    yield request.param
    assert change(lambda memory: memory.has(CORES, told), lambda memory: memory.write(CORES, before))


def convolved(x, weights):
    """A convolution of one channel more than the axes of x, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(
        x.astype("float64"), weights.shape[:-2], axis=tuple(range(1, x.ndim - 1)))
    return np.tensordot(windows, np.moveaxis(weights, -2, 0), axes=weights.ndim - 1)


def convolve(shape, weights_shape, more=0):
    """Computes a convolution, and more; checks it, and returns its shape."""
    random = np.random.RandomState(0)
    x, weights = random.rand(*shape), random.rand(*weights_shape)
    convolution = {3: K.conv1d, 4: K.conv2d, 5: K.conv3d}[len(shape)]
    computed = K.eval(
        convolution(K.variable(x), K.variable(weights), padding="valid", data_format="channels_last") + more)
    assert np.allclose(computed, convolved(x, weights) + more, rtol=1e-5)
    return list(computed.shape)


@pytest.mark.parametrize("image, row", [
    ((5, 18, 4), 16), ((20, 19, 4), 17), ((6, 25, 4), 23), ((4, 39, 4), 37), ((3, 66, 4), 64), ((3, 130, 4), 128),
    ((26, 4), 24), ((5, 4, 22, 4), 20), ((30, 30, 32), 28)])
def test_rows_lie_in_the_image_where_it_has_tiles(kernels, cores, image, row):
    result = convolve((8 * cores, *image), [*[3] * (len(image) - 1), image[-1], 16])
    [(axes, tried, tiles)] = kernels
    assert axes == result and tried == [16, row, image[-1]]
    assert tiles[1] in stencils.TILES and row % tiles[1] == 0 and (tiles[0], tiles[2]) == (16, image[-1])


# 67 is a prime, and 202 two of a prime: neither has tiles of 16 to 64.
@pytest.mark.parametrize("image", [(20, 12, 4), (3, 69, 4), (3, 204, 4)])
def test_an_image_without_tiles_has_the_kernel_that_plaidml_chooses(kernels, cores, image, monkeypatch):
    convolve((8 * cores, *image), [3, 3, 4, 16])
    monkeypatch.setattr(stencils, "_row", lambda stencil, size: None)
    convolve((8 * cores, *image), [3, 3, 4, 16], more=1)  # another program
    assert len(kernels) == 2 and kernels[0] == kernels[1]


def test_rows_lie_in_the_batch_where_a_window_over_the_image_is_multiplied(kernels, cores):
    convolve((32 * cores, 27, 1), [4, 1, 16])
    [(axes, tried, tiles)] = kernels
    assert tried == [16, 32 * cores, 4] and tiles[1] in stencils.TILES


def test_products_of_matrices_keep_their_rows(kernels, cores):
    x, weights = np.random.rand(20 * cores, 24), np.random.rand(24, 16)
    assert np.allclose(K.eval(K.dot(K.variable(x), K.variable(weights))), x @ weights, rtol=1e-5)
    assert [(axes, tried) for axes, tried, tiles in kernels] == [([20 * cores, 16], [16, 20 * cores, 24])]


def test_more_axes_than_llvm_keeps_in_their_order_are_computed_too(cores):
    x, weights = np.random.rand(*[1] * 6, 2, 16, 4), np.random.rand(4, 16)
    assert np.allclose(K.eval(K.dot(K.variable(x), K.variable(weights))), x @ weights, rtol=1e-5)


def test_rows_are_preferred_in_the_library_that_is_known_only(monkeypatch):
    assert stencils.prefer_rows_that_lie_together()
    for _ in other_libraries(monkeypatch, stencils, "SEARCH", "CONFLICTS", "RANGE"):
        assert not stencils.prefer_rows_that_lie_together.__wrapped__()
