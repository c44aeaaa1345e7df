"""AdamW on PlaidML, in a small model, against its formulas in NumPy."""

import plaidkeras

plaidkeras.install("llvm_cpu.0")

import keras.backend as K  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from keras.layers import BatchNormalization, Dense  # noqa: E402
from keras.models import Sequential  # noqa: E402

from digits import optimizers  # noqa: E402
from digits.recipe import Optimizer  # noqa: E402

RATES = [0.01, 0.02, 0.005, 0.1, 0.001]  # as a schedule sets them
X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(8, 2)).astype(np.float32)


def reference(kernel, bias, weight_decay):
    """Loshchilov and Hutter (2019), algorithm 2, with Adam's defaults; the loss is the mean square."""
    weights, means, squares = [kernel, bias], [0, 0], [0, 0]
    for step, rate in enumerate(RATES, start=1):
        error = 2 * (X @ weights[0] + weights[1] - Y) / Y.size
        for index, gradient in enumerate([X.T @ error, error.sum(axis=0)]):
            means[index] = 0.9 * means[index] + 0.1 * gradient
            squares[index] = 0.999 * squares[index] + 0.001 * gradient ** 2
            mean, square = means[index] / (1 - 0.9 ** step), squares[index] / (1 - 0.999 ** step)
            decay = rate * weight_decay * weights[index] if index == 0 else 0  # biases do not decay
            weights[index] = weights[index] - rate * mean / (np.sqrt(square) + 1e-7) - decay
    return weights


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_its_steps_are_those_of_the_paper_also_where_the_learning_rate_changes(weight_decay):
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile(optimizers.build(Optimizer(name="adamw", learning_rate=0.1, weight_decay=weight_decay)), "mse")
    kernel = np.random.default_rng(2).normal(size=(3, 2)).astype(np.float32)
    bias = np.array([0.5, -0.5], np.float32)
    model.set_weights([kernel, bias])
    for rate in RATES:
        K.set_value(model.optimizer.lr, rate)
        model.train_on_batch(X, Y)
    for ours, expected in zip(model.get_weights(), reference(kernel, bias, weight_decay)):
        np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=2e-6)


def test_kernels_decay_and_what_scales_a_normalization_does_not():
    model = Sequential([Dense(4, input_shape=(3,), name="dense"), BatchNormalization(name="norm")])
    # Of a loss that is zero everywhere the gradients are zero: what changes is the decay alone.
    model.compile(optimizers.build(Optimizer(name="adamw", learning_rate=0.1, weight_decay=0.5)),
                  lambda true, predicted: true * predicted)
    model.set_weights([array + 1 for array in model.get_weights()])
    kernel, bias, gamma, beta, *_ = model.get_weights()
    model.train_on_batch(X, np.zeros((8, 4)))
    after = model.get_weights()
    np.testing.assert_allclose(after[0], kernel * 0.95, rtol=1e-5)
    for before, now in zip((bias, gamma, beta), after[1:4]):
        np.testing.assert_array_equal(now, before)


def test_adadelta_is_kerass_with_the_recipes_learning_rate():
    built = optimizers.build(Optimizer(name="adadelta", learning_rate=0.5))
    assert type(built).__name__ == "Adadelta" and K.get_value(built.lr) == 0.5
    assert (built.rho, built.initial_decay) == (0.95, 0.0)
