"""Each gradient rule against finite differences in float64: one test a line of the table."""

import functools
import operator
import re

import keras.backend as K
import numpy as np
import pytest

from plaidkeras.backend import DotInParts, stock
from plaidkeras.convolutions import DepthToSpace, SpaceToDepth, conv_transpose
from plaidkeras.gradient_check import WrongGradient, check_gradients
from plaidkeras.graph import copied
from plaidkeras.rules import NOT_DIFFERENTIABLE, RULES, ZERO

random = np.random.RandomState(7)


def normal(*shape):
    return random.standard_normal(shape)


def positive(*shape):
    return random.uniform(0.5, 2.0, shape)


def apart(*shape):
    """Values that differ pairwise by more than the checker's step: no ties, no kinks."""
    count = int(np.prod(shape))
    return (random.permutation(count) - count / 2 + 0.25).reshape(shape) / count * 3


def one_hot(rows, classes=5):
    return np.eye(classes)[random.randint(0, classes, rows)]


def probabilities(*shape):
    exponentials = np.exp(normal(*shape))
    return exponentials / exponentials.sum(-1, keepdims=True)


def pool(padding, data_format="channels_last", size=(2, 2), strides=(2, 2)):
    return lambda x: K.pool2d(x, size, strides, padding, data_format, "max")


def normalize(x, gamma, beta):
    return K.normalize_batch_in_training(x, gamma, beta, list(range(x.shape.ndims - 1)))[0]


def in_inference(x, mean, variance, gamma, beta):
    return K.batch_normalization(x, mean, variance, beta, gamma, epsilon=1e-3)


# (kind, its operands): (function, arrays)
CASES = {
    "Add L R": (lambda x, y: x + y, [normal(3, 4), normal(3, 4)]),
    "Add L R, the right one broadcast": (lambda x, y: x + y, [normal(2, 3, 4), normal(4)]),
    "Add L R, both broadcast": (lambda x, y: x + y, [normal(3, 1), normal(1, 4)]),
    "RevAdd R": (lambda x: 2.5 + x, [normal(3)]),
    "Sub L R": (lambda x, y: x - y, [normal(3, 4), normal(4)]),
    "RevSub R": (lambda x: 1.0 - x, [normal(3)]),
    "Mul L R": (lambda x, y: x * y, [normal(2, 3, 4), normal(3, 1)]),
    "RevMul R": (lambda x: 3.0 * x, [normal(3)]),
    "TrueDiv L R": (lambda x, y: x / y, [normal(3, 4), positive(4)]),
    "RevTrueDiv R": (lambda x: 2.0 / x, [positive(5)]),
    "Negate I": (lambda x: -x, [normal(5)]),
    "Identity I": (lambda x: +x, [normal(5)]),
    "Identity X": (K.identity, [normal(5)]),
    "PrintTensor I": (lambda x: K.exp(K.print_tensor(x, "the exponents:")), [normal(2)]),
    "Copy I": (lambda x: K.exp(copied(x)), [normal(2, 3)]),
    "Maximum L R": (K.maximum, [apart(4, 3), apart(4, 3) + 0.01]),
    "Minimum L R": (K.minimum, [apart(4, 3), apart(4, 3) + 0.01]),
    "Pow I P": (lambda x, p: K.pow(x, p), [positive(5), positive(5)]),
    "Pow I P, of a broadcast exponent": (lambda x, p: K.pow(x, p), [positive(2, 3), positive(3)]),
    "Mul L R, a square": (lambda x: x ** 2, [normal(5)]),
    "Abs I": (K.abs, [apart(6)]),
    "Exp I": (K.exp, [normal(5)]),
    "Log I": (K.log, [positive(5)]),
    "Sqrt I": (K.sqrt, [positive(5)]),
    "Sine I": (K.sin, [normal(5)]),
    "Cosine I": (K.cos, [normal(5)]),
    "Tanh I": (K.tanh, [normal(5)]),
    "Sigmoid I": (K.sigmoid, [normal(5)]),
    "HardSigmoid X": (K.hard_sigmoid, [np.array([-3., -2., 0.1, 2., 3.])]),
    "Relu X": (K.relu, [apart(3, 4)]),
    "Relu X, leaky with a ceiling": (lambda x: K.relu(x, 0.1, max_value=1.0), [apart(12)]),
    "Relu X, with a threshold": (lambda x: K.relu(x, threshold=0.3), [apart(12)]),
    "Elu X": (lambda x: K.elu(x, 0.7), [apart(12)]),
    "ClipMin I, ClipMax I": (lambda x: K.clip(x, -0.5, 0.8), [apart(12)]),
    "Switch T E": (lambda c, x, y: K.switch(K.greater(c, 0.0), x, y),
                   [apart(6), normal(6), normal(6)]),
    "Switch T E, by rows": (lambda c, x, y: K.switch(K.greater(c, 0.0), x, y),
                            [apart(3), normal(3, 2), normal(3, 2)]),
    "Reshape I": (lambda x: K.exp(K.reshape(x, (4, 3))), [normal(2, 6)]),
    "BatchFlatten I": (lambda x: K.exp(K.batch_flatten(x)), [normal(2, 3, 2)]),
    "Flatten I": (lambda x: K.exp(K.flatten(x)), [normal(2, 3)]),
    "ExpandDims IN": (lambda x: K.exp(K.expand_dims(x, 1)), [normal(2, 3)]),
    "Transpose X": (lambda x: K.permute_dimensions(x, (2, 0, 1)), [normal(2, 3, 4)]),
    "BatchDot X Y": (lambda x, y: K.batch_dot(x, y, (2, 1)), [normal(2, 3, 4), normal(2, 4, 2)]),
    "Concatenate I0 I1": (lambda x, y: K.exp(K.concatenate([x, y], axis=1)),
                          [normal(2, 3, 2), normal(2, 1, 2)]),
    "ConvolutionTranspose I K": (
        lambda x, k: stock["conv_transpose"](x, k, (2, 8, 6, 3), (2, 2), "same", None, (1, 1)),
        [normal(2, 4, 3, 2), normal(3, 3, 3, 2)]),
    "ConvInputGradient G K, strided": (
        lambda x, k: K.conv2d_transpose(x, k, (2, 8, 6, 3), strides=(2, 2), padding="same"),
        [normal(2, 4, 3, 2), normal(3, 3, 3, 2)]),
    "ConvInputGradient G K, strided and dilated": (
        lambda x, k: conv_transpose(x, k, (12, 9), (3, 2), "valid", (1, 2)),
        [normal(2, 4, 3, 2), normal(3, 3, 3, 2)]),
    "SpaceToDepth I": (lambda x: K.exp(SpaceToDepth.function(x, (3, 2), (1, 0), (2, 3), (2, 2))), [normal(2, 6, 5, 2)]),
    "DepthToSpace I": (lambda x: K.exp(DepthToSpace.function(x, (3, 2), (1, 0), (6, 5), (2, 2))), [normal(2, 2, 3, 8)]),
    "CumulativeSum I": (lambda x: K.exp(K.cumsum(x, 1)), [normal(2, 4)]),
    "Gather V": (lambda x: K.exp(K.gather(x, K.variable([0, 2, 2], dtype="int32"))), [normal(4, 3)]),
    "Repeat I": (lambda x: K.exp(K.repeat(x, 3)), [normal(2, 3)]),
    "RepeatElements I": (lambda x: K.exp(K.repeat_elements(x, 2, axis=1)), [normal(2, 3, 2)]),
    "_SliceOf I": (lambda x: K.exp(x[:, 1:4:2]), [normal(2, 5)]),
    "SpatialPadding I": (lambda x: K.exp(K.spatial_2d_padding(x)), [normal(2, 2, 3, 2)]),
    "Reverse I": (lambda x: K.exp(K.reverse(x, 1)), [normal(2, 3)]),
    "Interpolation I": (lambda x: K.resize_images(x, 2, 3, "channels_last", "bilinear"),
                        [normal(1, 3, 2, 2)]),
    "Tile I": (lambda x: K.exp(K.tile(x, (2, 3))), [normal(2, 3)]),
    "Summation I": (lambda x: K.sum(x, axis=(0, 2)), [normal(2, 3, 4)]),
    "Summation I, axes kept": (lambda x: K.sum(x, axis=1, keepdims=True), [normal(2, 3, 4)]),
    "Summation I, all": (K.sum, [normal(2, 3)]),
    "Mean I": (lambda x: K.mean(x, axis=(0, 2)), [normal(2, 3, 4)]),
    "Mean I, axes kept": (lambda x: K.mean(x, axis=-1, keepdims=True), [normal(2, 3, 4)]),
    "Variance I": (lambda x: K.var(x, axis=(0, 1)), [normal(3, 2, 4)]),
    "Prod I": (lambda x: K.prod(x, axis=1), [positive(3, 4)]),
    "MaxReduce I": (lambda x: K.max(x, axis=1), [apart(3, 4)]),
    "MinReduce I": (lambda x: K.min(x, axis=0, keepdims=True), [apart(3, 4)]),
    "Dot X Y": (K.dot, [normal(8, 6), normal(6, 4)]),
    "Dot X Y, of rank 3": (K.dot, [normal(2, 3, 6), normal(6, 4)]),
    "DotInParts X Y": (lambda x, y: DotInParts.function(x, y, 2, False), [normal(4, 12), normal(12, 3)]),
    "DotInParts X Y, of an odd number of rows": (
        lambda x, y: DotInParts.function(x, y, 2, True), [normal(3, 12), normal(12, 3)]),
    "Convolution I K": (lambda x, k: K.conv2d(x, k), [normal(2, 5, 6, 2), normal(3, 3, 2, 4)]),
    "Convolution I K, same": (lambda x, k: K.conv2d(x, k, padding="same"),
                              [normal(2, 5, 4, 2), normal(3, 2, 2, 2)]),
    "Convolution I K, dilated": (lambda x, k: K.conv2d(x, k, dilation_rate=(2, 1)),
                                 [normal(2, 6, 5, 2), normal(2, 3, 2, 2)]),
    "Convolution I K, strided": (lambda x, k: K.conv2d(x, k, strides=(2, 2)),
                                 [normal(2, 5, 5, 2), normal(3, 3, 2, 2)]),
    "Convolution I K, channels first": (
        lambda x, k: K.conv2d(x, k, data_format="channels_first"),
        [normal(2, 2, 4, 4), normal(3, 3, 2, 2)]),
    "Convolution I K, of rank 1": (lambda x, k: K.conv1d(x, k), [normal(2, 6, 2), normal(3, 2, 4)]),
    "DepthwiseConvolution X K": (lambda x, k: K.depthwise_conv2d(x, k),
                                 [normal(2, 4, 4, 2), normal(3, 3, 2, 1)]),
    "DepthwiseConvolution X K, two of each channel": (
        lambda x, k: K.depthwise_conv2d(x, k, (2, 1), "same"), [normal(2, 5, 4, 3), normal(3, 2, 3, 2)]),
    "DepthwiseConvolution X K, of every second": (
        lambda x, k: K.depthwise_conv2d(x, k, padding="same", dilation_rate=(2, 2)),
        [normal(2, 5, 6, 2), normal(3, 3, 2, 1)]),
    "OneChannelConvolution I K": (lambda x, k: K.conv2d(x, k),
                                  [normal(2, 6, 5, 1), normal(3, 3, 1, 4)]),
    "OneChannelConvolution I K, same": (lambda x, k: K.conv2d(x, k, padding="same"),
                                        [normal(2, 4, 5, 1), normal(3, 2, 1, 4)]),
    "WideConvolution I K": (lambda x, k: K.conv2d(x, k),
                            [normal(2, 2, 3, 2), normal(1, 2, 2, 128)]),
    "Convolution I K, of many channels": (lambda x, k: K.conv2d(x, k, padding="same"),
                                          [normal(1, 2, 2, 128), normal(2, 1, 128, 2)]),
    "LocalConvolution I K": (
        lambda x, k: K.local_conv2d(x, k, (2, 3), (2, 1), (2, 2), "channels_last"),
        [normal(2, 5, 4, 2), normal(4, 12, 3)]),
    "LocalConvolution I K, channels first": (
        lambda x, k: K.local_conv2d(x, k, (2, 3), (2, 1), (2, 2), "channels_first"),
        [normal(2, 2, 5, 4), normal(4, 12, 3)]),
    "LocalConvolution I K, of rank 1": (lambda x, k: K.local_conv1d(x, k, (3,), (2,)),
                                        [normal(2, 7, 2), normal(3, 6, 4)]),
    "MaxPool X": (pool("valid"), [apart(2, 4, 6, 3)]),
    "MaxPool X, of a relu": (lambda x: pool("valid")(K.relu(x)), [apart(2, 4, 6, 3)]),
    "MaxPool X, of three columns": (pool("same", size=(2, 3), strides=(2, 3)),
                                    [apart(2, 4, 6, 2)]),
    "RestoreAxes I, BroadcastLike X": (
        lambda x: K.gradients(K.sum(K.square(K.sum(x, axis=1))), [x])[0], [normal(2, 3)]),
    "ReshapeLike I": (lambda x: K.gradients(K.sum(K.square(K.flatten(x))), [x])[0], [normal(2, 3)]),
    "MaxPoolInputGradient G, of windows that tile": (
        lambda x: K.gradients(K.sum(K.square(pool("valid")(x))), [x])[0], [apart(2, 4, 6, 2)]),
    "MaxPoolInputGradient G": (
        lambda x: K.gradients(K.sum(K.square(pool("same")(x))), [x])[0], [apart(2, 3, 5, 2)]),
    "Pool I": (pool("valid"), [apart(2, 5, 6, 3)]),
    "Pool I, same": (pool("same"), [apart(2, 5, 3, 2)]),
    "Pool I, overlapping": (pool("valid", size=(3, 3)), [apart(2, 7, 5, 2)]),
    "Pool I, channels first": (pool("valid", "channels_first"), [apart(2, 3, 4, 4)]),
    "DepthwiseConvolution X, a mean pool": (lambda x: K.pool2d(x, (2, 2), (2, 2), "same", pool_mode="avg"),
                                   [normal(2, 5, 5, 2)]),
    "Pool I, average": (lambda x: stock["pool"](x, (2, 2), (2, 2), "same", None, "avg"),
                        [normal(2, 5, 5, 2)]),
    "ChannelMean X, ChannelVariance X, Deviations X Mean": (
        normalize, [normal(4, 3, 2, 3), positive(3), normal(3)]),
    "ChannelVariance X, far from zero": (
        normalize, [normal(6, 4, 4, 2) + 100, positive(2), normal(2)]),
    "ChannelVariance X, of rank 2": (normalize, [normal(8, 3), positive(3), normal(3)]),
    "ChannelVariance X, behind a relu": (lambda x, gamma, beta: normalize(K.relu(x), gamma, beta),
                                         [apart(4, 3, 2, 3), positive(3), normal(3)]),
    "Normalization, into a convolution": (
        lambda x, gamma, beta, k: K.conv2d(normalize(x, gamma, beta), k),
        [normal(2, 5, 6, 2), normal(2), normal(2), normal(3, 3, 2, 4)]),
    "Normalization, into a strided convolution": (
        lambda x, gamma, beta, k: K.conv2d(normalize(x, gamma, beta), k, strides=(2, 2)),
        [normal(2, 5, 5, 2), positive(2), normal(2), normal(3, 3, 2, 2)]),
    "Normalization X, into a max pool": (
        lambda x, gamma, beta: pool("valid")(normalize(x, gamma, beta)),
        [apart(2, 4, 6, 3), np.array([1.5, -0.5, 0.8]), normal(3)]),
    "Normalization X V Gamma Beta": (
        in_inference, [normal(4, 3, 3), normal(3), positive(3), positive(3), normal(3)]),
    "Softmax X": (K.softmax, [normal(3, 5)]),
    "Softmax X, of rank 3": (K.softmax, [normal(2, 3, 4)]),
    "SoftmaxCrossentropy X T": (
        lambda x, t: K.categorical_crossentropy(t, K.softmax(x)), [normal(4, 5), one_hot(4)]),
    "SoftmaxCrossentropy X T, of rank 3": (
        lambda x, t: K.categorical_crossentropy(t, K.softmax(x)),
        [normal(2, 3, 4), one_hot((2, 3), 4)]),
    "CategoricalCrossentropy O T": (
        lambda p, t: K.categorical_crossentropy(t, p), [probabilities(4, 5), one_hot(4)]),
    "BinaryCrossentropy O T": (
        lambda p, t: K.binary_crossentropy(t, p), [random.uniform(.1, .9, (3, 4)), one_hot(3, 4)]),
}


# What the gradients of these cases are made of: their rules are tested by gradients of gradients.
OF_GRADIENTS = {"BatchMatMul", "ConvInputGradient", "ConvKernelGradient", "DenseInputGradient",
                "DenseKernelGradient", "FlattenRows", "MaxPoolPicked", "OneChannelConvKernelGradient",
                "StockGradient"}


def variants_are_slow(names):
    """The first case of each rule is quick; those of the same operands again, with another rank,
    padding or stride, are not."""
    met, cases = set(), []
    for name in names:
        rules = {part for part in name.split(", ") if re.match("[A-Z_]", part)}
        cases.append(pytest.param(name, marks=[pytest.mark.slow] if rules <= met else []))
        met |= rules
    return cases


@pytest.mark.parametrize("name", variants_are_slow(CASES))
def test_gradient_agrees_with_finite_differences(name):
    function, arrays = CASES[name]
    check_gradients(function, *arrays)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:plaidkeras has no gradient rule")
@pytest.mark.parametrize("name", CASES)
def test_gradient_of_the_gradient_agrees_with_finite_differences(name):
    """What learns from a gradient, as a gradient penalty does, differentiates it again."""
    function, arrays = CASES[name]

    def slopes(*variables):
        weights = np.random.RandomState(1)
        output = function(*variables)
        loss = K.sum(output * output * weights.uniform(0.5, 1.5, output.shape.dims))
        return functools.reduce(operator.add, (
            K.sum(gradient * weights.uniform(0.5, 1.5, gradient.shape.dims))
            for gradient in K.gradients(loss, list(variables))))

    check_gradients(slopes, *arrays)


def gradient_and_value(function, array):
    x = K.variable(array)
    y = function(x)
    return K.function([], [*K.gradients(K.sum(y), [x]), y])([])


def test_gradient_of_cast_i_between_floats_is_passed_on():
    gradient, _ = gradient_and_value(lambda x: 3.0 * K.cast(K.cast(x, "float64"), "float32"),
                                     normal(4))
    assert gradient.tolist() == [3, 3, 3, 3]


def test_gradient_of_cast_i_from_an_integer_is_zero():
    whole = K.variable(np.array([1, 2]), dtype="int32")
    assert RULES["Cast", "I"](K.cast(whole, "float32").source.op, whole) is ZERO


def test_gradient_of_dropped_x_is_the_mask_that_was_drawn():
    x = normal(16, 16)
    gradient, dropped = gradient_and_value(lambda x: K.dropout(x, 0.4), x)
    assert 0.3 < (gradient == 0).mean() < 0.5
    np.testing.assert_allclose(dropped, x * gradient, rtol=1e-6)


@pytest.mark.parametrize("function, at_zero", [
    (K.relu, 0), (K.abs, 0), (lambda x: K.relu(x, 0.5), 0.5), (lambda x: K.clip(x, 0, 1), 1)])
def test_gradient_at_a_kink_is_that_of_tensorflow(function, at_zero):
    gradient, _ = gradient_and_value(function, np.zeros(2))
    assert gradient.tolist() == [at_zero, at_zero]


def test_first_of_equal_maxima_takes_the_gradient_of_a_pool():
    gradient, _ = gradient_and_value(lambda x: K.pool2d(x, (2, 2), (2, 2), pool_mode="max"),
                                     np.zeros((1, 2, 4, 1)))
    assert gradient[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_equal_extremes_share_the_gradient_of_a_reduction():
    gradient, _ = gradient_and_value(K.max, np.array([1., 3., 3., 2.]))
    assert gradient.tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("logit", [0, 10, 100, 1000])
def test_crossentropy_of_a_softmax_is_stable_at_any_logit(logit):
    target = np.array([[0., 1., 0.]])
    gradient, loss = gradient_and_value(
        lambda x: K.categorical_crossentropy(K.variable(target), K.softmax(x)),
        np.array([[logit, 0., 0.]]))
    exact = np.logaddexp.reduce([logit, 0., 0.])
    np.testing.assert_allclose(loss, [exact], rtol=1e-6)
    np.testing.assert_allclose(
        gradient, np.exp(np.array([[logit, 0., 0.]]) - exact) - target, atol=1e-6)


def test_every_line_of_the_table_has_a_test():
    named = set()
    for name in CASES:
        for part in name.split(", "):
            kind, *operands = part.split(" ")
            named |= {(kind, operand) for operand in operands}
    named |= {("Cast", "I"), ("Dropped", "X"), ("PrngValue", "X")}  # the last on OpenCL alone
    named |= {(kind, operand) for kind, operand in RULES if kind in OF_GRADIENTS}
    twins = {("RevAdd", "L"), ("RevSub", "L"), ("RevMul", "L"), ("RevTrueDiv", "L"),
             ("PhaseSwitch", "T"), ("PhaseSwitch", "E")}
    differentiable = {line for line, rule in RULES.items()
                      if rule not in (ZERO, NOT_DIFFERENTIABLE)}
    tested_kinds = {(kind, ...) for kind, _ in named}
    assert differentiable - named - tested_kinds - twins == set()


def test_the_checker_finds_a_wrong_rule(monkeypatch):
    monkeypatch.setitem(RULES, ("Exp", "I"), lambda op, g: g)
    with pytest.raises(WrongGradient, match="finite differences give"):
        check_gradients(K.exp, normal(3))
