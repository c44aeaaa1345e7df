"""Random numbers: the same for the same seed, else independent, and of the distribution asked for.

Every bound is at five standard deviations or a probability of 1e-6: the seeds are fixed, and what
passes once passes always on one device.
"""

import hashlib
import os
import subprocess
import sys

import keras
import keras.backend as K
import numpy as np
import pytest
import scipy.stats
from keras.layers import (Activation, AlphaDropout, Dropout, GaussianDropout, GaussianNoise,
                          SpatialDropout2D)

TRAINED = """
import hashlib, sys
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import keras, numpy as np
from keras.layers import *
for seed in map(int, sys.argv[1:]):
    np.random.seed(seed)
    model = keras.Sequential([
        Dense(16, input_shape=(8,), kernel_initializer="he_normal"), GaussianNoise(0.1),
        Dense(8, kernel_initializer="orthogonal"), GaussianDropout(0.2), Reshape((4, 2)),
        SpatialDropout1D(0.3), Flatten(), Dense(8, kernel_initializer="truncated_normal"),
        Dropout(0.5), AlphaDropout(0.1), BatchNormalization(),
        Dense(3, kernel_initializer="random_uniform", bias_initializer="random_normal")])
    model.compile("adadelta", "mse")
    model.fit(np.random.rand(24, 8), np.random.rand(24, 3), 8, epochs=3, verbose=0)
    print(hashlib.sha256(b"".join(map(bytes, model.get_weights()))).hexdigest())
"""


def weights_of_runs(*seeds):
    """The digest of the weights after a training from each seed, one after the other in a process
    of their own."""
    result = subprocess.run([sys.executable, "-c", TRAINED, *map(str, seeds)], capture_output=True,
                            text=True, env={**os.environ, "PYTHONHASHSEED": "random"})
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.slow
def test_one_seed_trains_to_the_same_bits_in_one_process_and_in_another():
    first, other, again = weights_of_runs(0, 1, 0)
    assert first == again != other
    assert weights_of_runs(0) == [first]


DRAWS = {
    "dropout": lambda seed: K.dropout(K.ones((16, 16)), 0.5, seed=seed),
    "dropout, by position": lambda seed: K.dropout(K.ones((16, 16)), 0.5, None, seed),
    "random_normal, by position": lambda seed: K.random_normal((16, 16), 0.0, 1.0, None, seed),
    "random_uniform": lambda seed: K.random_uniform((16, 16), seed=seed),
    "random_normal": lambda seed: K.random_normal((16, 16), seed=seed),
    "truncated_normal": lambda seed: K.truncated_normal((16, 16), seed=seed),
    "random_uniform_variable": lambda seed: K.random_uniform_variable((16, 16), 0, 1, seed=seed),
    "random_normal_variable": lambda seed: K.random_normal_variable((16, 16), 0, 1, seed=seed),
    "glorot_uniform": lambda seed: keras.initializers.glorot_uniform(seed)((16, 16)),
    "he_normal": lambda seed: keras.initializers.he_normal(seed)((16, 16)),
}


@pytest.mark.parametrize("seed", [0, 1, 2 ** 32 - 1])
@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_decides_the_draw(name, seed):
    first, again, other, none = [K.eval(DRAWS[name](s)) for s in (seed, seed, 7, None)]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (first != none).any()


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_leaves_numpys_own_numbers_alone(name):
    np.random.seed(3)
    expected = np.random.rand(4)
    np.random.seed(3)
    K.eval(DRAWS[name](5))
    np.testing.assert_array_equal(np.random.rand(4), expected)


def in_training(*layers, shape, rows, steps):
    """What layers make of ones in training: (steps, rows, *shape)."""
    model = keras.Sequential([Activation("linear", input_shape=shape), *layers])
    run = K.function([model.input, K.learning_phase()], [model.output])
    return np.stack([run([np.ones((rows, *shape)), 1])[0] for _ in range(steps)])


@pytest.fixture(scope="module", params=[0.1, 0.25, 0.5, 0.8])
def masks(request):
    """The rate, and the masks of 8 steps of 16 images of 16 x 16 x 8: True where kept."""
    np.random.seed(11)
    return request.param, in_training(Dropout(request.param), shape=(16, 16, 8), rows=16,
                                      steps=8) > 0


def correlation(a, b):
    """In standard deviations of the correlation of independent draws."""
    a, b = a.ravel().astype("float64"), b.ravel().astype("float64")
    return np.corrcoef(a, b)[0, 1] * np.sqrt(a.size)


def test_dropout_drops_its_rate(masks):
    rate, kept = masks
    deviation = np.sqrt(rate * (1 - rate))
    for axis in range(kept.ndim):  # of each step, each image, each row, each channel
        dropped = 1 - kept.mean(axis=tuple(i for i in range(kept.ndim) if i != axis))
        bound = 5 * deviation / np.sqrt(kept.size / kept.shape[axis])
        assert np.abs(dropped - rate).max() < bound


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5, 7])
def test_dropout_drops_neighbours_independently(masks, lag):
    _, kept = masks
    for axis in range(kept.ndim):  # between steps and images too
        moved = np.moveaxis(kept, axis, 0)
        assert abs(correlation(moved[lag:], moved[:-lag])) < 5
    flat = kept.ravel()  # in the order in which a generator draws
    assert abs(correlation(flat[lag:], flat[:-lag])) < 5


def test_dropout_drops_of_a_group_as_many_as_independent_draws_do(masks):
    """The count in each group of eight neighbours is binomial."""
    rate, kept = masks
    counts = np.bincount(kept.reshape(-1, 8).sum(axis=1), minlength=9)
    expected = scipy.stats.binom.pmf(range(9), 8, 1 - rate) * counts.sum()
    enough = expected >= 5
    found = np.append(counts[enough], counts[~enough].sum())
    wanted = np.append(expected[enough], expected[~enough].sum())
    some = wanted > 0
    assert scipy.stats.chisquare(found[some], wanted[some]).pvalue > 1e-6


def test_dropout_scales_what_it_keeps(masks):
    rate, _ = masks
    np.random.seed(12)
    values = in_training(Dropout(rate), shape=(16,), rows=16, steps=1)
    np.testing.assert_allclose(values[values > 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_takes_no_noise_shape_of_another_rank():
    with pytest.raises(ValueError, match=r"noise shape \(4, 1\)"):
        K.dropout(K.ones((4, 3, 2)), 0.5, (4, 1))


@pytest.mark.parametrize("shape", [(None, None, 3), (None, 5, None), (16, None), ()])
def test_dropout_drops_of_tensors_of_unknown_sizes_and_of_numbers(shape):
    x = K.placeholder(shape)
    dropped = K.dropout(x, np.float32(0.5), seed=18)
    run = K.function([x], [dropped, *K.gradients(K.sum(dropped), [x])])
    found = run([np.full([size or 16 for size in shape], 3.0)])
    assert set(np.unique(found[0])) <= {0, 6}
    assert not shape or abs((found[0] == 0).mean() - 0.5) < 5 * 0.5 / found[0].size ** 0.5
    np.testing.assert_array_equal(found[0], 3 * found[1])


def test_two_layers_drop_independently():
    np.random.seed(13)
    image = keras.layers.Input((16, 16, 8))
    model = keras.Model(image, [Dropout(0.5)(image), Dropout(0.5)(image)])
    run = K.function([image, K.learning_phase()], model.outputs)
    first, second = run([np.ones((64, 16, 16, 8)), 1])
    assert abs(correlation(first > 0, second > 0)) < 5


@pytest.mark.parametrize("seeds", [(0, 1), (1, 2), (5, 261), (2, 3)])
def test_two_seeds_drop_independently(seeds):
    first, second = [K.eval(K.dropout(K.ones((64, 2048)), 0.5, seed=seed)) > 0 for seed in seeds]
    assert abs(correlation(first, second)) < 5
    assert abs(correlation(first[:, 1:], second[:, :-1])) < 5


def test_the_same_mask_never_comes_twice():
    np.random.seed(14)
    masks = in_training(Dropout(0.5), shape=(64,), rows=4, steps=60) > 0
    assert len({hashlib.sha256(mask.tobytes()).digest() for mask in masks}) == 60


def test_spatial_dropout_drops_whole_channels_at_its_rate():
    np.random.seed(15)
    kept = in_training(SpatialDropout2D(0.3), shape=(5, 5, 64), rows=64, steps=1)[0] > 0
    assert (kept == kept[:, :1, :1]).all()
    assert abs(kept[:, 0, 0].mean() - 0.7) < 5 * np.sqrt(0.21 / 64 ** 2)
    assert abs(correlation(kept[1:, 0, 0], kept[:-1, 0, 0])) < 5


@pytest.mark.parametrize("layer, deviation", [
    (GaussianNoise(0.4), 0.4), (GaussianDropout(0.2), 0.5)])
def test_gaussian_layers_add_normal_noise(layer, deviation):
    np.random.seed(16)
    noise = (in_training(layer, shape=(64, 64), rows=8, steps=2) - 1) / deviation
    assert scipy.stats.kstest(noise.ravel(), "norm").pvalue > 1e-6
    assert abs(correlation(noise[0], noise[1])) < 5


def test_layers_are_still_in_prediction():
    model = keras.Sequential([Dropout(0.5, input_shape=(8,)), GaussianNoise(1.0),
                              GaussianDropout(0.5), AlphaDropout(0.5)])
    np.testing.assert_array_equal(model.predict(np.ones((8, 8))), np.ones((8, 8)))


def test_random_uniform_is_uniform():
    found = K.eval(K.random_uniform((512, 1024), -1.0, 3.0, seed=17)).ravel()
    assert found.min() >= -1 and found.max() <= 3
    counts, _ = np.histogram(found, 256, (-1, 3))
    assert scipy.stats.chisquare(counts).pvalue > 1e-6
    pairs, _, _ = np.histogram2d(found[0::2], found[1::2], 16, [(-1, 3)] * 2)
    assert scipy.stats.chisquare(pairs.ravel()).pvalue > 1e-6


def test_random_normal_is_normal():
    found = K.eval(K.random_normal((512, 512), 2.0, 3.0, seed=18)).ravel()
    assert scipy.stats.kstest((found - 2) / 3, "norm").pvalue > 1e-6
    assert abs(correlation(found[1:], found[:-1])) < 5


def test_truncated_normal_ends_at_two_deviations():
    found = K.eval(K.truncated_normal((512, 512), 1.0, 0.5, seed=19)).ravel()
    assert np.abs(found - 1).max() <= 1 + 1e-6
    assert scipy.stats.kstest((found - 1) / 0.5, scipy.stats.truncnorm(-2, 2).cdf).pvalue > 1e-6
