"""Functions that replace PlaidML's own in keras.backend, and why each does.

`replace_functions` puts them there. What it does not name stays PlaidML's.
"""

import functools

import keras.backend as K
import numpy as np
import plaidml.keras.backend as plaidml_backend
from plaidml import op
from plaidml.tile import Operation, Shape, Value

from plaidkeras import convolutions, ctc, kernels, missing_functions, recurrences
from plaidkeras.device import on_cpu
from plaidkeras.function import Function
from plaidkeras.gradients import gradients
from plaidkeras.graph import Deferred, PhaseSwitch, is_plain_relu, kernel, stock
from plaidkeras.kernels import (channel_sizes, channel_sum_code, constant, indices, listed,
                                rows_per_channel, transpose, with_channels_last)


def replace_functions() -> None:
    """Put our functions into keras.backend. Call it once keras is imported."""
    Value.__pow__, Value.__mod__ = missing_functions.pow, missing_functions.mod
    Value.__rpow__, Value.__rmod__ = (lambda x, y: K.pow(y, x)), lambda x, y: missing_functions.mod(y, x)
    Value.eval, Value.__getitem__ = missing_functions.get_value, missing_functions.part
    for replacement in (batch_normalization, categorical_crossentropy, conv, conv_transpose, dot,
                        function, gradients, in_train_phase, moving_average_update,
                        normalize_batch_in_training, permute_dimensions, pool, relu, softmax,
                        stop_gradient, *ctc.REPLACEMENTS, *missing_functions.REPLACEMENTS,
                        *recurrences.REPLACEMENTS):
        # keras.backend is a copy of the names of plaidml.keras.backend: both need them.
        for module in (K, plaidml_backend):
            setattr(module, replacement.__name__, replacement)


class Deviations(Operation):
    """x (..., c) less the mean of each channel, which is given: (c,)."""

    def __init__(self, x, mean):
        # The copy keeps PlaidML from fusing the vector's arithmetic into the loop over x, which
        # would make the channel the outermost loop.
        super().__init__("function (X, Mean[C]) -> (O) { M[c : C] = =(Mean[c]); O = X - M; }",
                         [("X", x), ("Mean", mean)], [("O", x.shape)])


class Normalization(Operation):
    """gamma * x / sqrt(variance + epsilon) + beta, for x (..., c) whose mean was taken off.

    The others are (c,). Large means leave no room for deviations in float32: they go first.
    """

    def __init__(self, x, variance, gamma, beta, epsilon):
        self.epsilon = epsilon
        super().__init__(
            f"""function (X, V[C], Gamma[C], Beta[C]) -> (O) {{
                    Scale = Gamma / sqrt(V + {epsilon});
                    S[c : C] = =(Scale[c]);
                    T[c : C] = =(Beta[c]);
                    O = T + X * S;
                }}""",
            [("X", x), ("V", variance), ("Gamma", gamma), ("Beta", beta)], [("O", x.shape)])


class ChannelMean(Operation):
    """The mean of x (..., c) over all axes but the last: (c,)."""

    def __init__(self, x):
        super().__init__(
            f"""function (X[{channel_sizes(x)}]) -> (O) {{
                    {channel_sum_code("Sum", "X", x)}
                    O = Sum / {rows_per_channel(x)};
                }}""", [("X", x)], [("O", Shape(x.shape.dtype, x.shape.dims[-1:]))])


class ChannelVariance(Operation):
    """The variance of x (..., c) over all axes but the last: (c,). It is made of the deviations
    from the mean, which the gradient for x passes by."""

    def __init__(self, x, mean, deviations):
        super().__init__(
            f"""function (X, Mean, D[{channel_sizes(x)}]) -> (O) {{
                    {channel_sum_code("Sum", "D * D", x)}
                    O = Sum / {rows_per_channel(x)};
                }}""", [("X", x), ("Mean", mean), ("D", deviations)],
            [("O", Shape(x.shape.dtype, x.shape.dims[-1:]))])


def _or_filled(vector, number, like):
    """A scale or shift (c,), or where a layer goes without it, the number that changes nothing."""
    return constant(np.full(like.shape.dims, number, K.dtype(like))) if vector is None else vector


def normalize_batch_in_training(x, gamma, beta, reduction_axes, epsilon=1e-3):
    """The normalized x with the mean and the variance that it was normalized by.

    PlaidML composes the same of other operations and differentiates it wrongly: its gradient for
    x is off by a constant a channel, on every device.
    """
    reduced = sorted(axis % x.shape.ndims for axis in reduction_axes)
    kept = [axis for axis in range(x.shape.ndims) if axis not in reduced]
    sizes = {vector.shape.dims for vector in (gamma, beta) if vector is not None}
    if len(kept) == 1 and not sizes <= {(x.shape.dims[kept[0]],)}:  # a scale of other axes
        return stock["normalize_batch_in_training"](x, gamma, beta, reduction_axes, epsilon)
    if len(kept) != 1:
        return _normalized_over(x, gamma, beta, reduced, epsilon)
    if reduced != list(range(x.shape.ndims - 1)):
        (channel,) = kept
        normalized, mean, variance = normalize_batch_in_training(
            transpose(x, [*reduced, channel]), gamma, beta, range(x.shape.ndims - 1), epsilon)
        return transpose(normalized, np.argsort([*reduced, channel]).tolist()), mean, variance
    mean = ChannelMean.function(x)
    deviations = Deviations.function(x, mean)
    variance = ChannelVariance.function(x, mean, deviations)
    normalized = Normalization.function(
        deviations, variance, _or_filled(gamma, 1, mean), _or_filled(beta, 0, mean), epsilon)
    return normalized, mean, variance


def _normalized_over(x, gamma, beta, axes, epsilon):
    """The same over any axes."""
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape.dims)]
    mean = K.mean(x, axes, keepdims=True)
    variance = K.mean(K.square(x - mean), axes, keepdims=True)
    normalized = (x - mean) / K.sqrt(variance + epsilon)
    normalized = normalized if gamma is None else normalized * K.reshape(gamma, shape)
    normalized = normalized if beta is None else normalized + K.reshape(beta, shape)
    return normalized, K.mean(mean, axes), K.mean(variance, axes)


def batch_normalization(x, mean, var, beta, gamma, axis=-1, epsilon=1e-3):
    """x normalized by a mean and a variance that were collected in training.

    Of a convolution it is another one, with other weights and a bias: no pass over x.
    """
    if mean.shape.ndims != 1:
        return stock["batch_normalization"](x, mean, var, beta, gamma, axis, epsilon)
    gamma, beta = _or_filled(gamma, 1, mean), _or_filled(beta, 0, mean)
    scale = gamma / K.sqrt(var + epsilon)
    shift = beta - mean * scale
    if axis % x.shape.ndims == x.shape.ndims - 1 and "convolved" in vars(x):
        image, weights, *arguments = x.convolved
        return shift + conv(image, weights * scale, *arguments)
    return Normalization.function(x, var, gamma, shift, epsilon)


def _normalization(x):
    """The Normalization that x is the output of, else None."""
    made_by = x.source and x.source.op
    return made_by if isinstance(made_by, Normalization) else None


def _in_both_phases(function):
    """Apply a function of a tensor to both branches where the phase switches a normalization."""
    @functools.wraps(function)
    def apply(x, *arguments, **keywords):
        switch = x.source and x.source.op
        if isinstance(switch, PhaseSwitch) and any(
                _normalization(switch.operands[phase]) for phase in "TE"):
            phase, train, test = switch.operands.values()
            return PhaseSwitch.function(phase, apply(train, *arguments, **keywords),
                                        apply(test, *arguments, **keywords))
        return function(x, *arguments, **keywords)
    return apply


class MovingAverage(Operation):
    """One step of an exponential moving average, without the bias of its first value.

    Plain averages keep a share of momentum^t of what they started with: at Keras's momentum of
    0.99 a variance that starts at 1 hides the true one for hundreds of batches, and the network
    predicts at chance. The average of the values seen so far, each with its weight, is the
    value / (1 - momentum^t) of Kingma and Ba (2015), section 3, and what Keras has on TensorFlow.
    """

    def __init__(self, average, value, momentum):
        share = vars(average).setdefault(  # momentum^t, of all calls of a shared layer
            "share", K.variable(1.0, name="share_of_the_start"))
        super().__init__(
            f"""function (A, V, P) -> (O) {{
                    O = (A * (1.0 - P) * {momentum} + V * {1 - momentum}) / (1.0 - P * {momentum});
                }}""", [("A", average), ("V", value), ("P", share)], [("O", average.shape)])
        self.side_effects = [(share, share * momentum)]


def moving_average_update(x, value, momentum):
    """The update of a moving average x by a new value."""
    return x, MovingAverage.function(x, value, momentum)


class Softmax(Operation):
    """The softmax over the last axis, of any rank; stable, the largest input taken off first."""

    def __init__(self, x):
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
    """The cross-entropy of targets (..., k) and the softmax of logits (..., k): (...).

    Taken from the logits, it neither overflows nor loses its gradient, however sure the network
    is. Taken from the softmax's output, PlaidML's own gradient is NaN at a loss of 8.
    """

    def __init__(self, logits, target):
        row = listed(*indices("n", logits.shape.ndims - 1))
        rows = row.upper()
        super().__init__(
            f"""function (X[{rows}, K], T[{rows}, K]) -> (O) {{
                    M[{row}, z : {rows}, 1] = >(X[{row}, k]);
                    D = X - M;
                    E = exp(D);
                    S[{row}, z : {rows}, 1] = +(E[{row}, k]);
                    L = T * (log(S) - D);
                    O[{row} : {rows}] = +(L[{row}, k]);
                }}""", [("X", logits), ("T", target)],
            [("O", Shape(logits.shape.dtype, logits.shape.dims[:-1]))])


def softmax(x, axis=-1):
    """The softmax of x over an axis, the last unless told."""
    axis %= x.shape.ndims
    if axis == x.shape.ndims - 1:
        return Softmax.function(x)
    order = list(range(x.shape.ndims))
    order[axis], order[-1] = order[-1], order[axis]  # which is its own inverse
    return transpose(Softmax.function(transpose(x, order)), order)


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The cross-entropy of one-hot targets and probabilities, or logits, along an axis."""
    axis %= output.shape.ndims
    if axis != output.shape.ndims - 1:
        order = [*(i for i in range(output.shape.ndims) if i != axis), axis]
        target, output = transpose(target, order), transpose(output, order)
    if not from_logits and output.source and isinstance(output.source.op, Softmax):
        output, from_logits = output.source.op.operands["X"], True
    if from_logits and output.shape.ndims > 1:
        return SoftmaxCrossentropy.function(output, target)
    return stock["categorical_crossentropy"](target, output, from_logits)


class DotInParts(Operation):
    """x (n, k) times y (k, d), the sums over k in parts: those of thousands of terms lose a digit.

    An odd number of rows, above all a single one, misses the matrix kernels: with `even` they are
    copied, and one added.
    """

    def __init__(self, x, y, parts, even):
        length = y.shape.dims[0] // parts
        rows, left, copy = "N", "X", ""
        if even:
            rows, left, copy = kernels.EVEN, "T", f"T[n, k : {kernels.EVEN}, K] = =(X[n, k]);"
        super().__init__(
            f"""function (X[N, K], Y[K, D]) -> (O) {{
                    {copy}
                    P[a, n, d : {parts}, {rows}, D] =
                        +({left}[n, {length}*a + k] * Y[{length}*a + k, d]), k < {length} no_defract;
                    O[n, z : N, D] = +(P[a, n, z]);
                }}""", [("X", x), ("Y", y)],
            [("O", Shape(x.shape.dtype, (x.shape.dims[0], y.shape.dims[1])))])


class MatrixProduct(Deferred):
    """x (n, k) times y (k, d), in the way that suits k and whether n is odd."""

    LONG = 2048

    def __init__(self, x, y):
        super().__init__(None, [("X", x), ("Y", y)],
                         [("O", Shape(x.shape.dtype, (x.shape.dims[0], y.shape.dims[1])))])

    def expand(self, setting):
        x, y = self.operands.values()
        length = y.shape.dims[0]
        parts = next((count for count in (8, 4, 2) if length >= self.LONG and length % (2 * count) == 0), 1)
        if parts == 1 and not setting.has_odd_rows:
            return {"O": stock["dot"](x, y)}
        return {"O": DotInParts.function(x, y, parts, setting.has_odd_rows)}


def dot(x, y):
    """The product of tensors, over the last axis of x and the last but one of y, or its only one."""
    missing_functions.expect_equal_axes(x, y, (-1, max(-2, -y.shape.ndims)))
    if on_cpu() and x.shape.ndims == y.shape.ndims == 2 and isinstance(y.shape.dims[0], int):
        return MatrixProduct.function(x, y)
    return stock["dot"](x, y)


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


class WideConvolution(Operation):
    """A valid 2-D convolution of stride 1 that brings the weights of 64 filters together first;
    see kernels.weights_collide_in_cache."""

    def __init__(self, x, weights):
        rows, columns, _, filters = weights.shape.dims
        n, height, width, _ = x.shape.dims
        together = kernels.TOGETHER
        super().__init__(
            f"""function (I[N, H, W, C], K[A, B, C, D]) -> (O) {{
                    T[g, a, b, c, d : D / {together}, A, B, C, {together}] =
                        =(K[a, b, c, {together}*g + d]), d < {together};
                    O[n, i, j, {together}*g + d : N, H - A + 1, W - B + 1, D] =
                        +(I[n, i + a, j + b, c] * T[g, a, b, c, d]), d < {together} no_defract;
                }}""", [("I", x), ("K", weights)],
            [("O", Shape(x.shape.dtype, (n, height - rows + 1, width - columns + 1, filters)))])


@_in_both_phases
def conv(x, kernel, strides=None, padding="valid", data_format=None, dilation_rate=None,
         channelwise=False):
    """Convolution of any rank; K.conv1d, conv2d and conv3d come here."""
    made = _conv(x, kernel, strides, padding, data_format, dilation_rate, channelwise)
    if on_cpu() and K.normalize_data_format(data_format) == "channels_last" and not channelwise:
        made.convolved = x, kernel, strides, padding, data_format, dilation_rate
    return made


def _conv(x, kernel, strides, padding, data_format, dilation_rate, channelwise):
    data_format = K.normalize_data_format(data_format)
    channels = x.shape.dims[-1 if data_format == "channels_last" else 1]
    if isinstance(channels, int) and channels != kernel.shape.dims[-2]:
        raise ValueError(f"a convolution of {channels} channels cannot have a kernel of the shape "
                         f"{kernel.shape.dims}")
    if not on_cpu():
        return stock["conv"](x, kernel, strides, padding, data_format, dilation_rate, channelwise)
    if data_format == "channels_first":
        return with_channels_last(lambda last: conv(last, kernel, strides, padding, "channels_last",
                                                    dilation_rate, channelwise), x)
    if (channelwise and padding in ("valid", "same")
            and all(isinstance(dim, int) for dim in x.shape.dims[1:])):
        ones = (1,) * (x.shape.ndims - 2)
        return convolutions.DepthwiseConvolution.function(
            x, kernel, tuple(strides or ones), padding, tuple(dilation_rate or ones))
    is_valid = padding == "valid" and not channelwise
    if is_valid and _normalization(x):
        return _conv_of_normalized(_normalization(x), kernel, strides, padding, data_format,
                                   dilation_rate)
    if (padding in ("valid", "same") and not channelwise and set(strides or ()) <= {1}
            and set(dilation_rate or ()) <= {1} and x.shape.ndims == 4
            and all(isinstance(dim, int) for dim in x.shape.dims[1:])):
        *window, channels, filters = kernel.shape.dims
        if channels == 1:
            return OneChannelConvolution.function(x if is_valid else _with_room_for(window, x), kernel)
        if is_valid and kernels.weights_collide_in_cache(window, filters):
            return WideConvolution.function(x, kernel)
    return stock["conv"](x, kernel, strides, padding, data_format, dilation_rate, channelwise)


def _with_room_for(window, x):
    """Images x with zeros around them, so that the window has a place at each pixel, as "same" asks."""
    spatial, ones = x.shape.dims[1:-1], (1,) * len(window)
    _, before = zip(*map(convolutions.places_and_padding, spatial, window, ones, ones, ["same"] * len(window)))
    return convolutions.with_zeros_around(x, before, [dim + size - 1 for dim, size in zip(spatial, window)])


def _conv_of_normalized(normalization, kernel, *arguments):
    """The convolution of scale * x + beta as one of x itself, with other weights and a bias.

    No normalized tensor is written or read, and the gradients of mean and variance come from
    those of the weights instead of sums over the tensor.
    """
    x, variance, gamma, beta = normalization.operands.values()
    scale = gamma / K.sqrt(variance + normalization.epsilon)
    bias = K.sum(kernel * K.expand_dims(beta, 1), axis=list(range(kernel.shape.ndims - 1)))
    # The bias goes first: what is made between a convolution and its sum would keep them apart.
    return bias + conv(x, kernel * K.expand_dims(scale, 1), *arguments)


def conv_transpose(x, kernel, output_shape, strides, padding, data_format, dilation_rate):
    """Transposed convolution of any rank; K.conv2d_transpose and conv3d_transpose come here."""
    sizes = [*output_shape[1:], *x.shape.dims[1:]]
    if not on_cpu() or padding not in ("valid", "same") or any(isinstance(size, Value) for size in sizes):
        return stock["conv_transpose"](x, kernel, output_shape, strides, padding, data_format,
                                       dilation_rate)
    is_last = K.normalize_data_format(data_format) == "channels_last"
    spatial = output_shape[1:-1] if is_last else output_shape[2:]

    def transposed(last):
        return convolutions.conv_transpose(last, kernel, spatial, strides, padding,
                                           dilation_rate or (1,) * len(strides))

    return transposed(x) if is_last else with_channels_last(transposed, x)


class MaxPool(Operation):
    """A 2-D max pool of signs * x, channels last, whose windows tile the image without overlap.

    signs (c,) holds 1 and -1. The channel has the last index of the alphabet, which a tile's loops
    run innermost.
    """

    def __init__(self, x, signs, window):
        self.window = tuple(window)
        rows, columns = self.window
        n, height, width, channels = x.shape.dims
        super().__init__(
            f"""function (X[N, H, W, C], Signs[C]) -> (O) {{
                    O[n, j, i, z : N, {height // rows}, {width // columns}, C] =
                        >(X[n, {rows}*j + y, {columns}*i + x, z] * Signs[z]),
                        y < {rows}, x < {columns};
                }}""", [("X", x), ("Signs", signs)],
            [("O", Shape(x.shape.dtype, (n, height // rows, width // columns, channels)))])


@_in_both_phases
def pool(x, pool_size, strides=None, padding="valid", data_format=None, pool_mode="max"):
    """Pooling of any rank; K.pool2d and K.pool3d come here."""
    data_format, strides = K.normalize_data_format(data_format), strides or (1,) * len(pool_size)
    if on_cpu() and data_format == "channels_first":
        return with_channels_last(lambda last: pool(last, pool_size, strides, padding, "channels_last",
                                                    pool_mode), x)
    *spatial, channels = x.shape.dims[1:]
    if on_cpu() and padding in ("valid", "same") and all(isinstance(dim, int) for dim in spatial):
        tiles = (tuple(strides) == tuple(pool_size)
                 and all(dim % size == 0 for dim, size in zip(spatial, pool_size)))
        if pool_mode == "max" and tiles and x.shape.ndims == 4:
            if is_plain_relu(x.source and x.source.op):  # the same, of a smaller tensor
                return relu(pool(x.source.op.operands["X"], pool_size, strides, padding, data_format))
            if _normalization(x):
                return _pool_of_normalized(_normalization(x), pool_size)
            return MaxPool.function(x, constant(np.ones(channels, K.dtype(x))), pool_size)
        if pool_mode == "avg":
            return convolutions.mean_pool(x, pool_size, strides, padding)
    return stock["pool"](x, pool_size, strides, padding, data_format, pool_mode)


def _pool_of_normalized(normalization, window):
    """The max pool of a normalized x as the normalization of a pooled x, of a smaller tensor.

    The largest of scale * x + shift is at the largest x, or where scale is negative at the
    largest -x.
    """
    x, variance, gamma, beta = normalization.operands.values()
    signs = kernel("Signs", "function (I) -> (O) { O = (I < 0.0 ? -1.0 : 1.0); }", {"I": gamma},
                   gamma.shape.dims)
    if isinstance(x.source.op, Deviations):  # taken off what is left of x
        x, mean = x.source.op.operands.values()
        pooled = Deviations.function(MaxPool.function(x, signs, window), mean * signs)
    else:
        pooled = MaxPool.function(x, signs, window)
    return Normalization.function(pooled, variance, gamma * signs, beta, normalization.epsilon)


def permute_dimensions(x, pattern):
    """x with its axes in the order that `pattern` gives."""
    return transpose(x, pattern)


def relu(x, alpha=0., max_value=None, threshold=0.):
    """max(x, 0), or one of its relatives.

    Keras passes alpha = 0, which PlaidML takes for a leaky relu and so misses its built-in one.
    """
    if max_value is not None and not isinstance(threshold, Value) and threshold < 0:
        # Keras cuts at zero then, too.
        kept = K.clip(K.switch(x < threshold, K.zeros_like(x), x), 0.0, max_value)
        return kept + alpha * K.minimum(x - threshold, 0.0)
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
