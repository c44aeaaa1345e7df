"""Each layer of Keras, forward and its gradients, against the same in PyTorch at float64."""

import keras
import keras.backend as K
import numpy as np
import pytest
from keras import layers as kl
from torch_reference import (close, convolved, depthwise_convolved, first, last, normalized, pooled,
                             tensor, torch, transposed_convolved)

pytestmark = [pytest.mark.slow, pytest.mark.needs("torch"),
              pytest.mark.filterwarnings("error:plaidkeras has no gradient rule")]


def agrees(layer, reference, *shapes, phase=0):
    """Compare a layer on random inputs: its output, and all gradients of a weighted sum of it."""
    random = np.random.RandomState(3)
    inputs = [keras.Input(batch_shape=shape) for shape in shapes]
    output = layer(inputs[0] if len(inputs) == 1 else inputs)
    weights = getattr(layer, "trainable_weights", [])  # a plain function has none
    arrays = [random.standard_normal(shape) for shape in shapes]
    for weight in weights:
        K.set_value(weight, random.standard_normal(weight.shape.dims) * 0.5 + 0.25)
    expected_inputs = [tensor(array) for array in arrays]
    expected_weights = [tensor(K.get_value(weight)) for weight in weights]
    expected = reference(*expected_inputs, *expected_weights)
    factors = random.uniform(0.5, 1.5, tuple(expected.shape))
    (expected * tensor(factors, differentiable=False)).sum().backward()

    gradients = K.gradients(K.sum(output * K.constant(factors)), [*inputs, *weights])
    found, *gradients = K.function(
        [*inputs, K.learning_phase()], [output, *gradients])([*arrays, phase])
    close(found, expected, "output")
    names = [f"input {i}" for i in range(len(inputs))] + [weight.name for weight in weights]
    for name, gradient, value in zip(names, gradients, [*expected_inputs, *expected_weights]):
        zeros = torch().zeros_like(value)
        close(gradient, zeros if value.grad is None else value.grad, f"gradient of {name}")


def conv(**given):
    return lambda x, w, b: last(convolved(first(x), w, **{"strides": None, **given})) + b


def conv_first(**given):
    return lambda x, w, b: convolved(x, w, **{"strides": None, **given}) + b[:, None, None]


def depthwise(strides=None, **given):
    return lambda x, w, b: last(depthwise_convolved(first(x), w, strides, **given)) + b


def separable(strides=None, **given):
    def reference(x, w, pointwise, b):
        x = depthwise_convolved(first(x), w, strides, **given)
        return last(convolved(x, pointwise, None)) + b
    return reference


def transposed(*given, **named):
    return lambda x, w, b: last(transposed_convolved(first(x), w, *given, **named)) + b


CONVOLUTIONS = {
    "1-D": (lambda: kl.Conv1D(4, 3), conv(), (3, 7, 2)),
    "1-D, strided, same": (lambda: kl.Conv1D(4, 3, strides=2, padding="same"),
                           conv(strides=(2,), padding="same"), (1, 8, 2)),
    "1-D, dilated, causal": (lambda: kl.Conv1D(4, 2, padding="causal", dilation_rate=3),
                             conv(dilation=(3,), padding="causal"), (7, 7, 2)),
    "one channel": (lambda: kl.Conv2D(4, 3), conv(), (3, 6, 7, 1)),
    "one channel, same": (lambda: kl.Conv2D(4, 2, padding="same"), conv(padding="same"),
                          (3, 6, 7, 1)),
    "same": (lambda: kl.Conv2D(4, (3, 2), padding="same"), conv(padding="same"), (3, 5, 6, 3)),
    "strided": (lambda: kl.Conv2D(4, 3, strides=2), conv(strides=(2, 2)), (7, 8, 7, 3)),
    "strided, same": (lambda: kl.Conv2D(4, 3, strides=(2, 3), padding="same"),
                      conv(strides=(2, 3), padding="same"), (1, 8, 7, 3)),
    "stride larger than the window": (lambda: kl.Conv2D(4, 2, strides=3), conv(strides=(3, 3)),
                                      (3, 8, 7, 2)),
    "of size 1, strided": (lambda: kl.Conv2D(4, 1, strides=2), conv(strides=(2, 2)), (3, 5, 6, 2)),
    "dilated, same": (lambda: kl.Conv2D(4, 3, dilation_rate=2, padding="same"),
                      conv(dilation=(2, 2), padding="same"), (3, 7, 6, 2)),
    "channels first": (lambda: kl.Conv2D(4, 3, data_format="channels_first"), conv_first(),
                       (3, 2, 5, 6)),
    "channels first, strided, same": (
        lambda: kl.Conv2D(4, 3, strides=2, padding="same", data_format="channels_first"),
        conv_first(strides=(2, 2), padding="same"), (1, 2, 5, 6)),
    "3-D": (lambda: kl.Conv3D(3, 2, strides=(1, 2, 1)), conv(strides=(1, 2, 1)), (1, 3, 4, 3, 2)),
    "depthwise": (lambda: kl.DepthwiseConv2D(3), depthwise(), (3, 5, 6, 4)),
    "depthwise, strided, same": (
        lambda: kl.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2),
        depthwise((2, 2), padding="same"), (1, 5, 6, 3)),
    "depthwise, of 25 places": (lambda: kl.DepthwiseConv2D(5, padding="same", depth_multiplier=2),
                                depthwise(padding="same"), (1, 6, 7, 3)),
    "depthwise, of 36 places": (lambda: kl.DepthwiseConv2D(6, strides=2, padding="same", depth_multiplier=2),
                                depthwise((2, 2), padding="same"), (1, 8, 7, 3)),
    "depthwise, channels first": (
        lambda: kl.DepthwiseConv2D(3, data_format="channels_first"),
        lambda x, w, b: depthwise_convolved(x, w, None) + b[:, None, None], (3, 2, 5, 6)),
    "separable": (lambda: kl.SeparableConv2D(5, 3, padding="same", depth_multiplier=2),
                  separable(padding="same"), (3, 5, 4, 3)),
    "separable, dilated": (lambda: kl.SeparableConv2D(5, 3, dilation_rate=2),
                           separable(dilation=(2, 2)), (3, 6, 7, 2)),
    "separable, 1-D": (lambda: kl.SeparableConv1D(5, 3, strides=2), separable((2,)), (3, 8, 2)),
    "transposed": (lambda: kl.Conv2DTranspose(3, 3), transposed((1, 1)), (3, 4, 5, 2)),
    "transposed, strided": (lambda: kl.Conv2DTranspose(3, 3, strides=2), transposed((2, 2)),
                            (1, 4, 3, 2)),
    "transposed, strided, same": (lambda: kl.Conv2DTranspose(3, 3, strides=2, padding="same"),
                                  transposed((2, 2), "same"), (7, 4, 3, 2)),
    "transposed, stride larger than the window": (
        lambda: kl.Conv2DTranspose(3, 2, strides=3), transposed((3, 3)), (3, 2, 3, 2)),
    "transposed, channels first": (
        lambda: kl.Conv2DTranspose(3, 3, strides=2, data_format="channels_first"),
        lambda x, w, b: transposed_convolved(x, w, (2, 2)) + b[:, None, None], (3, 2, 3, 4)),
    "transposed, 3-D": (lambda: kl.Conv3DTranspose(2, 2, strides=2), transposed((2, 2, 2)),
                        (1, 2, 2, 3, 2)),
}


def of_windows(mode, *given, channels_first=False, **named):
    if channels_first:
        return lambda x: pooled(x, mode, *given, **named)
    return lambda x: last(pooled(first(x), mode, *given, **named))


POOLS = {
    "max": (lambda: kl.MaxPooling2D(2), of_windows("max", (2, 2)), (3, 6, 4, 3)),
    "max, odd": (lambda: kl.MaxPooling2D((2, 3)), of_windows("max", (2, 3)), (1, 5, 7, 3)),
    "max, overlapping": (lambda: kl.MaxPooling2D(3, 2), of_windows("max", (3, 3), (2, 2)),
                         (7, 7, 8, 2)),
    "max, same": (lambda: kl.MaxPooling2D(3, 2, "same"),
                  of_windows("max", (3, 3), (2, 2), "same"), (3, 5, 6, 2)),
    "max, stride larger than the window": (
        lambda: kl.MaxPooling2D(2, 3), of_windows("max", (2, 2), (3, 3)), (3, 8, 7, 2)),
    "max, channels first": (lambda: kl.MaxPooling2D(2, data_format="channels_first"),
                            of_windows("max", (2, 2), channels_first=True), (3, 2, 4, 6)),
    "max, 1-D": (lambda: kl.MaxPooling1D(2), of_windows("max", (2,)), (3, 7, 2)),
    "max, 1-D, same": (lambda: kl.MaxPooling1D(3, 1, "same"),
                       of_windows("max", (3,), (1,), "same"), (3, 7, 2)),
    "max, 3-D": (lambda: kl.MaxPooling3D(2), of_windows("max", (2, 2, 2)), (1, 4, 3, 4, 2)),
    "mean": (lambda: kl.AveragePooling2D(2), of_windows("mean", (2, 2)), (3, 6, 5, 3)),
    "mean, overlapping": (lambda: kl.AveragePooling2D(3, 2), of_windows("mean", (3, 3), (2, 2)),
                          (7, 7, 8, 2)),
    "mean, same": (lambda: kl.AveragePooling2D(3, 2, "same"),
                   of_windows("mean", (3, 3), (2, 2), "same"), (1, 5, 6, 2)),
    "mean, channels first": (lambda: kl.AveragePooling2D(2, data_format="channels_first"),
                             of_windows("mean", (2, 2), channels_first=True), (3, 2, 4, 5)),
    "mean, 1-D, same": (lambda: kl.AveragePooling1D(3, 2, "same"),
                        of_windows("mean", (3,), (2,), "same"), (3, 8, 2)),
    "mean, 3-D": (lambda: kl.AveragePooling3D(2), of_windows("mean", (2, 2, 2)), (1, 4, 3, 4, 2)),
    "global max": (lambda: kl.GlobalMaxPooling2D(), lambda x: x.amax((1, 2)), (3, 4, 5, 2)),
    "global max, 1-D": (lambda: kl.GlobalMaxPooling1D(), lambda x: x.amax(1), (3, 4, 2)),
    "global mean": (lambda: kl.GlobalAveragePooling2D(), lambda x: x.mean((1, 2)), (3, 4, 5, 2)),
    "global mean, 1-D": (lambda: kl.GlobalAveragePooling1D(), lambda x: x.mean(1), (1, 4, 2)),
    "global mean, channels first": (
        lambda: kl.GlobalAveragePooling2D("channels_first"), lambda x: x.mean((2, 3)),
        (3, 2, 4, 5)),
}


def functional(name, *given, **named):
    return lambda x: getattr(torch().nn.functional, name)(x, *given, **named)


ACTIVATIONS = {
    "softmax": (lambda: kl.Activation("softmax"), functional("softmax", -1), (7, 5)),
    "softmax of rank 3": (lambda: kl.Activation("softmax"), functional("softmax", -1), (3, 4, 5)),
    "softmax over axis 1": (lambda: kl.Softmax(axis=1), functional("softmax", 1), (3, 4, 5)),
    "elu": (lambda: kl.ELU(0.5), functional("elu", 0.5), (3, 5)),
    "selu": (lambda: kl.Activation("selu"), functional("selu"), (3, 5)),
    "softplus": (lambda: kl.Activation("softplus"), functional("softplus"), (3, 5)),
    "softsign": (lambda: kl.Activation("softsign"), functional("softsign"), (3, 5)),
    "relu": (lambda: kl.Activation("relu"), functional("relu"), (3, 5)),
    "relu, to 1": (lambda: kl.ReLU(1.0), lambda x: x.clamp(0, 1), (3, 5)),
    "leaky relu": (lambda: kl.LeakyReLU(0.2), functional("leaky_relu", 0.2), (3, 5)),
    "thresholded relu": (lambda: kl.ThresholdedReLU(0.5), lambda x: x * (x > 0.5), (3, 5)),
    "prelu": (lambda: kl.PReLU(), lambda x, a: x.relu() - a * (-x).relu(), (3, 5, 4)),
    "prelu, shared": (lambda: kl.PReLU(shared_axes=[1, 2]),
                      lambda x, a: x.relu() - a * (-x).relu(), (3, 4, 3, 2)),
    "tanh": (lambda: kl.Activation("tanh"), lambda x: x.tanh(), (3, 5)),
    "sigmoid": (lambda: kl.Activation("sigmoid"), lambda x: x.sigmoid(), (3, 5)),
    "hard sigmoid": (lambda: kl.Activation("hard_sigmoid"),
                     lambda x: (0.2 * x + 0.5).clamp(0, 1), (7, 5)),
    "exponential": (lambda: kl.Activation("exponential"), lambda x: x.exp(), (3, 5)),
    "linear": (lambda: kl.Activation("linear"), lambda x: x * 1.0, (3, 5)),
}


def merged(combine):
    return lambda *xs: combine(torch().stack(xs))


SHAPES = {
    "dense": (lambda: kl.Dense(4), lambda x, w, b: x @ w + b, (7, 5)),
    "dense of rank 3": (lambda: kl.Dense(4, use_bias=False), lambda x, w: x @ w, (3, 4, 5)),
    "flatten": (lambda: kl.Flatten(), lambda x: x.reshape(3, -1), (3, 4, 2)),
    "flatten, channels first": (lambda: kl.Flatten("channels_first"),
                                lambda x: last(x).reshape(3, -1), (3, 4, 2, 2)),
    "reshape": (lambda: kl.Reshape((2, -1)), lambda x: x.reshape(3, 2, 4), (3, 4, 2)),
    "permute": (lambda: kl.Permute((3, 1, 2)), lambda x: x.permute(0, 3, 1, 2), (3, 4, 2, 5)),
    "repeat": (lambda: kl.RepeatVector(3), lambda x: x[:, None].expand(2, 3, 4), (2, 4)),
    "padding 1-D": (lambda: kl.ZeroPadding1D((1, 2)), functional("pad", (0, 0, 1, 2)), (3, 3, 2)),
    "padding": (lambda: kl.ZeroPadding2D(((1, 2), (0, 3))), functional("pad", (0, 0, 0, 3, 1, 2)),
                (2, 3, 3, 2)),
    "padding, channels first": (
        lambda: kl.ZeroPadding2D(((1, 2), (0, 3)), data_format="channels_first"),
        functional("pad", (0, 3, 1, 2)), (2, 2, 3, 3)),
    "cropping 1-D": (lambda: kl.Cropping1D((1, 2)), lambda x: x[:, 1:-2], (3, 6, 2)),
    "cropping": (lambda: kl.Cropping2D(((1, 0), (1, 2))), lambda x: x[:, 1:, 1:-2], (2, 4, 5, 2)),
    "cropping, channels first": (lambda: kl.Cropping2D(1, data_format="channels_first"),
                                 lambda x: x[:, :, 1:-1, 1:-1], (2, 2, 4, 5)),
    "upsampling 1-D": (lambda: kl.UpSampling1D(3), lambda x: x.repeat_interleave(3, 1), (3, 3, 2)),
    "upsampling": (lambda: kl.UpSampling2D((2, 3)),
                   lambda x: x.repeat_interleave(2, 1).repeat_interleave(3, 2), (2, 3, 2, 2)),
    "upsampling, channels first": (
        lambda: kl.UpSampling2D(2, data_format="channels_first"),
        lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3), (2, 2, 3, 2)),
    # Functions of the backend, as in a Lambda layer.
    "a layer normalization": (
        lambda: lambda x: ((x - K.mean(x, axis=-1, keepdims=True))
                           / K.std(x, axis=-1, keepdims=True)),
        lambda x: (x - x.mean(-1, keepdim=True)) / x.std(-1, unbiased=False, keepdim=True),
        (3, 2, 5)),
    "lengths of one": (lambda: lambda x: K.l2_normalize(x, axis=-1), functional("normalize"),
                       (3, 5)),
    "log of the sum": (lambda: lambda x: K.logsumexp(x, axis=-1), lambda x: x.logsumexp(-1),
                       (3, 5)),
    "product": (lambda: lambda x: K.prod(x, axis=1), lambda x: x.prod(1), (3, 4)),
    "reverse": (lambda: lambda x: K.reverse(x, 1), lambda x: x.flip(1), (3, 4, 2)),
    "stack": (lambda: lambda x: K.stack([x, K.square(x)], axis=1),
              lambda x: torch().stack([x, x * x], 1), (3, 4)),
}

MERGES = {
    "add": (kl.Add, merged(lambda x: x.sum(0)), (3, 4), (3, 4), (3, 4)),
    "add, broadcast": (kl.Add, lambda x, y: x + y, (3, 5, 4), (3, 1, 4)),
    "subtract": (kl.Subtract, lambda x, y: x - y, (3, 4), (3, 4)),
    "multiply": (kl.Multiply, merged(lambda x: x.prod(0)), (3, 4), (3, 4), (3, 4)),
    "multiply, of other ranks": (kl.Multiply, lambda x, y: x * y[:, None], (3, 5, 4), (3, 4)),
    "average": (kl.Average, merged(lambda x: x.mean(0)), (3, 4), (3, 4)),
    "maximum": (kl.Maximum, merged(lambda x: x.amax(0)), (3, 4), (3, 4), (3, 4)),
    "minimum": (kl.Minimum, merged(lambda x: x.amin(0)), (3, 4), (3, 4)),
    "concatenate": (kl.Concatenate, lambda *xs: torch().cat(xs, -1), (3, 2), (3, 5), (3, 1)),
    "concatenate along axis 1": (lambda: kl.Concatenate(1), lambda *xs: torch().cat(xs, 1),
                                 (3, 2, 4), (3, 1, 4)),
    "dot": (lambda: kl.Dot(1), lambda x, y: (x * y).sum(1, keepdim=True), (7, 4), (7, 4)),
    "dot, normalized": (
        lambda: kl.Dot(1, normalize=True),
        lambda x, y: torch().nn.functional.cosine_similarity(x, y)[:, None], (3, 4), (3, 4)),
    "dot (2, 1)": (lambda: kl.Dot((2, 1)), lambda x, y: x @ y, (3, 4, 5), (3, 5, 2)),
    "dot (1, 1)": (lambda: kl.Dot(1), lambda x, y: x.mT @ y, (3, 4, 5), (3, 4, 2)),
    "dot (2, 2)": (lambda: kl.Dot(2), lambda x, y: x @ y.mT, (1, 4, 5), (1, 2, 5)),
    "dot (1, 2)": (lambda: kl.Dot((1, 2)), lambda x, y: x.mT @ y.mT, (3, 4, 5), (3, 2, 4)),
    "dot (2, 1) with a vector": (lambda: kl.Dot((2, 1)), lambda x, y: (x @ y[..., None])[..., 0],
                                 (3, 4, 5), (3, 5)),
    "dot (1, 2) of a vector": (lambda: kl.Dot((1, 2)), lambda x, y: (y @ x[..., None])[..., 0],
                               (3, 5), (3, 4, 5)),
    "batch dot of rank 4": (
        lambda: lambda xs: K.batch_dot(*xs, (3, 1)),
        lambda x, y: torch().einsum("nabk,nkc->nabc", x, y), (2, 3, 2, 4), (2, 4, 5)),
    "batch dot of rank 4, of many batches": (
        lambda: lambda xs: K.batch_dot(*xs), lambda x, y: x @ y, (2, 3, 5, 4), (2, 3, 4, 2)),
    "batch dot of rank 4, over the last axes": (
        lambda: lambda xs: K.batch_dot(*xs, 3), lambda x, y: x @ y.mT, (2, 3, 5, 4), (2, 3, 2, 4)),
    "batch dot of rank 4, over the last but one": (
        lambda: lambda xs: K.batch_dot(*xs, (2, 2)), lambda x, y: x.mT @ y, (2, 3, 4, 5), (2, 3, 4, 2)),
    "batch dot of rank 5": (
        lambda: lambda xs: K.batch_dot(*xs, (-1, -1)), lambda x, y: x @ y.mT, (2, 3, 2, 5, 4), (2, 3, 2, 1, 4)),
    "batch dot of vectors and matrices": (
        lambda: lambda xs: K.batch_dot(*xs, (2, 3)),
        lambda x, y: torch().einsum("nak,nabk->nab", x, y), (2, 3, 4), (2, 3, 5, 4)),
    "batch dot of matrices and vectors": (
        lambda: lambda xs: K.batch_dot(*xs, (2, 2)),
        lambda x, y: torch().einsum("nakb,nak->nab", x, y), (2, 3, 4, 5), (2, 3, 4)),
    "matrix product of rank 3": (lambda: lambda xs: K.dot(*xs),
                                 lambda x, y: torch().einsum("abk,ckd->abcd", x, y),
                                 (2, 3, 4), (5, 4, 2)),
}

LAYERS = {f"{family}: {name}": case for family, cases in (
    ("convolution", CONVOLUTIONS), ("pool", POOLS), ("activation", ACTIVATIONS),
    ("shape", SHAPES), ("merge", MERGES)) for name, case in cases.items()}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_agrees_with_pytorch(name):
    make, reference, *shapes = LAYERS[name]
    agrees(make(), reference, *shapes)


@pytest.mark.parametrize("shape, axis, given", [
    ((7, 3), -1, {}), ((4, 3, 5), -1, {}), ((4, 3, 2, 3), -1, {}), ((3, 2, 4, 3), 1, {}),
    ((4, 3, 5), 1, {}), ((7, 3), -1, {"scale": False}), ((7, 3), -1, {"center": False}),
    ((4, 2, 2, 3), -1, {"scale": False, "center": False}),
    ((3, 2, 4, 3), 1, {"scale": False, "center": False})], ids=str)
@pytest.mark.parametrize("phase", [0, 1])
def test_batch_normalization_agrees_with_pytorch(phase, shape, axis, given):
    layer = kl.BatchNormalization(axis=axis, **given)

    def reference(x, *weights):
        weights = list(weights)
        gamma = weights.pop(0) if given.get("scale", True) else None
        beta = weights.pop(0) if given.get("center", True) else None
        moments = [tensor(K.get_value(moment), False) for moment in layer.non_trainable_weights]
        return normalized(x, axis, gamma, beta, moments=None if phase else moments)

    layer.build(shape)
    for i, weight in enumerate(layer.non_trainable_weights):
        K.set_value(weight, np.arange(1.0, 1 + weight.shape.dims[0]) * (i + 0.5))
    agrees(layer, reference, shape, phase=phase)


def test_embedding_takes_rows_and_adds_up_their_gradients():
    layer, numbers = kl.Embedding(6, 3), np.array([[0, 5, 5], [2, 0, 5]])
    x = keras.Input(batch_shape=(2, 3), dtype="int32")
    output = layer(x)
    gradient, found = K.function([x], [*K.gradients(K.sum(K.square(output)), layer.weights),
                                       output])([numbers])
    weights = tensor(layer.get_weights()[0])
    expected = weights[torch().tensor(numbers)]
    expected.square().sum().backward()
    close(found, expected, "output")
    close(gradient, weights.grad, "gradient of the rows")


def test_bilinear_upsampling_repeats_the_edge():
    x = keras.Input(batch_shape=(1, 2, 2, 1))
    output = kl.UpSampling2D(2, interpolation="bilinear")(x)
    gradient, found = K.function([x], [*K.gradients(K.sum(output), [x]), output])(
        [np.array([[0.0, 4.0], [8.0, 12.0]]).reshape(1, 2, 2, 1)])
    assert found[0, :, :, 0].tolist() == [[0, 2, 4, 4], [4, 6, 8, 8], [8, 10, 12, 12],
                                          [8, 10, 12, 12]]
    assert gradient[0, :, :, 0].tolist() == [[2.25, 3.75], [3.75, 6.25]]


# Recurrent layers

def lstm(x, w, u, b, mask=None, sequences=False):
    units = u.shape[0]
    h = c = torch().zeros(len(x), units, dtype=x.dtype)
    made = []
    for t in range(x.shape[1]):
        i, f, a, o = (x[:, t] @ w + h @ u + b).split(units, -1)
        new_c = f.sigmoid() * c + i.sigmoid() * a.tanh()
        new_h = o.sigmoid() * new_c.tanh()
        keep = torch().ones(len(x), 1) if mask is None else mask[:, t, None]
        h, c = new_h * keep + h * (1 - keep), new_c * keep + c * (1 - keep)
        made.append(h)
    return torch().stack(made, 1) if sequences else h


def gru(x, w, u, b):
    units = u.shape[0]
    h = torch().zeros(len(x), units, dtype=x.dtype)
    for t in range(x.shape[1]):
        z, r, a = (x[:, t] @ w + b).split(units, -1)
        uz, ur, ua = u.split(units, -1)
        z, r = (z + h @ uz).sigmoid(), (r + h @ ur).sigmoid()
        h = z * h + (1 - z) * (a + (r * h) @ ua).tanh()
    return h


def simple(x, w, u, b):
    h = torch().zeros(len(x), u.shape[0], dtype=x.dtype)
    for t in reversed(range(x.shape[1])):
        h = (x[:, t] @ w + h @ u + b).tanh()
    return h


@pytest.mark.parametrize("name", ["simple, backwards", "LSTM", "GRU", "both ways"])
def test_recurrent_layer_agrees_with_pytorch(name):
    """The gates are sigmoids here: the default's hard sigmoid has kinks."""
    smooth = dict(recurrent_activation="sigmoid")
    layer, reference = {
        "simple, backwards": (kl.SimpleRNN(3, go_backwards=True), simple),
        "LSTM": (kl.LSTM(3, return_sequences=True, **smooth),
                 lambda *given: lstm(*given, sequences=True)),
        "GRU": (kl.GRU(3, **smooth), gru),
        "both ways": (kl.Bidirectional(kl.LSTM(2, return_sequences=True, **smooth)),
                      lambda x, *w: torch().cat([
                          lstm(x, *w[:3], sequences=True),
                          lstm(x.flip(1), *w[3:], sequences=True).flip(1)], -1)),
    }[name]
    agrees(layer, reference, (3, 4, 2))


def test_masked_steps_leave_the_state_of_a_recurrent_layer():
    random = np.random.RandomState(0)
    array = random.standard_normal((3, 4, 2))
    array[1, 2:] = array[2, 0] = 0
    layer = kl.LSTM(3, recurrent_activation="sigmoid")
    x = keras.Input(batch_shape=array.shape)
    output = layer(kl.Masking()(x))
    found, *gradients = K.function([x], [output, *K.gradients(K.sum(output), layer.weights)])(
        [array])
    weights = [tensor(weight) for weight in layer.get_weights()]
    mask = torch().tensor((array != 0).any(-1).astype("float64"))
    expected = lstm(tensor(array), *weights, mask=mask)
    expected.sum().backward()
    close(found, expected, "output")
    for gradient, weight in zip(gradients, weights):
        close(gradient, weight.grad, "gradient")


def test_time_distributed_dense_is_a_dense_layer():
    x = keras.Input((4, 5))
    inner = kl.Dense(3)
    output = kl.TimeDistributed(inner)(x)
    array = np.random.RandomState(0).standard_normal((3, 4, 5))
    found, gradient = K.function(
        [x], [output, *K.gradients(K.sum(output), [inner.kernel])])([array])
    kernel, _ = inner.get_weights()
    close(found, array @ kernel, "output")
    close(gradient, array.sum((0, 1))[:, None].repeat(3, 1), "gradient")


# Noise

def drawn(layer, shape):
    """The output for ones, and the gradient of its sum, in training."""
    x = keras.Input(shape[1:])
    output = layer(x)
    run = K.function([x, K.learning_phase()], [output, *K.gradients(K.sum(output), [x])])
    return run([np.ones(shape), 1])


def test_spatial_dropout_drops_whole_channels_and_so_does_its_gradient():
    for layer, shape in ((kl.SpatialDropout1D(0.4), (8, 5, 16)),
                         (kl.SpatialDropout2D(0.4), (8, 3, 3, 16))):
        output, gradient = drawn(layer, shape)
        np.testing.assert_array_equal(output, gradient)
        places = output.reshape(shape[0], -1, shape[-1])
        assert (places == places[:, :1]).all()
        assert 0.2 < (output == 0).mean() < 0.6
        np.testing.assert_allclose(output.max(), 1 / 0.6, rtol=1e-6)


def test_gaussian_noise_adds_and_its_gradient_is_one():
    output, gradient = drawn(kl.GaussianNoise(0.3), (40, 100))
    assert (gradient == 1).all()
    assert abs(output.mean() - 1) < 0.02 and abs(output.std() - 0.3) < 0.02


def test_gaussian_dropout_multiplies_and_its_gradient_is_the_factor():
    output, gradient = drawn(kl.GaussianDropout(0.2), (40, 100))
    np.testing.assert_allclose(output, gradient, rtol=1e-6)
    assert abs(output.mean() - 1) < 0.04 and abs(output.std() - 0.5) < 0.04


def test_alpha_dropout_keeps_the_moments_and_passes_a_gradient_where_it_kept_the_input():
    layer = kl.AlphaDropout(0.3)
    x = keras.Input((200,))
    output = layer(x)
    run = K.function([x, K.learning_phase()], [output, *K.gradients(K.sum(output), [x])])
    given = np.random.RandomState(0).standard_normal((50, 200))
    found, gradient = run([given, 1])
    assert abs(found.mean()) < 0.04 and abs(found.std() - 1) < 0.04
    kept = gradient != 0
    assert 0.65 < kept.mean() < 0.75
    slope, shift = np.polyfit(given[kept], found[kept], 1)
    np.testing.assert_allclose(gradient[kept], slope, rtol=1e-4)
    assert np.ptp(found[~kept]) < 1e-5


def test_random_numbers_have_the_moments_that_were_asked_for():
    ones, = K.function([], [K.random_binomial((100, 100), 0.3)])([])
    assert set(np.unique(ones)) == {0, 1} and abs(ones.mean() - 0.3) < 0.02
    normal, = K.function([], [K.random_normal((100, 100), 2.0, 0.5)])([])
    assert abs(normal.mean() - 2) < 0.02 and abs(normal.std() - 0.5) < 0.02
    uniform, = K.function([], [K.random_uniform((100, 100), -1.0, 3.0)])([])
    assert -1 <= uniform.min() < -0.99 and 2.99 < uniform.max() < 3
    assert abs(uniform.mean() - 1) < 0.05
