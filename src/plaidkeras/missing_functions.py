"""Functions of keras.backend that PlaidML does not have, or that fail for some layers or losses."""

import math

import keras.backend as K
import numpy as np
import plaidml.keras.backend as plaidml_backend
from plaidml import op
from plaidml.tile import Operation, Shape, Value

from plaidkeras import kernels
from plaidkeras.kernels import indices, listed

make_constant, make_variable = plaidml_backend.constant, plaidml_backend.variable


def variable(value, dtype=None, name=None, constraint=None):
    """A variable; optimizers apply the constraint. PlaidML refuses it."""
    made = make_variable(value, dtype, name)
    made.constraint = constraint
    return made


def constant(value, dtype=None, shape=None, name=None):
    """A constant; PlaidML's takes no nested lists."""
    return make_constant(np.asarray(value), dtype, shape or np.shape(value) or (1,), name)


def log(x):
    """The logarithm of a tensor, or of a number, which PlaidML cannot take."""
    return op.log(x) if isinstance(x, Value) else math.log(x)


def softplus(x):
    """log(1 + exp(x)), which does not overflow."""
    return K.relu(x) + K.log(1.0 + K.exp(-K.abs(x)))


def l2_normalize(x, axis=None):
    """x over its length, and zeros where that is zero, as in TensorFlow."""
    squares = K.sum(K.square(x), axis=axis, keepdims=True)
    return x / K.sqrt(K.maximum(squares, 1e-12))


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))), which does not overflow."""
    largest = K.stop_gradient(K.max(x, axis=axis, keepdims=True))
    sums = K.sum(K.exp(x - largest), axis=axis, keepdims=keepdims)
    return K.log(sums) + (largest if keepdims else K.sum(largest, axis=axis))


def in_top_k(predictions, targets, k):
    """Whether each target (n,) is among the k largest of its row of predictions (n, classes)."""
    chosen = K.sum(predictions * K.one_hot(targets, predictions.shape.dims[-1]), axis=-1)
    above = K.cast(K.greater(predictions, K.expand_dims(chosen)), K.floatx())
    return K.less(K.sum(above, axis=-1), k)


def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """Ones with probability p, else zeros."""
    return K.cast(K.less(K.random_uniform(shape, seed=seed), p), dtype or K.floatx())


def separable_conv1d(x, depthwise_kernel, pointwise_kernel, strides=1, padding="valid",
                     data_format=None, dilation_rate=1):
    """A convolution of each channel, then one of size 1 over all; Keras gives numbers or tuples."""
    strides, dilation_rate = (tuple(np.atleast_1d(given).tolist())
                              for given in (strides, dilation_rate))
    if padding == "causal":
        x = K.temporal_padding(x, (dilation_rate[0] * (depthwise_kernel.shape.dims[0] - 1), 0))
        padding = "valid"
    return plaidml_backend.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding,
                                          data_format, dilation_rate)


class RepeatElements(Operation):
    """x with each element `count` times along an axis: a product with ones, which fuses
    with what comes after it, as PlaidML's own does not."""

    def __init__(self, x, count, axis):
        self.count, self.axis = count, axis
        sizes = indices("N", x.shape.ndims)
        apart = [*sizes[:axis + 1], "1", *sizes[axis + 1:]]
        repeated = [f"{count} * {size}" if i == axis else size for i, size in enumerate(sizes)]
        ones = np.ones((count,) + (1,) * (x.shape.ndims - axis - 1), K.dtype(x))
        dims = list(x.shape.dims)
        dims[axis] *= count
        super().__init__(
            f"""function (I[{listed(*sizes)}], Ones) -> (O) {{
                    R = reshape(I, {listed(*apart)});
                    P = R * Ones;
                    O = reshape(P, {listed(*repeated)});
                }}""", [("I", x), ("Ones", kernels.constant(ones))],
            [("O", Shape(x.shape.dtype, tuple(dims)))])


def repeat_elements(x, rep, axis):
    """x with each element `rep` times along an axis."""
    return RepeatElements.function(x, rep, axis % x.shape.ndims)


class Interpolation(Operation):
    """x with one of its axes multiplied by a matrix (new length, old length)."""

    def __init__(self, x, matrix, axis):
        self.matrix, self.axis = matrix, axis
        names = indices("x", x.shape.ndims)
        made = [*names[:axis], "y", *names[axis + 1:]]
        dims = list(x.shape.dims)
        dims[axis] = len(matrix)
        super().__init__(
            f"""function (I[{listed(*names).upper()}], M[Y, Z]) -> (O) {{
                    O[{listed(*made)} : {listed(*made).upper()}] =
                        +(M[y, {names[axis]}] * I[{listed(*names)}]);
                }}""", [("I", x), ("M", kernels.constant(matrix.astype(K.dtype(x))))],
            [("O", Shape(x.shape.dtype, tuple(dims)))])


def resize_images(x, height_factor, width_factor, data_format, interpolation="nearest"):
    """x with its rows and columns repeated, or interpolated between as TensorFlow 1 does."""
    axes = (1, 2) if data_format == "channels_last" else (2, 3)
    for axis, factor in zip(axes, (height_factor, width_factor)):
        if interpolation == "nearest":
            x = K.repeat_elements(x, factor, axis)
        else:
            x = Interpolation.function(x, _bilinear(x.shape.dims[axis], factor), axis)
    return x


def _bilinear(size, factor):
    """The matrix (size * factor, size) that interpolates between neighbours; the last repeats."""
    at = np.arange(size * factor) / factor
    matrix = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(size)))
    return matrix / matrix.sum(axis=1, keepdims=True)


REPLACEMENTS = (constant, in_top_k, l2_normalize, log, logsumexp, random_binomial,
                repeat_elements, resize_images, separable_conv1d, softplus, variable)
