"""Operations that take the place of PlaidML's own behind keras.backend, and why each does.

`replace_backend` puts them there. What it does not name stays PlaidML's.
"""

import functools

import keras.backend as K
import numpy as np
import plaidml.keras.backend as plaidml_backend
from plaidml import op, tile
from plaidml.tile import Operation, Shape, Value

from plaidkeras.device import on_cpu
from plaidkeras.function import Function
from plaidkeras.gradients import gradients
from plaidkeras.graph import PhaseSwitch, compose, kernel
from plaidkeras.kernels import channel_mean, constant, indices, listed, strided_slice, transpose


stock = {}  # PlaidML's own functions, for what ours do not cover


def replace_backend() -> None:
    """Put our operations into keras.backend. Call it once keras is imported."""
    tile.compose = compose
    stock.update(vars(plaidml_backend))
    for replacement in (batch_normalization, categorical_crossentropy, conv, function, gradients,
                        in_train_phase, moving_average_update, normalize_batch_in_training,
                        permute_dimensions, pool, relu, softmax, stop_gradient):
        # keras.backend is a copy of the names of plaidml.keras.backend: both need them.
        for module in (K, plaidml_backend):
            setattr(module, replacement.__name__, replacement)


class Normalization(Operation):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, for given mean and variance.

    x is (..., c), the others (c,).
    """

    def __init__(self, x, mean, variance, gamma, beta, epsilon):
        self.epsilon = epsilon
        # The copies S and T keep PlaidML from fusing the vectors' arithmetic into the loop over
        # x, which would make the channel the outermost loop.
        super().__init__(
            f"""function (X, M[C], V[C], Gamma[C], Beta[C]) -> (O) {{
                    Scale = Gamma / sqrt(V + {epsilon});
                    Shift = Beta - M * Scale;
                    S[c : C] = =(Scale[c]);
                    T[c : C] = =(Shift[c]);
                    O = X * S + T;
                }}""",
            [("X", x), ("M", mean), ("V", variance), ("Gamma", gamma), ("Beta", beta)],
            [("O", x.shape)])


class BatchNormalization(Normalization):
    """Normalization by the moments of x itself, whose gradient they are part of.

    PlaidML composes it of smaller operations and differentiates them wrongly: its gradient for x
    is off by a constant a channel, on every device.
    """


def moments(x: Value):
    """Mean and variance of x (..., c) over all axes but the last: two of (c,).

    The variance is taken from squared deviations in a second pass: E[x^2] - E[x]^2 cancels.
    """
    mean = channel_mean(x)
    squares = kernel("SquaredDeviations", """function (X, Mean[C]) -> (O) {
                         M[c : C] = =(Mean[c]);
                         O = (X - M) * (X - M);
                     }""", {"X": x, "Mean": mean}, x.shape.dims)
    return mean, channel_mean(squares)


def _or_filled(vector, number, like):
    """A scale or shift (c,), or where a layer goes without it, the number that changes nothing."""
    return constant(np.full(like.shape.dims, number, K.dtype(like))) if vector is None else vector


def normalize_batch_in_training(x, gamma, beta, reduction_axes, epsilon=1e-3):
    """The normalized x with the mean and the variance that it was normalized by."""
    if sorted(reduction_axes) != list(range(x.shape.ndims - 1)):
        return stock["normalize_batch_in_training"](x, gamma, beta, reduction_axes, epsilon)
    mean, variance = moments(x)
    normalized = BatchNormalization.function(
        x, mean, variance, _or_filled(gamma, 1, mean), _or_filled(beta, 0, mean), epsilon)
    return normalized, mean, variance


def batch_normalization(x, mean, var, beta, gamma, axis=-1, epsilon=1e-3):
    """x normalized by a mean and a variance that were collected in training."""
    if mean.shape.ndims != 1:
        return stock["batch_normalization"](x, mean, var, beta, gamma, axis, epsilon)
    return Normalization.function(
        x, mean, var, _or_filled(gamma, 1, mean), _or_filled(beta, 0, mean), epsilon)


class MovingAverage(Operation):
    """One step of an exponential moving average, without the bias of its first value.

    Plain averages keep a share of momentum^t of what they started with: at Keras's momentum of
    0.99 a variance that starts at 1 hides the true one for hundreds of batches, and the network
    predicts at chance. The average of the values seen so far, each with its weight, is the
    value / (1 - momentum^t) of Kingma and Ba (2015), section 3, and what Keras has on TensorFlow.
    """

    def __init__(self, average, value, momentum):
        share = K.variable(1.0, name="share_of_the_start")  # momentum^t
        super().__init__(
            f"""function (A, V, P) -> (O) {{
                    O = (A * (1.0 - P) * {momentum} + V * {1 - momentum}) / (1.0 - P * {momentum});
                }}""", [("A", average), ("V", value), ("P", share)], [("O", average.shape)])
        # PlaidML writes an update as soon as it is known, even if the old value is yet to be read.
        # The new share depends on the new average, so that it comes after it.
        sizes = indices("N", average.shape.ndims)
        self.side_effects = [(share, kernel(
            "NextShare", f"""function (P, A[{listed(*sizes)}]) -> (O) {{
                                 First[] = =(A[{listed(*["0"] * len(sizes))}]);
                                 O = (First < 0.0 ? P * {momentum} : P * {momentum});
                             }}""", {"P": share, "A": self.sole_output()}, ()))]


def moving_average_update(x, value, momentum):
    """The update of a moving average x by a new value."""
    return x, MovingAverage.function(x, value, momentum)


class Softmax(Operation):
    """The softmax over the last axis, of any rank; stable, the largest input taken off first."""

    def __init__(self, x):
        self.logits = x
        outer = indices("x", x.shape.ndims - 1)
        inputs, row = listed(*outer, "k"), listed(*outer, "z")
        ranges = listed(*outer, "1").upper()
        super().__init__(
            f"""function (X[{inputs.upper()}]) -> (O) {{
                    M[{row} : {ranges}] = >(X[{inputs}]);
                    E = exp(X - M);
                    S[{row} : {ranges}] = +(E[{inputs}]);
                    O = E / S;
                }}""", [("X", x)], [("O", x.shape)])


class SoftmaxCrossentropy(Operation):
    """The cross-entropy of targets (n, k) and the softmax of logits (n, k): (n,).

    Taken from the logits, it neither overflows nor loses its gradient, however sure the network
    is; of the softmax's output PlaidML's own gradient is NaN at a loss of 8.
    """

    def __init__(self, logits, target):
        super().__init__(
            """function (X[N, K], T[N, K]) -> (O) {
                   M[n, z : N, 1] = >(X[n, k]);
                   D = X - M;
                   E = exp(D);
                   S[n, z : N, 1] = +(E[n, k]);
                   L = T * (log(S) - D);
                   O[n : N] = +(L[n, k]);
               }""", [("X", logits), ("T", target)],
            [("O", Shape(logits.shape.dtype, logits.shape.dims[:1]))])


def softmax(x, axis=-1):
    """The softmax of x over an axis, the last unless told."""
    if axis not in (-1, x.shape.ndims - 1):
        raise ValueError(f"softmax over axis {axis} of {x.shape.ndims}: only the last can be "
                         f"taken; permute the dimensions first")
    return Softmax.function(x)


def categorical_crossentropy(target, output, from_logits=False):
    """The cross-entropy of one-hot targets and probabilities, or logits."""
    if not from_logits and output.source and isinstance(output.source.op, Softmax):
        output, from_logits = output.source.op.logits, True
    if from_logits and output.shape.ndims == 2:
        return SoftmaxCrossentropy.function(output, target)
    return stock["categorical_crossentropy"](target, output, from_logits)


class OneChannelConvolution(Operation):
    """A valid 2-D convolution of stride 1 of images with one channel.

    With a single channel to sum over, the plain contraction misses the matrix kernels. The
    window's column takes the channel's part, padded to an even number as the kernels ask.
    """

    def __init__(self, x, weights):
        rows, columns, _, filters = weights.shape.dims
        even = columns + columns % 2
        (n, height, width, _) = x.shape.dims
        super().__init__(
            f"""function (I[N, H, W, C], K[A, B, C, D]) -> (O) {{
                    P[n, h, w : N, H, W + {even - columns}] = =(I[n, h, w, 0]);
                    Q[a, b, d : A, {even}, D] = =(K[a, b, 0, d]);
                    O[n, i, j, d : N, H - A + 1, W - B + 1, D] =
                        +(P[n, i + a, j + b] * Q[a, b, d]);
                }}""", [("I", x), ("K", weights)],
            [("O", Shape(x.shape.dtype, (n, height - rows + 1, width - columns + 1, filters)))])


def conv(x, kernel, strides=None, padding="valid", data_format=None, dilation_rate=None,
         channelwise=False):
    """Convolution of any rank; K.conv1d, conv2d and conv3d come here."""
    is_plain = (set(strides or ()) <= {1} and padding == "valid"
                and set(dilation_rate or ()) <= {1} and not channelwise
                and (data_format or K.image_data_format()) == "channels_last")
    if is_plain and x.shape.ndims == 4 and kernel.shape.dims[2] == 1 and on_cpu():
        return OneChannelConvolution.function(x, kernel)
    return stock["conv"](x, kernel, strides, padding, data_format, dilation_rate, channelwise)


class MaxPool(Operation):
    """A 2-D max pool, channels last, whose windows tile the image without overlap.

    It is the largest of its slices, one for each place of a window. They are operands, so that
    forward and backward share them; what depends on x through them is part of its rule.
    """

    def __init__(self, x, window):
        self.window = tuple(window)
        rows, columns = self.window
        n, height, width, channels = x.shape.dims
        slices = [strided_slice(x, self.window, (row, column))
                  for row in range(rows) for column in range(columns)]
        names = indices("S", len(slices))
        largest = functools.reduce(lambda a, b: f"max({a}, {b})", names)
        super().__init__(f"function (X, {listed(*names)}) -> (O) {{ O = {largest}; }}",
                         [("X", x), *zip(names, slices)],
                         [("O", Shape(x.shape.dtype,
                                      (n, height // rows, width // columns, channels)))])


def pool(x, pool_size, strides=None, padding="valid", data_format=None, pool_mode="max"):
    """Pooling of any rank; K.pool2d and K.pool3d come here."""
    tiles = (x.shape.ndims == 4 and pool_mode == "max" and tuple(strides) == tuple(pool_size)
             and (data_format or K.image_data_format()) == "channels_last"
             and all(isinstance(dim, int) and dim % size == 0
                     for dim, size in zip(x.shape.dims[1:3], pool_size)))
    # Slicing costs a product with a channels x channels matrix.
    if tiles and x.shape.dims[3] <= 256 and on_cpu():
        return MaxPool.function(x, pool_size)
    return stock["pool"](x, pool_size, strides, padding, data_format, pool_mode)


def permute_dimensions(x, pattern):
    """x with its axes in the order that `pattern` gives."""
    return transpose(x, pattern)


def relu(x, alpha=0., max_value=None, threshold=0.):
    """max(x, 0), or one of its relatives.

    Keras passes alpha = 0, which PlaidML takes for a leaky relu and so misses its built-in one.
    """
    return op.relu(x, alpha if isinstance(alpha, Value) or alpha != 0 else None,
                   max_value, threshold)


class StopGradient(Operation):
    """x itself, which gradients take for a constant."""

    def __init__(self, x):
        super().__init__("function (I) -> (O) { O = I; }", [("I", x)], [("O", x.shape)])


def stop_gradient(variables):
    """The same values, through which no gradient flows; PlaidML has none of its own."""
    if isinstance(variables, Value):
        return StopGradient.function(variables)
    return [StopGradient.function(variable) for variable in variables]


def in_train_phase(x, alt, training=None):
    """x in the training phase, else alt; only the one that is needed is compiled and run."""
    static = training if training is not None else K.learning_phase()
    if isinstance(static, (bool, int)):
        chosen = x if static else alt
        return chosen() if callable(chosen) else chosen
    switched = PhaseSwitch.function(static, x() if callable(x) else x,
                                    alt() if callable(alt) else alt)
    switched._uses_learning_phase = training is None
    return switched


def function(inputs, outputs, updates=None, name=None):
    """A compiled program from inputs to outputs, which also makes the updates."""
    return Function(inputs, outputs, updates or [])
