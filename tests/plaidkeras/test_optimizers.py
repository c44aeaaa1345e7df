"""Whole training steps on PlaidML against the same steps written out in NumPy at float64.

PlaidML writes an update into its variable as soon as it is known, even where the old value is yet
to be read: what follows would show it.
"""

import keras
import numpy as np
import pytest

STEPS, ROWS = 5, 16


class Adadelta:
    """Zeiler (2012), algorithm 1, with Keras's defaults."""

    def __init__(self, rate=1.0, decay=0.95, epsilon=1e-7):
        self.rate, self.decay, self.epsilon = rate, decay, epsilon
        self.squares, self.updates = {}, {}

    def step(self, name, weight, gradient):
        squares = self.squares.get(name, 0) * self.decay + (1 - self.decay) * gradient ** 2
        update = gradient * np.sqrt(self.updates.get(name, 0) + self.epsilon) / np.sqrt(
            squares + self.epsilon)
        self.squares[name] = squares
        self.updates[name] = (self.updates.get(name, 0) * self.decay
                              + (1 - self.decay) * update ** 2)
        return weight - self.rate * update


def two_layers(weights, x, targets):
    """Loss and gradients of dense(relu) -> dense(softmax) with the mean cross-entropy."""
    w1, b1, w2, b2 = weights
    hidden = np.maximum(x @ w1 + b1, 0)
    logits = hidden @ w2 + b2
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    loss = -np.log((probabilities * targets).sum(axis=1)).mean()
    d_logits = (probabilities - targets) / len(x)
    d_hidden = d_logits @ w2.T * (hidden > 0)
    return loss, [x.T @ d_hidden, d_hidden.sum(axis=0), hidden.T @ d_logits, d_logits.sum(axis=0)]


@pytest.mark.parametrize("batch_size", [8, 16])
def test_five_steps_of_adadelta_are_those_of_the_reference(batch_size):
    random = np.random.RandomState(1)
    x, targets = random.standard_normal((ROWS, 12)), np.eye(4)[random.randint(0, 4, ROWS)]
    np.random.seed(2)
    model = keras.Sequential([keras.layers.Dense(10, activation="relu", input_shape=(12,)),
                              keras.layers.Dense(4, activation="softmax")])
    model.compile("adadelta", "categorical_crossentropy")
    weights = [weight.astype("float64") for weight in model.get_weights()]
    reference = Adadelta()
    for step in range(STEPS):
        rows = np.arange(step * batch_size, (step + 1) * batch_size) % ROWS
        found = model.train_on_batch(x[rows], targets[rows])
        loss, gradients = two_layers(weights, x[rows], targets[rows])
        assert found == pytest.approx(loss, rel=1e-5)
        weights = [reference.step(i, weight, gradient)
                   for i, (weight, gradient) in enumerate(zip(weights, gradients))]
    for found, weight in zip(model.get_weights(), weights):
        np.testing.assert_allclose(found, weight, rtol=1e-4, atol=1e-6)
