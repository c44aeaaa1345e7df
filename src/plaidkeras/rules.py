"""The table of gradient rules.

RULES maps (kind of operation, name of its operand) to a function

    rule(operation, g) -> the gradient of that operand

of the operation and the gradient g of its output; a rule for all operands (...) is a function of
(operation, g, operand's name). A rule need not undo broadcasting; the walk does. In place of a
function stands ZERO where the derivative is zero almost everywhere, NOT_DIFFERENTIABLE where there
is none, and PLAIDMLS_OWN where PlaidML's own gradient of the operation is correct and none of ours
is faster. An operation without a rule is left to PlaidML too, with a warning.
"""

from typing import NamedTuple

import keras.backend as K
import numpy as np
from plaidml.op import AutoPadding, ConvolutionDataFormat, ConvolutionGrouping, PoolDataFormat, PoolMode
from plaidml.tile import Value

from plaidkeras import convolutions, kernels
from plaidkeras.device import on_cpu
from plaidkeras.dropout import Dropped
from plaidkeras.dtypes import COMPARISONS, is_float
from plaidkeras.graph import arguments, is_plain_relu, kernel, kind, with_operands
from plaidkeras.kernels import indices, listed
from plaidkeras.missing_functions import Interpolation
from plaidkeras.stock_gradient import stock_gradient

ZERO = "zero"
NOT_DIFFERENTIABLE = "not differentiable"
PLAIDMLS_OWN = "PlaidML's own"
RULES = {}


class AffineTerm(NamedTuple):
    """A gradient of the form slope * (x - mean) + shift, for the operand x (..., c), the others (c,).

    The walk adds up all terms of an operand, and then makes one pass over the tensor.
    """

    x: Value
    mean: Value
    slope: Value
    shift: Value


def rule(kind: str, *operands: str):
    """Enter the decorated function into the table for these operands of a kind of operation."""
    def enter(function):
        for operand in operands:
            RULES[kind, operand] = function
        return function
    return enter


def elementwise(name: str, code: str, **inputs: Value) -> Value:
    """One Tile expression over tensors of one shape; `G` comes first and gives the shape."""
    code = f"function ({', '.join(inputs)}) -> (O) {{ O = {code}; }}"
    return kernel(name, code, inputs, inputs["G"].shape.dims)


# Arithmetic. PlaidML names an operation by the side of its Value: 1 - x is a RevSub.

for reverse in ("", "Rev"):
    RULES[reverse + "Add", "L"] = lambda op, g: g
    RULES[reverse + "Add", "R"] = lambda op, g: g
    RULES[reverse + "Sub", "L"] = lambda op, g: g
    RULES[reverse + "Sub", "R"] = lambda op, g: -g
    RULES[reverse + "Mul", "L"] = lambda op, g: g * op.operands["R"]
    RULES[reverse + "Mul", "R"] = lambda op, g: g * op.operands["L"]
    RULES[reverse + "TrueDiv", "L"] = lambda op, g: g / op.operands["R"]
    RULES[reverse + "TrueDiv", "R"] = lambda op, g: -g * op.operands["L"] / (op.operands["R"] * op.operands["R"])

RULES["Negate", "I"] = lambda op, g: -g
RULES["Identity", "I"] = RULES["Identity", "X"] = RULES["Copy", "I"] = lambda op, g: g
RULES["PrintTensor", "I"] = lambda op, g: g


def _chosen(operand, other, wins):
    """The rule for one operand of a maximum or minimum: the gradient goes to the one that `wins`,
    and equal operands share it, as they do in PyTorch."""
    loses = {">": "<", "<": ">"}[wins]
    mask = f"({operand} {wins} {other} ? 1.0 : ({operand} {loses} {other} ? 0.0 : 0.5))"
    return lambda op, g: elementwise(f"{op.name}Gradient", f"G * {mask}", G=g, **op.operands)


for name, wins in (("Maximum", ">"), ("Minimum", "<")):
    RULES[name, "L"] = _chosen("L", "R", wins)
    RULES[name, "R"] = _chosen("R", "L", wins)


RULES["Pow", "I"] = lambda op, g: elementwise("PowBase", "G * P * pow(I, P - 1.0)", G=g, **op.operands)
# Of a base of 0 and less the logarithm is no number.
RULES["Pow", "P"] = lambda op, g: elementwise(
    "PowExponent", "G * (I > 0.0 ? pow(I, P) * log(I) : 0.0)", G=g, **op.operands)


# Functions of one tensor. Where the derivative is simplest in terms of the output, it is.

def _of_output(op, expression, g):
    return elementwise(f"{op.name}Gradient", expression, G=g, Y=op.sole_output())


RULES["Exp", "I"] = lambda op, g: _of_output(op, "G * Y", g)
RULES["Tanh", "I"] = lambda op, g: _of_output(op, "G * (1.0 - Y * Y)", g)
RULES["Sigmoid", "I"] = lambda op, g: _of_output(op, "G * Y * (1.0 - Y)", g)
RULES["Log", "I"] = lambda op, g: g / op.operands["I"]
RULES["Sine", "I"] = lambda op, g: elementwise("SinGradient", "G * cos(I)", G=g, **op.operands)
RULES["Cosine", "I"] = lambda op, g: elementwise("CosGradient", "-G * sin(I)", G=g, **op.operands)
# At 0 and below the slope is infinite.
RULES["Sqrt", "I"] = lambda op, g: _of_output(op, "0.5 * G / Y", g)
# relu and abs at 0 have the gradient 0, as in TensorFlow. A product with a mask is faster
# than a choice between tensors.
RULES["Abs", "I"] = lambda op, g: elementwise(
    "AbsGradient", "G * (I > 0.0 ? 1.0 : (I < 0.0 ? -1.0 : 0.0))", G=g, **op.operands)
RULES["HardSigmoid", "X"] = lambda op, g: elementwise(
    "HardSigmoidGradient", "G * (X < -2.5 ? 0.0 : (X > 2.5 ? 0.0 : 0.2))", G=g, **op.operands)

# Of PrngStep and PrngState too: a draw takes the shape of its operand, not its values.
for name in ("Sign", "Round", "Floor", "Ceiling", "FloorDiv", "RevFloorDiv", *COMPARISONS, "Signs", "FilledLike",
             "ZerosLike", "OnesLike", "StopGradient", "ShapeOf", "SymbolicDim", "PrngStep", "PrngState"):
    RULES[name, ...] = ZERO
for name in ("ArgMax", "OneHot"):
    RULES[name, ...] = NOT_DIFFERENTIABLE


@rule("Relu", "X")
def relu(op, g):
    if is_plain_relu(op):
        # The choice between Y and Y lets it fuse into the kernel that made G; see add_affine.
        return _of_output(op, "G * ((G < 0.0 ? Y : Y) > 0.0 ? 1.0 : 0.0)", g)
    low = "Alpha" if "Alpha" in op.operands else "0.0"
    slope = f"(X > {'Thresh' if 'Thresh' in op.operands else '0.0'} ? 1.0 : {low})"
    if "MaxValue" in op.operands:
        slope = f"(X < MaxValue ? {slope} : 0.0)"
    return elementwise("ReluGradient", f"G * {slope}", G=g, **op.operands)


@rule("Elu", "X")
def elu(op, g):
    alpha = float(arguments(op)["alpha"])
    return elementwise("EluGradient", f"G * (X > 0.0 ? 1.0 : {alpha} * exp(X))", G=g, **op.operands)


RULES["ClipMin", "I"] = lambda op, g: elementwise(
    "ClipMinGradient", "G * (I < MIN_VAL ? 0.0 : 1.0)", G=g, **op.operands)
RULES["ClipMax", "I"] = lambda op, g: elementwise(
    "ClipMaxGradient", "G * (I > MAX_VAL ? 0.0 : 1.0)", G=g, **op.operands)


@rule("Cast", "I")
def cast(op, g):
    x = op.operands["I"]
    return K.cast(g, x.dtype) if is_float(x.shape.dtype) else ZERO


for name in ("Switch", "PhaseSwitch"):
    RULES[name, "C"] = ZERO
    RULES[name, "T"] = lambda op, g: elementwise("SwitchThen", "(C ? G : 0.0)", G=g, C=op.operands["C"])
    RULES[name, "E"] = lambda op, g: elementwise("SwitchElse", "(C ? 0.0 : G)", G=g, C=op.operands["C"])


# Shapes

@rule("Reshape", "I")
@rule("BatchFlatten", "I")
@rule("Flatten", "I")
@rule("ExpandDims", "IN")
def reshape(op, g):
    (operand,) = (value for name, value in op.operands.items() if name in ("I", "IN"))
    return kernels.reshape_like(g, operand)


# What gradients are made of, for gradients of gradients.
RULES["BroadcastLike", "X"] = lambda op, g: g
RULES["RestoreAxes", "I"] = RULES["ReshapeLike", "I"] = lambda op, g: kernels.reshape_like(
    g, op.operands["I"])
RULES["BroadcastLike", "L"] = RULES["ReshapeLike", "L"] = ZERO


@rule("Transpose", "X")
def transpose(op, g):
    return kernels.transpose(g, np.argsort(op.order).tolist())


# These move or add up elements: PlaidML's own gradient moves them back.
LINEAR = {"ConvolutionTranspose", "CumulativeSum", "Gather", "Repeat", "Reverse", "Tile", "_SliceOf"}
for name in LINEAR:
    RULES[name, ...] = PLAIDMLS_OWN
LINEAR |= {"BatchDot", "Convolution", "Dot"}  # in each operand, and elsewhere left to PlaidML


@rule("StockGradient", ...)
def gradient_again(op, g, operand):
    """PlaidML cannot differentiate its gradients: of what is linear the first one's is known."""
    is_mean = kind(op.operation) == "Pool" and arguments(op.operation)["mode"] != PoolMode.MAX
    if kind(op.operation) not in LINEAR and not is_mean:
        return stock_gradient(op, operand, g)
    if operand == op.operand:
        return ZERO
    of_g = with_operands(op.operation, {op.operand: g})
    if operand == "Gradient":
        return of_g.sole_output()
    return stock_gradient(of_g, operand, op.operands["Gradient"])


@rule("Concatenate", ...)
def concatenate(op, g, operand):
    axis, parts = arguments(op)["axis"] % g.shape.ndims, list(op.operands)
    sizes = [part.shape.dims[axis] for part in op.operands.values()]
    if any(isinstance(size, Value) for size in sizes):
        return stock_gradient(op, operand, g)
    offsets = [0] * g.shape.ndims
    offsets[axis] = sum(sizes[:parts.index(operand)])
    return kernels.part(g, offsets, op.operands[operand])


@rule("SpatialPadding", "I")
def spatial_padding(op, g):
    given = arguments(op)
    offsets = [before for before, _ in given["padding"]]
    is_last = K.normalize_data_format(given["data_format"]) == "channels_last"
    return kernels.part(g, [0, *offsets, 0] if is_last else [0, 0, *offsets], op.operands["I"])


@rule("RepeatElements", "I")
def repeat_elements(op, g):
    return kernels.sum_of_repeats(g, op.axis, op.count, op.operands["I"].shape.dims)


RULES["Interpolation", "I"] = lambda op, g: Interpolation.function(g, op.matrix.T, op.axis)


# Reductions

def _restored(op, g):
    """A reduction's operand, the axes it reduced, and its g with these axes put back as ones."""
    given, x = arguments(op), op.operands["I"]
    axes = given["axes"]
    axes = range(x.shape.ndims) if axes is None else [axes] if isinstance(axes, int) else axes
    axes = sorted(axis % x.shape.ndims for axis in axes)
    return x, axes, g if given["keepdims"] else kernels.restore_axes(g, x, axes)


@rule("Summation", "I")
def summation(op, g):
    x, _, restored = _restored(op, g)
    return kernels.broadcast_like(restored, x)


@rule("Mean", "I")
def mean(op, g):
    x, axes, restored = _restored(op, g)
    return kernels.broadcast_like(restored / kernels.count(x, axes), x)


@rule("Variance", "I")
def variance(op, g):
    x, axes, restored = _restored(op, g)
    return (x - op.operands["M"]) * (restored * 2.0 / kernels.count(x, axes))


# Variance takes the mean as an operand, but deviations from a mean sum to zero.
RULES["Variance", "M"] = ZERO


@rule("Prod", "I")
def product(op, g):
    x, axes, restored = _restored(op, g)
    _, _, products = _restored(op, op.sole_output())
    return restored * products / x


@rule("MaxReduce", "I")
@rule("MinReduce", "I")
def extreme(op, g):
    # Equal extremes share the gradient, as in TensorFlow.
    x, axes, restored = _restored(op, g)
    _, _, extremes = _restored(op, op.sole_output())
    is_extreme = elementwise("IsExtreme", "(G == Y ? 1.0 : 0.0)", G=x, Y=extremes)
    return is_extreme * (restored / kernels.sum_to(is_extreme, axes, keepdims=True))


# Products

@rule("BatchDot", ...)
def batch_dot(op, g, operand):
    """Of matrices by matrices, in the order of axes that the matrix kernels ask for."""
    x, y = op.operands["X"], op.operands["Y"]
    if x.shape.ndims != 3 or y.shape.ndims != 3 or g.shape.ndims != 3:
        return stock_gradient(op, operand, g)
    axes = arguments(op)["axes"]
    axes = (2, 1) if axes is None else (axes, axes) if isinstance(axes, int) else tuple(axes)
    if operand == "X":  # (n, rows, k): g (n, rows, columns) times y (n, columns, k)
        y = kernels.transpose(y, (0, 3 - axes[1], axes[1]))
        return _with_axis_at(kernels.batch_matmul(g, y), axes[0])
    x = kernels.transpose(x, (0, axes[0], 3 - axes[0]))  # (n, k, rows)
    return _with_axis_at(kernels.transpose(kernels.batch_matmul(x, g), (0, 2, 1)), axes[1])


def _with_axis_at(x, axis):
    """x, whose last axis goes to where the operand has it."""
    return x if axis == 2 else kernels.transpose(x, (0, 2, 1))


@rule("Dot", "X")
@rule("DotInParts", "X")
def dot_left(op, g):
    x, y = op.operands["X"], op.operands["Y"]
    if y.shape.ndims != 2 or not on_cpu():
        return stock_gradient(op, "X", g)
    return kernels.reshape_like(kernels.dense_input_gradient(kernels.flatten_rows(g), y), x)


@rule("Dot", "Y")
@rule("DotInParts", "Y")
def dot_right(op, g):
    x, y = op.operands["X"], op.operands["Y"]
    if y.shape.ndims != 2 or not on_cpu():
        return stock_gradient(op, "Y", g)
    return kernels.dense_kernel_gradient(kernels.flatten_rows(x), kernels.flatten_rows(g))


RULES["DenseInputGradient", "G"] = lambda op, g: K.dot(g, op.operands["W"])
RULES["DenseInputGradient", "W"] = lambda op, g: kernels.dense_kernel_gradient(g, op.operands["G"])
RULES["DenseKernelGradient", "X"] = lambda op, g: kernels.dense_input_gradient(op.operands["G"], g)
RULES["DenseKernelGradient", "G"] = lambda op, g: K.dot(op.operands["X"], g)
RULES["FlattenRows", "I"] = lambda op, g: kernels.reshape_like(g, op.operands["I"])
RULES["BatchMatMul", "X"] = lambda op, g: kernels.batch_matmul(
    g, kernels.transpose(op.operands["Y"], (0, 2, 1)))
RULES["BatchMatMul", "Y"] = lambda op, g: kernels.batch_matmul(
    kernels.transpose(op.operands["X"], (0, 2, 1)), g)


def _plain_convolution(op):
    """Strides, dilation and padding of a convolution that has a fast formulation, else None: on
    the CPU, channels last, not grouped."""
    if kind(op) != "Convolution":  # one of backend.py, which has none of these
        return (1, 1), (1, 1), (0, 0)
    if not on_cpu():  # the formulations below are shaped for the CPU's matrix kernels
        return None
    given = arguments(op)
    x, weights = op.operands["I"], op.operands["K"]
    window, spatial = weights.shape.dims[:-2], x.shape.dims[1:-1]
    if (given["data_format"] != ConvolutionDataFormat.CHANNELS_LAST
            or given["grouping"] != ConvolutionGrouping.NONE
            or given["padding"] not in (AutoPadding.VALID, AutoPadding.SAME_UPPER)
            or any(isinstance(dim, Value) for dim in spatial)):
        return None
    ones = (1,) * len(window)
    strides, dilation = tuple(given["strides"] or ones), tuple(given["dilation_rate"] or ones)
    padding = "same" if given["padding"] == AutoPadding.SAME_UPPER else "valid"
    return strides, dilation, tuple(
        convolutions.places_and_padding(dim, size, stride, rate, padding)[1]
        for dim, size, stride, rate in zip(spatial, window, strides, dilation))


@rule("Convolution", "I")
@rule("OneChannelConvolution", "I")
@rule("WideConvolution", "I")
def convolution_input(op, g):
    plain = _plain_convolution(op)
    if not plain:
        return stock_gradient(op, "I", g)
    return convolutions.input_gradient(g, op.operands["K"], op.operands["I"].shape.dims, *plain)


@rule("Convolution", "K")
@rule("WideConvolution", "K")
def convolution_weights(op, g):
    plain = _plain_convolution(op)
    if not plain:
        return stock_gradient(op, "K", g)
    strides, dilation, padding = plain
    return kernels.conv_kernel_gradient(op.operands["I"], g, op.operands["K"].shape.dims,
                                        dilation, padding, strides)


# The gradients of a convolution are linear in each operand, as it is itself: those of theirs are
# convolutions and gradients of convolutions.

def _convolved(x, weights, y, strides, dilation):
    """The convolution of x by weights that makes a tensor of the shape of y."""
    is_valid = y.shape.dims[1:-1] == tuple(
        (dim - (size - 1) * rate - 1) // stride + 1 for dim, stride, size, rate in zip(
            x.shape.dims[1:-1], strides, weights.shape.dims, dilation))
    return K.conv(x, weights, tuple(strides), "valid" if is_valid else "same", "channels_last", tuple(dilation))


@rule("ConvInputGradient", ...)
def convolution_input_again(op, g, operand):
    dy, weights = op.operands.values()
    dilation, padding = op.geometry
    ones = (1,) * len(dilation)
    if operand == "G":
        return _convolved(g, weights, dy, ones, dilation)
    return kernels.conv_kernel_gradient(g, dy, weights.shape.dims, dilation, padding, ones)


@rule("ConvKernelGradient", ...)
def convolution_weights_again(op, g, operand):
    x, dy = op.operands.values()
    dilation, padding, strides = op.geometry
    if operand == "G":
        return _convolved(x, g, dy, strides, dilation)
    return convolutions.input_gradient(dy, g, x.shape.dims, strides, dilation, padding)


@rule("OneChannelConvKernelGradient", ...)
def one_channel_convolution_weights_again(op, g, operand):
    x, dy = op.operands.values()
    if operand == "G":
        return K.conv(x, g, data_format="channels_last", padding="valid")
    return kernels.conv_input_gradient(dy, g, x.shape.dims, (1, 1), (0, 0))


RULES["DepthwiseConvolution", "X"] = lambda op, g: convolutions.depthwise_input_gradient(
    *op.operands.values(), g, *op.geometry)
RULES["DepthwiseConvolution", "K"] = lambda op, g: convolutions.depthwise_kernel_gradient(
    *op.operands.values(), g, *op.geometry)
RULES["SpaceToDepth", "I"] = lambda op, g: convolutions.DepthToSpace.function(
    g, *op.geometry[:2], op.operands["I"].shape.dims[1:-1], op.geometry[3])
RULES["DepthToSpace", "I"] = lambda op, g: convolutions.SpaceToDepth.function(
    g, *op.geometry[:2], op.operands["I"].shape.dims[1:-1], op.geometry[2])


RULES["LocalConvolution", "I"] = lambda op, g: convolutions.local_input_gradient(
    *op.operands.values(), g, op.strides)
RULES["LocalConvolution", "K"] = lambda op, g: convolutions.local_kernel_gradient(
    *op.operands.values(), g, op.strides)
RULES["OneChannelConvolution", "K"] = lambda op, g: kernels.one_channel_conv_kernel_gradient(
    op.operands["I"], g, op.operands["K"].shape.dims)


# Pooling

@rule("Pool", "I")
def pool(op, g):
    given, x, y = arguments(op), op.operands["I"], op.sole_output()
    channels_last = given["data_format"] == PoolDataFormat.NXC
    spatial = x.shape.dims[1:-1] if channels_last else x.shape.dims[2:]
    is_padded = given["padding"] != AutoPadding.VALID
    if given["mode"] != PoolMode.MAX or given["pads"] or (
            is_padded and any(isinstance(dim, Value) for dim in spatial)):
        return stock_gradient(op, "I", g)
    window, strides, padding = given["kernel_shape"], given["strides"], (0,) * len(spatial)
    if is_padded:
        padding = [convolutions.places_and_padding(dim, size, stride, 1, "same")[1]
                   for dim, size, stride in zip(spatial, window, strides)]

    def gradient(x, y, g):
        return kernels.max_pool_input_gradient(x, y, g, window, strides, padding)

    return gradient(x, y, g) if channels_last else kernels.with_channels_last(gradient, x, y, g)


@rule("MaxPool", "X")
def max_pool(op, g):
    x, signs = op.operands.values()
    return kernels.max_pool_input_gradient(
        x, signs * op.sole_output(), signs * g, op.window, op.window, (0, 0))


RULES["MaxPool", "Signs"] = ZERO


@rule("MaxPoolInputGradient", "G")
def pool_gradient(op, g):
    x, y, ranks, _ = op.operands.values()
    return kernels.max_pool_picked(x, y, ranks, g, *op.geometry)


@rule("MaxPoolPicked", "P")
def pool_picked(op, g):
    x, y, ranks, _ = op.operands.values()
    return kernels.max_pool_input_gradient(x, y, g, ranks.shape.dims, *op.geometry)


for name in ("MaxPoolInputGradient", "MaxPoolPicked"):
    RULES[name, "X"] = RULES[name, "Y"] = ZERO


# Normalization, over the last axis; see backend.py

def _channel_sums(op, g):
    """Sums over all but the channels of g and of g * x, made once for all operands."""
    made = vars(op).setdefault("channel_sums", {})
    if g.key not in made:
        made[g.key] = (kernels.sum_to_channels(g),
                       kernels.product_sum_to_channels(g, op.operands["X"]))
    return made[g.key]


def _inverse_deviation(op):
    return kernel("InverseDeviation", f"function (V) -> (O) {{ O = 1.0 / sqrt(V + {op.epsilon}); }}",
                  {"V": op.operands["V"]}, op.operands["V"].shape.dims)


@rule("Normalization", "X")
def normalization_input(op, g):
    scale = _inverse_deviation(op) * op.operands["Gamma"]
    gradient = kernels.scale_channels(g, scale)
    gradient.channel_sums = scale * _channel_sums(op, g)[0]  # without a pass over it
    return gradient


@rule("Normalization", "V")
def normalization_variance(op, g):
    inverse = _inverse_deviation(op)
    return (_channel_sums(op, g)[1] * op.operands["Gamma"]
            * (inverse * inverse * inverse) * -0.5)


RULES["Normalization", "Gamma"] = lambda op, g: _channel_sums(op, g)[1] * _inverse_deviation(op)
RULES["Normalization", "Beta"] = lambda op, g: _channel_sums(op, g)[0]
RULES["Deviations", "X"] = lambda op, g: g
RULES["Deviations", "Mean"] = lambda op, g: -kernels.sum_to_channels(g)


@rule("ChannelMean", "X")
def channel_mean(op, g):
    x = op.operands["X"]
    shift = g / kernels.count(x, range(x.shape.ndims - 1))
    return AffineTerm(x, op.sole_output(), kernels.filled_like(shift, 0.0), shift)


@rule("ChannelVariance", "X")
def channel_variance(op, g):
    """2 / n * (x - mean) * g; deviations from a mean sum to zero, so the mean has no part."""
    x, mean, _ = op.operands.values()
    slope = 2.0 * g / kernels.count(x, range(x.shape.ndims - 1))
    return AffineTerm(x, mean, slope, kernels.filled_like(slope, 0.0))


RULES["ChannelVariance", "D"] = ZERO
RULES["ChannelVariance", "Mean"] = ZERO


# Noise

# The same draws as forward: what was dropped passes nothing back.

RULES["Dropped", "X"] = lambda op, g: Dropped.function(g, op.operands["S"], *op.geometry)
RULES["Dropped", "S"] = ZERO


@rule("PrngValue", "X")
def dropped(op, g):
    return kernel("DropoutGradient", """function (I, X, L) -> (O) {
                      R = 1.0 - L;
                      O = X * (prng_value(I) < R ? 1.0 / R : 0.0);
                  }""", {"I": op.operands["I"], "X": g, "L": op.operands["L"]}, g.shape.dims,
                  dtype=g.shape.dtype)


RULES["PrngValue", "I"] = ZERO
RULES["PrngValue", "L"] = NOT_DIFFERENTIABLE


# Softmax and the losses

@rule("Softmax", "X")
def softmax(op, g):
    y = op.sole_output()
    return y * (g - kernels.sum_to(g * y, [g.shape.ndims - 1], keepdims=True))


def _of_rows(op, g, name, code):
    """A function of logits and targets (..., k) and of the gradient (...) of their cross-entropy.

    In its code D are the logits less the largest, E their exponentials, S the sums of these, and
    H the gradient, the last two (..., 1).
    """
    row = listed(*indices("n", op.operands["X"].shape.ndims - 1))
    rows = row.upper()
    return kernel(
        name, f"""function (X[{rows}, K], T[{rows}, K], G[{rows}]) -> (O) {{
            M[{row}, z : {rows}, 1] = >(X[{row}, k]);
            D = X - M;
            E = exp(D);
            S[{row}, z : {rows}, 1] = +(E[{row}, k]);
            H[{row}, z : {rows}, 1] = =(G[{row}]);
            {code.format(row=row, rows=rows)}
        }}""", {**op.operands, "G": g}, op.operands["X"].shape.dims)


@rule("SoftmaxCrossentropy", "X")
def softmax_crossentropy_logits(op, g):
    return _of_rows(op, g, "SoftmaxCrossentropyGradient", """
        W[{row}, z : {rows}, 1] = +(T[{row}, k]);
        O = H * (W * E / S - T);""")


@rule("SoftmaxCrossentropy", "T")
def softmax_crossentropy_target(op, g):
    return _of_rows(op, g, "SoftmaxCrossentropyTarget", "O = H * (log(S) - D);")


@rule("CategoricalCrossentropy", "O")
def categorical_crossentropy_output(op, g):
    target, output = op.operands["T"], op.operands["O"]
    return -kernels.restore_axes(g, output, [output.shape.ndims - 1]) * target / output


@rule("CategoricalCrossentropy", "T")
def categorical_crossentropy_target(op, g):
    output = op.operands["O"]
    return -kernels.restore_axes(g, output, [output.shape.ndims - 1]) * K.log(output)


@rule("BinaryCrossentropy", "O")
def binary_crossentropy_output(op, g):
    return elementwise("BinaryCrossentropyGradient", "G * (P - T) / (P * (1.0 - P))", G=g,
                       P=op.operands["O"], T=op.operands["T"])


@rule("BinaryCrossentropy", "T")
def binary_crossentropy_target(op, g):
    return elementwise("BinaryCrossentropyTarget", "G * (log(1.0 - P) - log(P))", G=g,
                       P=op.operands["O"])
