"""Each loss of Keras, its value and gradient, against PyTorch at float64; metrics; weights."""

import inspect

import keras
import keras.backend as K
import numpy as np
import pytest
from keras import losses, metrics
from torch_reference import close, tensor, torch

pytestmark = pytest.mark.filterwarnings("error:plaidkeras has no gradient rule")

random = np.random.RandomState(5)
EPSILON = 1e-7


def probabilities(*shape):
    exponentials = np.exp(random.standard_normal(shape))
    return exponentials / exponentials.sum(-1, keepdims=True)


def one_hot(rows, classes=5):
    return np.eye(classes)[random.randint(0, classes, rows)]


def signs(*shape):
    return random.choice([-1.0, 1.0], shape)


def normal(*shape):
    return random.standard_normal(shape)


def positive(*shape):
    return random.uniform(0.5, 2.0, shape)


# The loss of targets t and predictions p, a number a row; and a pair (t, p).
CASES = {
    "mean_squared_error": (lambda t, p: (t - p).square().mean(-1), normal(7, 4), normal(7, 4)),
    "mean_absolute_error": (lambda t, p: (t - p).abs().mean(-1), normal(3, 4), normal(3, 4)),
    "mean_absolute_percentage_error": (lambda t, p: 100 * ((t - p) / t).abs().mean(-1),
                                       signs(3, 4) * positive(3, 4), normal(3, 4)),
    "mean_squared_logarithmic_error": (
        lambda t, p: (torch().log1p(t) - torch().log1p(p.clamp(min=EPSILON))).square().mean(-1),
        positive(3, 4), normal(3, 4)),
    "squared_hinge": (lambda t, p: (1 - t * p).relu().square().mean(-1), signs(3, 4), normal(3, 4)),
    "hinge": (lambda t, p: (1 - t * p).relu().mean(-1), signs(3, 4), normal(3, 4)),
    "categorical_hinge": (
        lambda t, p: (1 + ((1 - t) * p).amax(-1) - (t * p).sum(-1)).relu(),
        one_hot(7), normal(7, 5)),
    "logcosh": (lambda t, p: (p - t).cosh().log().mean(-1), normal(3, 4), 20 * normal(3, 4)),
    "categorical_crossentropy": (lambda t, p: -(t * (p / p.sum(-1, keepdim=True)).log()).sum(-1),
                                 one_hot(7), probabilities(7, 5)),
    "categorical_crossentropy, of rank 3": (
        lambda t, p: -(t * (p / p.sum(-1, keepdim=True)).log()).sum(-1),
        one_hot((3, 4)), probabilities(3, 4, 5)),
    "sparse_categorical_crossentropy": (
        lambda t, p: -(p / p.sum(-1, keepdim=True)).log().gather(-1, t.long())[:, 0],
        random.randint(0, 5, (7, 1)), probabilities(7, 5)),
    "binary_crossentropy": (
        lambda t, p: torch().nn.functional.binary_cross_entropy(p, t, reduction="none").mean(-1),
        random.randint(0, 2, (3, 4)), random.uniform(0.1, 0.9, (3, 4))),
    "kullback_leibler_divergence": (lambda t, p: (t * (t / p).log()).sum(-1),
                                    probabilities(3, 5), probabilities(3, 5)),
    "poisson": (lambda t, p: (p - t * (p + EPSILON).log()).mean(-1),
                positive(3, 4), positive(3, 4)),
    "cosine_proximity": (lambda t, p: -torch().nn.functional.cosine_similarity(t, p, dim=-1),
                         normal(3, 4), normal(3, 4)),
}


@pytest.mark.slow
@pytest.mark.needs("torch")
@pytest.mark.parametrize("name", CASES)
def test_loss_agrees_with_pytorch(name):
    reference, targets, predictions = CASES[name]
    p, t = K.variable(predictions), K.placeholder(targets.shape)
    loss = losses.get(name.split(",")[0])(t, p)
    factors = random.uniform(0.5, 1.5, predictions.shape[:-1])
    found, gradient = K.function(
        [t], [loss, *K.gradients(K.sum(loss * K.constant(factors)), [p])])([targets])
    expected_p = tensor(predictions)
    expected = reference(tensor(targets, False), expected_p)
    (expected * tensor(factors, False)).sum().backward()
    close(found, expected, "loss")
    close(gradient, expected_p.grad, "gradient")


def test_every_loss_of_keras_is_tested():
    functions = {function.__name__ for name, function in vars(losses).items()
                 if inspect.isfunction(function) and function.__module__ == losses.__name__}
    named = {name.split(",")[0] for name in CASES}
    assert functions - {"get", "serialize", "deserialize"} == named


@pytest.mark.needs("torch")
@pytest.mark.parametrize("shape", [(7, 5), (3, 2, 5)], ids=str)
@pytest.mark.parametrize("scale", [1, 300])
def test_crossentropy_of_a_softmax_agrees_with_pytorch_however_sure_it_is(shape, scale):
    logits, targets = scale * normal(*shape), one_hot(shape[:-1])
    x = K.variable(logits)
    loss = losses.categorical_crossentropy(K.constant(targets), K.softmax(x))
    found, gradient = K.function([], [loss, *K.gradients(K.sum(loss), [x])])([])
    expected_x = tensor(logits)
    expected = -(tensor(targets, False) * expected_x.log_softmax(-1)).sum(-1)
    expected.sum().backward()
    close(found, expected, "loss")
    close(gradient, expected_x.grad, "gradient")


def test_losses_are_finite_where_predictions_are_at_the_end_of_their_range():
    p = K.variable([[0.0, 1.0], [1.0, 0.0]])
    t = K.constant([[0.0, 1.0], [0.0, 1.0]])
    for name in ("binary_crossentropy", "categorical_crossentropy", "poisson", "cosine_proximity",
                 "kullback_leibler_divergence", "logcosh", "mean_squared_logarithmic_error"):
        loss = losses.get(name)(t, p)
        for values in K.function([], [loss, *K.gradients(K.sum(loss), [p])])([]):
            assert np.isfinite(values).all(), name
    zeros = K.variable([[0.0, 0.0]])
    loss = losses.cosine_proximity(K.constant([[1.0, 2.0]]), zeros)
    assert np.isfinite(K.function([], K.gradients(loss, [zeros]))([])[0]).all()
    far = K.variable([[1000.0, -1000.0]])
    assert K.eval(losses.logcosh(K.constant([[0.0, 0.0]]), far)) == pytest.approx(999.3069)


def test_metrics_are_those_of_numpy():
    predictions, numbers = probabilities(7, 5), random.randint(0, 5, 7)
    numbers[:2] = predictions[:2].argmax(-1)  # at least two are right
    right = predictions.argmax(-1) == numbers
    p, t = K.constant(predictions), K.constant(np.eye(5)[numbers])
    n = K.constant(numbers[:, None])
    assert K.eval(metrics.categorical_accuracy(t, p)).tolist() == right.tolist()
    assert K.eval(metrics.sparse_categorical_accuracy(n, p)).tolist() == right.tolist()
    binary = ((predictions > 0.5) == np.eye(5)[numbers]).mean(-1)
    np.testing.assert_allclose(K.eval(metrics.binary_accuracy(t, p)), binary, rtol=1e-6)
    among = (np.argsort(-predictions)[:, :3] == numbers[:, None]).any(-1).mean()
    assert K.eval(metrics.top_k_categorical_accuracy(t, p, 3)) == pytest.approx(among)
    assert K.eval(metrics.sparse_top_k_categorical_accuracy(n, p, 3)) == pytest.approx(among)


# Weights of classes, of samples, of steps; masks

X, Y = normal(7, 4), one_hot(7, 3)


def trained(model_loss, **given):
    """A dense softmax after one step, with its loss; and a torch loss of (losses a row)."""
    np.random.seed(0)
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax", input_shape=(4,))])
    model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy")
    w, b = (tensor(weight) for weight in model.get_weights())
    losses_of_rows = -(tensor(Y, False) * (tensor(X, False) @ w + b).log_softmax(-1)).sum(-1)
    expected = model_loss(losses_of_rows)
    expected.backward()
    found = model.train_on_batch(X, Y, **given)
    assert found == pytest.approx(expected.item(), rel=1e-5)
    for weight, parameter in zip(model.get_weights(), (w, b)):
        close(weight, parameter - 0.5 * parameter.grad, "weight after a step")


@pytest.mark.needs("torch")
def test_weights_of_samples():
    weights = positive(7)
    trained(lambda rows: (rows * tensor(weights, False)).mean(), sample_weight=weights)


@pytest.mark.needs("torch")
def test_samples_of_no_weight_do_not_count():
    weights = np.array([1, 0, 0, 2, 0, 1, 0.0])
    trained(lambda rows: (rows * tensor(weights, False)).sum() / 3, sample_weight=weights)


@pytest.mark.needs("torch")
def test_weights_of_classes():
    weights = {0: 0.5, 1: 3.0, 2: 1.0}
    of_rows = np.array([weights[i] for i in Y.argmax(-1)])
    trained(lambda rows: (rows * tensor(of_rows, False)).mean(), class_weight=weights)


@pytest.mark.needs("torch")
def test_masked_steps_and_weights_of_steps():
    x, y, weights = normal(3, 4, 2), one_hot((3, 4), 3), positive(3, 4)
    x[1, 2:] = x[2, 0] = 0
    np.random.seed(0)
    model = keras.Sequential([keras.layers.Masking(input_shape=(4, 2)),
                              keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy",
                  sample_weight_mode="temporal")
    w, b = (tensor(weight) for weight in model.get_weights())
    mask = (x != 0).any(-1).astype("float64")
    rows = -(tensor(y, False) * (tensor(x, False) @ w + b).log_softmax(-1)).sum(-1)
    expected = (rows * tensor(mask * weights, False)).sum() / mask.sum()
    expected.backward()
    found = model.train_on_batch(x, y, sample_weight=weights)
    assert found == pytest.approx(expected.item(), rel=1e-5)
    for weight, parameter in zip(model.get_weights(), (w, b)):
        close(weight, parameter - 0.5 * parameter.grad, "weight after a step")
