"""Whole models trained for five steps, beside the same in PyTorch at float64.

Losses of each step and all weights after the last have to agree, the moving averages of batch
normalization included. Before, the gradients are compared with PyTorch's at float32 too.
"""

import keras
import keras.backend as K
import notebook_network
import numpy as np
import pytest
from keras import constraints, layers as kl, regularizers
from keras.layers import BatchNormalization, Conv2D, Dense
from torch_reference import (as_exact_as_torch, close, convolved, depthwise_convolved, first, last, normalized, pooled,
                             tensor, torch, transposed_convolved)

pytestmark = [pytest.mark.slow, pytest.mark.needs("torch"),
              pytest.mark.filterwarnings("error:plaidkeras has no gradient rule")]

STEPS, RATE, DRAWS = 5, 0.05, 5


@pytest.fixture(autouse=True)
def same_weights_each_time():
    """Whether an error is twice another's is decided by rounding in the smallest models."""
    np.random.seed(0)


class Reference:
    """A model's weights, at float64 unless told, taken one after the other as its layers need them.

    The model is a function of (reference, inputs) that returns the outputs. Layers that it names
    are those of the Keras model, in whatever order they are called.
    """

    def __init__(self, model, function, dtype="float64"):
        self.function, self.dtype = function, dtype
        self.weights = {layer.name: [tensor(weight, dtype=dtype) for weight in layer.get_weights()]
                        for layer in model.layers}
        self.trainable = [self.weights[layer.name][i] for layer in model.layers
                          for i, weight in enumerate(layer.weights)
                          if any(weight is other for other in layer.trainable_weights)]
        self.steps = {}

    def dense(self, name, x):
        weights, bias = self.weights[name]
        return x @ weights + bias

    def conv(self, name, x, strides=None, **given):
        weights, bias = self.weights[name]
        return last(convolved(first(x), weights, strides, **given)) + bias

    def normalize(self, name, x, momentum=0.99):
        """Normalized by the batch; the averages move as Keras' do on TensorFlow, unbiased."""
        gamma, beta, mean, variance = self.weights[name]
        axes, count = list(range(x.ndim - 1)), x.numel() / x.shape[-1]
        step = self.steps[name] = self.steps.get(name, 0) + 1
        share = (1 - momentum) / (1 - momentum ** step)
        with torch().no_grad():
            for average, value in ((mean, x.mean(axes)),
                                   (variance, x.var(axes, unbiased=False) * count / (count - 1))):
                average += share * (value - average)
        return normalized(x, -1, gamma, beta)

    def gradients(self, inputs, targets, loss):
        """The loss, and its gradient for each trainable weight."""
        inputs, targets = ([tensor(array, False, self.dtype) for array in arrays]
                           for arrays in (inputs, targets))
        value = loss(targets, self.function(self, *inputs))
        return value, torch().autograd.grad(value, self.trainable)

    def train(self, inputs, targets, loss, constrain=None):
        """One step of plain gradient descent; returns the loss."""
        value, gradients = self.gradients(inputs, targets, loss)
        with torch().no_grad():
            for weight, gradient in zip(self.trainable, gradients):
                weight -= RATE * gradient
            if constrain:
                constrain(self)
        return value.item()


def agrees(model, function, targets, loss, theirs, tolerance=1e-4, constrain=None, **compiled):
    """Train `model` and its reference side by side. `targets` are shapes, or makers of arrays;
    `loss` is Keras', `theirs` a function of (targets, outputs)."""
    model.compile(keras.optimizers.SGD(RATE), loss, **compiled)
    start = model.get_weights()
    draws = [draw(np.random.RandomState(seed), model, start, len(targets[0])) for seed in range(DRAWS)]
    are_gradients_exact(model, function, draws, targets, theirs)
    weights, inputs = draws[0]
    model.set_weights(weights)
    reference = Reference(model, function)
    for step in range(STEPS):
        found = np.atleast_1d(model.train_on_batch(inputs, targets))[0]
        expected = reference.train(inputs, targets, theirs, constrain)
        assert found == pytest.approx(expected, rel=tolerance), f"the loss of step {step}"
    for layer in model.layers:
        for weight, ours, expected in zip(layer.weights, layer.get_weights(),
                                          reference.weights[layer.name]):
            close(ours, expected, weight.name, tolerance)


def draw(random, model, start, batch):
    """Weights and inputs; the former all away from where they start: shifts at zero would hide
    much."""
    return ([(weight + random.uniform(0, 0.1, weight.shape)).astype("float32") for weight in start],
            [random.standard_normal((batch, *value.shape.dims[1:])).astype("float32")
             for value in model.inputs])


def are_gradients_exact(model, function, draws, targets, theirs):
    model._make_train_function()
    weights = [weight for layer in model.layers for weight in layer.weights
               if any(weight is other for other in layer.trainable_weights)]
    program = K.function([*model.inputs, *model.targets, *model.sample_weights,
                          K.learning_phase()], K.gradients(model.total_loss, weights))
    targets = [target.astype("float32") for target in targets]
    found = {"ours": [], "float32": [], "float64": []}
    for values, inputs in draws:
        model.set_weights(values)
        found["ours"].append(program([*inputs, *targets, *(np.ones(len(targets[0]))
                                                           for _ in targets), 1]))
        for dtype in ("float32", "float64"):
            _, gradients = Reference(model, function, dtype).gradients(inputs, targets, theirs)
            found[dtype].append([gradient.numpy() for gradient in gradients])
    as_exact_as_torch(*found.values(), [weight.name for weight in weights])


def classes(rows, count):
    return np.eye(count)[np.arange(rows) * 7 % count]


def crossentropy(targets, outputs):
    return -(targets[0] * outputs.log_softmax(-1)).sum(-1).mean()


def squared(targets, outputs):
    return (targets[0] - outputs).square().mean()


def build(inputs, outputs):
    np.random.seed(1)
    return keras.Model(inputs, outputs)


def test_perceptron():
    model = keras.Sequential([
        Dense(12, activation="tanh", input_shape=(9,), name="a"),
        Dense(8, activation="sigmoid", name="b"), Dense(5, activation="softmax", name="c")])
    agrees(model, lambda net, x: net.dense("c", net.dense("b", net.dense("a", x).tanh()).sigmoid()),
           [classes(7, 5)], "categorical_crossentropy", crossentropy)


def of_the_notebook(net, x):
    for name, weights in net.weights.items():
        if name.startswith("conv"):
            x = net.conv(name, x).relu()
        elif name.startswith("batch"):
            x = net.normalize(name, x)
        elif name.startswith("max"):
            x = last(pooled(first(x), "max", (2, 2)))
        elif name.startswith("flatten"):
            x = x.reshape(len(x), -1)
        else:
            x = net.dense(name, x)
            x = x if weights[1].shape == (10,) else x.relu()
    return x


def test_network_of_the_notebook():
    np.random.seed(1)
    agrees(notebook_network.build(), of_the_notebook, [classes(8, 10)], "categorical_crossentropy",
           crossentropy, 2e-3)


def test_gradients_are_exact_where_means_are_large_against_deviations():
    model = notebook_network.build()
    model.compile("sgd", "categorical_crossentropy")
    draws = []
    for random in map(np.random.RandomState, range(DRAWS)):
        draws.append(([(random.uniform(2.5, 7.5, weight.shape) if weight.ndim == 1 else
                        random.standard_normal(weight.shape) * np.sqrt(2 / weight[..., 0].size)
                        ).astype("float32") for weight in model.get_weights()],
                      [random.uniform(0, 1, (16, 28, 28, 1)).astype("float32")]))
    are_gradients_exact(model, of_the_notebook, draws, [classes(16, 10)], crossentropy)


def test_residual_network():
    x = kl.Input((6, 6, 4))
    y = kl.Activation("relu")(BatchNormalization(name="n1")(Conv2D(4, 3, padding="same",
                                                                    name="c1")(x)))
    y = BatchNormalization(name="n2")(Conv2D(4, 3, padding="same", name="c2")(y))
    y = kl.Activation("relu")(kl.Add()([x, y]))
    y = kl.Add()([Conv2D(6, 3, strides=2, padding="same", name="c3")(y),
                  Conv2D(6, 1, strides=2, name="c4")(y)])
    y = Dense(3, activation="softmax", name="d")(kl.GlobalAveragePooling2D()(y))

    def reference(net, x):
        y = net.normalize("n1", net.conv("c1", x, padding="same")).relu()
        y = (x + net.normalize("n2", net.conv("c2", y, padding="same"))).relu()
        y = net.conv("c3", y, (2, 2), padding="same") + net.conv("c4", y, (2, 2))
        return net.dense("d", y.mean((1, 2)))

    agrees(build(x, y), reference, [classes(8, 3)], "categorical_crossentropy", crossentropy)


def test_inception_network():
    x = kl.Input((6, 7, 3))
    pool = kl.MaxPooling2D(3, 1, "same")(x)
    y = kl.Concatenate()([
        Conv2D(2, 1, activation="relu", name="one")(x),
        Conv2D(4, 3, padding="same", activation="relu", name="three")(x),
        Conv2D(2, 5, padding="same", activation="relu", name="five")(x),
        Conv2D(2, 1, name="pooled")(pool), kl.AveragePooling2D(2, 1, "same")(x)])
    y = kl.MaxPooling2D(2)(y)
    y = Dense(4, activation="softmax", name="d")(kl.Flatten()(y))

    def reference(net, x):
        pool = last(pooled(first(x), "max", (3, 3), (1, 1), "same"))
        mean = last(pooled(first(x), "mean", (2, 2), (1, 1), "same"))
        y = torch().cat([net.conv("one", x).relu(), net.conv("three", x, padding="same").relu(),
                         net.conv("five", x, padding="same").relu(), net.conv("pooled", pool),
                         mean], -1)
        y = last(pooled(first(y), "max", (2, 2)))
        return net.dense("d", y.reshape(len(y), -1))

    agrees(build(x, y), reference, [classes(3, 4)], "categorical_crossentropy", crossentropy)


def test_depthwise_separable_network():
    x = kl.Input((8, 8, 3))
    y = kl.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="depthwise")(x)
    y = kl.ReLU(6.0)(BatchNormalization(name="n")(y))
    y = kl.SeparableConv2D(5, 3, activation="relu", name="separable")(y)
    y = Dense(3, activation="softmax", name="d")(kl.GlobalMaxPooling2D()(y))

    def reference(net, x):
        w, b = net.weights["depthwise"]
        y = last(depthwise_convolved(first(x), w, (2, 2), "same")) + b
        y = net.normalize("n", y).clamp(0, 6)
        w, pointwise, b = net.weights["separable"]
        y = (last(convolved(depthwise_convolved(first(y), w, None), pointwise, None)) + b).relu()
        return net.dense("d", y.amax((1, 2)))

    agrees(build(x, y), reference, [classes(7, 3)], "categorical_crossentropy", crossentropy)


def test_autoencoder():
    x = kl.Input((8, 8, 1))
    y = Conv2D(4, 3, strides=2, padding="same", activation="relu", name="down")(x)
    y = kl.Conv2DTranspose(3, 3, strides=2, padding="same", activation="elu", name="up")(y)
    y = kl.UpSampling2D(2)(kl.AveragePooling2D(2)(y))
    y = Conv2D(1, 3, padding="same", activation="sigmoid", name="out")(y)

    def reference(net, x):
        y = net.conv("down", x, (2, 2), padding="same").relu()
        w, b = net.weights["up"]
        y = last(transposed_convolved(first(y), w, (2, 2), "same")) + b
        y = last(pooled(first(torch().nn.functional.elu(y)), "mean", (2, 2)))
        y = y.repeat_interleave(2, 1).repeat_interleave(2, 2)
        return net.conv("out", y, padding="same").sigmoid()

    def theirs(targets, outputs):
        return torch().nn.functional.binary_cross_entropy(outputs, targets[0])

    images = np.random.RandomState(1).uniform(0, 1, (3, 8, 8, 1))
    agrees(build(x, y), reference, [images], "binary_crossentropy", theirs)


def test_shared_layers():
    a, b = kl.Input((6,)), kl.Input((6,))
    inner, again = Dense(5, activation="tanh", name="inner"), Dense(5, name="again")
    y = kl.Multiply()([again(inner(a)), again(again(inner(b)))])
    y = kl.Concatenate()([y, kl.Dot(1)([inner(a), inner(b)])])
    y = Dense(1, name="out")(y)

    def reference(net, a, b):
        a, b = net.dense("inner", a).tanh(), net.dense("inner", b).tanh()
        y = net.dense("again", a) * net.dense("again", net.dense("again", b))
        return net.dense("out", torch().cat([y, (a * b).sum(1, keepdim=True)], -1))

    agrees(build([a, b], y), reference, [np.linspace(-1, 1, 7)[:, None]], "mse", squared)


def test_two_outputs_with_weighted_losses():
    x = kl.Input((6,))
    y = Dense(7, activation="relu", name="trunk")(x)
    outputs = [Dense(3, activation="softmax", name="kind")(y), Dense(2, name="size")(y)]

    def reference(net, x):
        y = net.dense("trunk", x).relu()
        return net.dense("kind", y), net.dense("size", y)

    def theirs(targets, outputs):
        return (0.3 * crossentropy(targets[:1], outputs[0])
                + 2.0 * (targets[1] - outputs[1]).abs().mean())

    random = np.random.RandomState(1)
    agrees(build(x, outputs), reference, [classes(7, 3), random.standard_normal((7, 2))],
           ["categorical_crossentropy", "mae"], theirs, loss_weights=[0.3, 2.0])


def test_regularizers_and_constraints():
    x = kl.Input((6,))
    y = Dense(5, activation="tanh", name="a", kernel_regularizer=regularizers.l2(0.02),
              bias_regularizer=regularizers.l1(0.01),
              kernel_constraint=constraints.max_norm(0.8))(x)
    y = Dense(4, name="b", activity_regularizer=regularizers.l2(0.03),
              kernel_constraint=constraints.unit_norm(), bias_constraint=constraints.non_neg())(y)
    y = Dense(2, name="c", kernel_regularizer=regularizers.l1_l2(0.01, 0.02),
              kernel_constraint=constraints.min_max_norm(0.2, 0.5, rate=0.7))(y)

    def reference(net, x):
        net.activity = net.dense("b", net.dense("a", x).tanh())
        return net.dense("c", net.activity)

    def constrain(net):
        def norms(weights):
            return weights.square().sum(0, keepdim=True).sqrt()

        a, b, c = (net.weights[name][0] for name in "abc")
        a *= norms(a).clamp(0, 0.8) / (1e-7 + norms(a))
        b /= 1e-7 + norms(b)
        net.weights["b"][1].clamp_(min=0)
        c *= (0.7 * norms(c).clamp(0.2, 0.5) + 0.3 * norms(c)) / (1e-7 + norms(c))

    def penalized(targets, outputs):
        a, bias, c = net["a"][0], net["a"][1], net["c"][0]
        return (squared(targets, outputs) + 0.02 * a.square().sum() + 0.01 * bias.abs().sum()
                + 0.01 * c.abs().sum() + 0.02 * c.square().sum())

    net = {}

    def remembering(reference_net, x):
        net.update(reference_net.weights)
        outputs = reference(reference_net, x)
        net["activity"] = reference_net.activity
        return outputs

    def theirs(targets, outputs):
        return penalized(targets, outputs) + 0.03 * net["activity"].square().sum()

    random = np.random.RandomState(1)
    agrees(build(x, y), remembering, [random.standard_normal((7, 2))], "mse", theirs,
           constrain=constrain)


def test_one_dimensional_convolutions():
    x = kl.Input((12, 3))
    y = kl.Conv1D(4, 3, strides=2, padding="same", activation="relu", name="strided")(x)
    y = kl.Conv1D(4, 2, padding="causal", dilation_rate=2, activation="relu", name="causal")(y)
    y = BatchNormalization(name="n")(kl.Conv1D(5, 2, dilation_rate=2, name="dilated")(y))
    y = kl.MaxPooling1D(2)(y)
    y = Dense(3, activation="softmax", name="d")(kl.GlobalAveragePooling1D()(y))

    def reference(net, x):
        y = net.conv("strided", x, (2,), padding="same").relu()
        y = net.conv("causal", y, padding="causal", dilation=(2,)).relu()
        y = net.normalize("n", net.conv("dilated", y, dilation=(2,)))
        y = last(pooled(first(y), "max", (2,)))
        return net.dense("d", y.mean(1))

    agrees(build(x, y), reference, [classes(7, 3)], "categorical_crossentropy", crossentropy)


def test_recurrent_network():
    x = kl.Input((4, 3))
    y = kl.SimpleRNN(5, name="rnn")(x)
    y = Dense(2, name="d")(y)

    def reference(net, x):
        w, u, b = net.weights["rnn"]
        h = torch().zeros(len(x), 5, dtype=x.dtype)
        for t in range(4):
            h = (x[:, t] @ w + h @ u + b).tanh()
        return net.dense("d", h)

    random = np.random.RandomState(1)
    agrees(build(x, y), reference, [random.standard_normal((3, 2))], "mse", squared)
