"""The gradient of the notebook's whole network against a reference in NumPy at float64."""

import keras.backend as K
import notebook_network
import numpy as np
import pytest

pytestmark = pytest.mark.slow  # the reference is evaluated a hundred times

BATCH, STEP, EPSILON = 8, 1e-6, 1e-3


def conv(x, weights, bias):
    windows = np.lib.stride_tricks.sliding_window_view(x, weights.shape[:2], axis=(1, 2))
    return np.tensordot(windows, weights.transpose(2, 0, 1, 3), axes=3) + bias


def normalize(x, gamma, beta):
    axes = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPSILON) + beta


def pool(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def reference_loss(weights, images, classes):
    """The mean cross-entropy of the network in training, written out in NumPy."""
    w = iter(weights)
    x = images
    for layer in "conv conv norm conv conv norm conv norm pool flatten norm dense norm".split():
        if layer == "conv":
            x = np.maximum(conv(x, next(w), next(w)), 0)
        elif layer == "norm":
            x = normalize(x, next(w), next(w))
        elif layer == "pool":
            x = pool(x)
        elif layer == "flatten":
            x = x.reshape(len(x), -1)
        elif layer == "dense":
            x = np.maximum(x @ next(w) + next(w), 0)
    logits = x @ next(w) + next(w)
    logits -= logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(logits).sum(axis=1))
    return np.mean(log_sums - logits[np.arange(len(x)), classes])


@pytest.fixture(scope="module")
def trained():
    """Weights with their names, a batch, and the loss with its gradient for every weight."""
    np.random.seed(2)
    model = notebook_network.build()
    model.compile("sgd", "categorical_crossentropy")
    images = np.random.rand(BATCH, 28, 28, 1).astype("float32")
    classes = np.random.randint(0, 10, BATCH)
    model._make_train_function()
    gradients = K.function(
        [*model.inputs, *model.targets, *model.sample_weights, K.learning_phase()],
        [model.total_loss, *K.gradients(model.total_loss, model.trainable_weights)])
    loss, *found = gradients([images, np.eye(10)[classes], np.ones(BATCH), 1])
    weights = [K.get_value(weight).astype("float64") for weight in model.trainable_weights]
    names = [weight.name for weight in model.trainable_weights]
    return names, weights, images.astype("float64"), classes, loss, found


def test_loss_is_that_of_the_reference(trained):
    _, weights, images, classes, loss, _ = trained
    assert loss == pytest.approx(reference_loss(weights, images, classes), rel=1e-5)


def slope(trained, which, direction):
    """How fast the reference's loss rises as one weight moves along a direction."""
    _, weights, images, classes, _, _ = trained
    up, down = (reference_loss([*weights[:which], weights[which] + sign * STEP * direction,
                                *weights[which + 1:]], images, classes) for sign in (1, -1))
    return (up - down) / (2 * STEP)


@pytest.mark.parametrize("which", range(24))
def test_gradient_of_each_weight_is_that_of_the_reference(trained, which):
    names, *_, found = trained
    assert len(found) == 24
    gradient = found[which].astype("float64")
    length = np.linalg.norm(gradient)
    # Along the gradient itself, which finds what is too much in it ...
    assert slope(trained, which, gradient / length) == pytest.approx(
        length, rel=5e-4, abs=1e-6), names[which]
    # ... and along a random direction, which finds what is missing. Most agree to a part in 10,000;
    # a relu that decides otherwise, at float32 or a step further, takes up to 0.5 % of the length.
    # How exact a gradient is, test_models.py asks of several draws.
    direction = np.random.RandomState(which).standard_normal(gradient.shape)
    assert slope(trained, which, direction) == pytest.approx(
        np.sum(gradient * direction), abs=6e-3 * length + 1e-6), names[which]
