"""Every optimizer of Keras against its formula, worked out in NumPy at float64.

PlaidML writes an update into its variable as soon as it is known, even where the old value is yet
to be read: what follows would show it.
"""

import keras
import keras.backend as K
import numpy as np
import pytest
from keras import optimizers
from torch_reference import torch

STEPS, ROWS = 5, 16


# Each takes the rate, which decays, the number of the step, from 1, the gradient, and what it kept
# of a weight, at first {}; it returns the change of the weight. Defaults are those of Keras.

def sgd(rate, t, g, kept, momentum=0.0, nesterov=False):
    kept["v"] = momentum * kept.get("v", 0) - rate * g
    return momentum * kept["v"] - rate * g if nesterov else kept["v"]


def rmsprop(rate, t, g, kept, rho=0.9, epsilon=1e-7):
    kept["a"] = rho * kept.get("a", 0) + (1 - rho) * g ** 2
    return -rate * g / (np.sqrt(kept["a"]) + epsilon)


def adagrad(rate, t, g, kept, epsilon=1e-7):
    kept["a"] = kept.get("a", 0) + g ** 2
    return -rate * g / (np.sqrt(kept["a"]) + epsilon)


def adadelta(rate, t, g, kept, rho=0.95, epsilon=1e-7):
    kept["a"] = rho * kept.get("a", 0) + (1 - rho) * g ** 2
    update = g * np.sqrt(kept.get("d", 0) + epsilon) / np.sqrt(kept["a"] + epsilon)
    kept["d"] = rho * kept.get("d", 0) + (1 - rho) * update ** 2
    return -rate * update


def adam(rate, t, g, kept, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    kept["m"] = beta_1 * kept.get("m", 0) + (1 - beta_1) * g
    kept["v"] = beta_2 * kept.get("v", 0) + (1 - beta_2) * g ** 2
    kept["largest"] = np.maximum(kept.get("largest", 0), kept["v"])
    square = kept["largest"] if amsgrad else kept["v"]
    rate *= np.sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t)
    return -rate * kept["m"] / (np.sqrt(square) + epsilon)


def adamax(rate, t, g, kept, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    kept["m"] = beta_1 * kept.get("m", 0) + (1 - beta_1) * g
    kept["u"] = np.maximum(beta_2 * kept.get("u", 0), np.abs(g))
    return -rate / (1 - beta_1 ** t) * kept["m"] / (kept["u"] + epsilon)


def nadam(rate, t, g, kept, beta_1=0.9, beta_2=0.999, epsilon=1e-7, schedule_decay=0.004):
    now, following = (beta_1 * (1 - 0.5 * 0.96 ** (step * schedule_decay)) for step in (t, t + 1))
    kept["schedule"] = kept.get("schedule", 1) * now
    kept["m"] = beta_1 * kept.get("m", 0) + (1 - beta_1) * g
    kept["v"] = beta_2 * kept.get("v", 0) + (1 - beta_2) * g ** 2
    ahead = ((1 - now) * g / (1 - kept["schedule"])
             + following * kept["m"] / (1 - kept["schedule"] * following))
    return -rate * ahead / (np.sqrt(kept["v"] / (1 - beta_2 ** t)) + epsilon)


FORMULAS = {"SGD": sgd, "RMSprop": rmsprop, "Adagrad": adagrad, "Adadelta": adadelta,
            "Adam": adam, "Adamax": adamax, "Nadam": nadam}


def clipped(gradients, clipnorm=None, clipvalue=None):
    """The gradients, their common norm at most `clipnorm`, their elements within `clipvalue`."""
    norm = np.sqrt(sum((g ** 2).sum() for g in gradients))
    if clipnorm is not None and norm >= clipnorm:
        gradients = [g * clipnorm / norm for g in gradients]
    if clipvalue is not None:
        gradients = [g.clip(-clipvalue, clipvalue) for g in gradients]
    return gradients


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


def agrees_with_its_formula(name, batch_size=8, **given):
    """Train two layers for five steps, beside the formula; losses and weights have to agree."""
    random = np.random.RandomState(1)
    x, targets = random.standard_normal((ROWS, 12)), np.eye(4)[random.randint(0, 4, ROWS)]
    np.random.seed(2)
    model = keras.Sequential([keras.layers.Dense(10, activation="relu", input_shape=(12,)),
                              keras.layers.Dense(4, activation="softmax")])
    optimizer = getattr(optimizers, name)(**given)
    rate = K.get_value(optimizer.lr).astype("float64")
    model.compile(optimizer, "categorical_crossentropy")
    weights = [weight.astype("float64") for weight in model.get_weights()]
    clips = {key: given.pop(key) for key in ("clipnorm", "clipvalue") if key in given}
    decay, _ = given.pop("decay", 0), given.pop("lr", 0)
    kept = [{} for _ in weights]
    for step in range(STEPS):
        rows = np.arange(step * batch_size, (step + 1) * batch_size) % ROWS
        found = model.train_on_batch(x[rows], targets[rows])
        loss, gradients = two_layers(weights, x[rows], targets[rows])
        assert found == pytest.approx(loss, rel=1e-5)
        weights = [weight + FORMULAS[name](rate / (1 + decay * step), step + 1, g, own, **given)
                   for weight, g, own in zip(weights, clipped(gradients, **clips), kept)]
    for found, weight in zip(model.get_weights(), weights):
        np.testing.assert_allclose(found, weight, rtol=1e-4, atol=2e-6)


# Rates so large that a step at a wrong one would be seen.
@pytest.mark.parametrize("name, given", [
    ("SGD", dict(lr=0.3, momentum=0.9, nesterov=True, decay=0.2)),
    ("RMSprop", dict(lr=0.02, decay=0.2)),
    ("Adagrad", dict(lr=0.1, decay=0.2)),
    ("Adadelta", dict(lr=2.0, decay=0.2)),
    ("Adam", dict(lr=0.03, decay=0.2, amsgrad=True, beta_2=0.7)),
    ("Adamax", dict(lr=0.03, decay=0.2)),
    ("Nadam", dict(lr=0.03, clipnorm=0.3, clipvalue=0.02)),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        ("SGD", dict(lr=0.3)),
        ("SGD", dict(lr=0.3, momentum=0.9)),
        ("SGD", dict(lr=0.3, momentum=0.9, clipnorm=0.2)),
        ("Adadelta", dict()),
        ("Adam", dict(lr=0.03)),
        ("Adam", dict(lr=0.03, clipvalue=0.01)),
        ("Nadam", dict(lr=0.03))]),
], ids=str)
def test_five_steps_are_those_of_the_formula(name, given):
    agrees_with_its_formula(name, **given)


def test_every_optimizer_of_keras_is_tested():
    classes = {value.__name__ for value in vars(optimizers).values() if isinstance(value, type)
               and issubclass(value, optimizers.Optimizer)}
    assert classes - {"Optimizer", "TFOptimizer"} == set(FORMULAS)


def test_another_batch_size_is_trained_on_as_well():
    agrees_with_its_formula("Adadelta", batch_size=16)


# PyTorch adds Adam's and Adamax's epsilon elsewhere: too small to be seen at 1e-7.
@pytest.mark.needs("torch")
@pytest.mark.parametrize("name, theirs, given, translated", [
    ("SGD", "SGD", dict(momentum=0.9, nesterov=True), dict(momentum=0.9, nesterov=True)),
    ("RMSprop", "RMSprop", dict(rho=0.9), dict(alpha=0.9, eps=1e-7)),
    ("Adagrad", "Adagrad", dict(), dict(eps=1e-7)),
    ("Adadelta", "Adadelta", dict(), dict(rho=0.95, eps=1e-7)),
    ("Adam", "Adam", dict(amsgrad=True, beta_2=0.7), dict(amsgrad=True, betas=(0.9, 0.7))),
    ("Adamax", "Adamax", dict(), dict()),
    ("Nadam", "NAdam", dict(), dict(eps=1e-7)),
])
def test_formulas_are_those_of_pytorch(name, theirs, given, translated):
    random = np.random.RandomState(0)
    weight, kept = random.standard_normal(6), {}
    parameter = torch().tensor(weight.copy(), requires_grad=True)
    optimizer = getattr(torch().optim, theirs)([parameter], lr=0.1, **translated)
    for step in range(STEPS):
        g = random.standard_normal(6)
        parameter.grad = torch().tensor(g)
        optimizer.step()
        weight = weight + FORMULAS[name](0.1, step + 1, g, kept, **given)
    np.testing.assert_allclose(parameter.detach().numpy(), weight, rtol=1e-5)
