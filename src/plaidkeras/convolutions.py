"""Convolutions of other kinds, and mean pools: channels last.

A plain convolution and its gradients meet the matrix kernels of PlaidML's CPU (kernels.py). One that
keeps its channels apart needs so few products that it is done element by element; a mean pool is one
with equal weights. A transposed convolution is the gradient of a plain one.
"""

import math

import keras.backend as K
import numpy as np
from plaidml.tile import Operation, Shape, Value

from plaidkeras import kernels
from plaidkeras.graph import kernel
from plaidkeras.kernels import indices, listed


def places_and_padding(dim: int, size: int, stride: int, rate: int, padding: str) -> tuple[int, int]:
    """Along one axis: how many places a window has, and how much lies before the image at the first."""
    reach = (size - 1) * rate + 1
    if padding == "valid":
        return (dim - reach) // stride + 1, 0
    places = -(-dim // stride)
    return places, max(0, (places - 1) * stride + reach - dim) // 2


class DepthwiseConvolution(Operation):
    """A convolution of x (n, *spatial, c) by weights (*window, c, m) that keeps its channels apart:
    (n, *places, c * m)."""

    def __init__(self, x, weights, strides, padding, dilation):
        *window, channels, multiplier = weights.shape.dims
        spatial = x.shape.dims[1:-1]
        places, before = zip(*map(
            places_and_padding, spatial, window, strides, dilation, [padding] * len(window)))
        self.geometry = strides, dilation, before
        # Zeros around a copy are faster than bounds in the loop.
        padded = [max(dim + start, (count - 1) * stride + (size - 1) * rate + 1) for dim, start, count, stride,
                  size, rate in zip(spatial, before, places, strides, window, dilation)]
        i = indices("i", len(window))
        put = listed(*(f"{axis} + {start}" for axis, start in zip(i, before)))
        super().__init__(
            _depthwise("function (X[N, {x}, C], K[{k}, C, M]) -> (O) {{"
                       f" P[n, {put}, z : N, {listed(*map(str, padded))}, C] = =(X[n, {listed(*i)}, z]);"
                       f" O[n, {{i}}, {{z}} : N, {listed(*map(str, places))}, C * M] ="
                       "   +(P[n, {read}, z] * K[{a}, z, {m}]){bound}; }}",
                       window, strides, dilation, (0,) * len(window), multiplier),
            [("X", x), ("K", weights)],
            [("O", Shape(x.shape.dtype, (x.shape.dims[0], *places, channels * multiplier)))])


UNROLLED = 25  # places


def window_indices(window) -> list[str]:
    """Names for the places of a window. Where there are few they are last in the alphabet, behind the channel's
    z, and run innermost: LLVM unrolls them, and adds up several channels at a time in a register."""
    return indices("za" if math.prod(window) <= UNROLLED else "a", len(window))


def _depthwise(code, window, strides, dilation, before, multiplier):
    """Tile code with the names of the indices and sizes of a depthwise convolution put in."""
    i, a = indices("i", len(strides)), window_indices(window)
    read = listed(*(f"{stride}*{axis} + {rate}*{place} - {start}" for stride, axis, rate, place, start
                    in zip(strides, i, dilation, a, before)))
    names = {"m": "0", "z": "z", "bound": ""} if multiplier == 1 else {
        "m": "m", "z": f"{multiplier}*z + m", "bound": f", m < {multiplier} no_defract"}
    return code.format(x=listed(*indices("X", len(i))), k=listed(*a).upper(), i=listed(*i), a=listed(*a),
                       I=listed(*i).upper(), read=read, **names)


def depthwise_input_gradient(x: Value, weights: Value, dy: Value, strides, dilation, before) -> Value:
    """The gradient of DepthwiseConvolution with respect to x: a convolution of stride 1 by the weights
    turned round, of dy with its elements a stride apart and zeros between and around them."""
    rank, window = len(strides), weights.shape.dims[:-2]
    i, a = indices("i", rank), window_indices(window)
    reach = [(size - 1) * rate for size, rate in zip(window, dilation)]
    put = listed(*(f"{stride}*{axis} + {far - start}"
                   for stride, axis, far, start in zip(strides, i, reach, before)))
    spread = listed(*(str(dim + far) for dim, far in zip(x.shape.dims[1:-1], reach)))
    turned = listed(*(f"{size - 1} - {place}" for size, place in zip(window, a)))
    bounds = listed(*(f"{axis} < {dim}" for axis, dim in zip(i, dy.shape.dims[1:-1])))
    return kernel("DepthwiseInputGradient", _depthwise(
        "function (X[N, {x}, C], K[{k}, C, M], G[N, {I}, D]) -> (O) {{"
        f" P[n, {put}, z : N, {spread}, D] = =(G[n, {listed(*i)}, z]), {bounds} no_defract;"
        f" O[n, {{i}}, z : N, {{x}}, C] = +(P[n, {{read}}, {{z}}] * K[{turned}, z, {{m}}]){{bound}}; }}}}",
        window, (1,) * rank, dilation, (0,) * rank, weights.shape.dims[-1]),
        {"X": x, "K": weights, "G": dy}, x.shape.dims)


def depthwise_kernel_gradient(x: Value, weights: Value, dy: Value, strides, dilation, before) -> Value:
    """The gradient of DepthwiseConvolution with respect to its weights, summed row by row first."""
    return kernel("DepthwiseKernelGradient", _depthwise(
        "function (X[N, {x}, C], K[{k}, C, M], G[N, {I}, D]) -> (O) {{"
        " P[n, i0, {a}, {m}, z : N, I0, {k}, M, C] = +(X[n, {read}, z] * G[n, {i}, {z}]){bound};"
        " Q[n, {a}, p, z : N, {k}, M, C] = +(P[n, i, {a}, p, z]);"
        " O[{a}, z, q : {k}, C, M] = +(Q[n, {a}, q, z]); }}",
        weights.shape.dims[:-2], strides, dilation, before, weights.shape.dims[-1]),
        {"X": x, "K": weights, "G": dy}, weights.shape.dims)


class SpaceToDepth(Operation):
    """x (n, *spatial, c) as (n, *places, phases * c): at a place the elements of x from stride * place - offset on,
    `phases` along each axis, one after the other; zeros where x has none."""

    def __init__(self, x, strides, offsets, places, phases):
        self.geometry = strides, offsets, places, phases
        near, far, bounds = _of_phases(strides, offsets, phases, "C")
        super().__init__(
            f"function (I[N, {listed(*indices('X', len(phases)))}, C]) -> (O) {{"
            f" O[n, {near} : N, {listed(*map(str, places))}, {math.prod(phases)} * C] = =(I[n, {far}]){bounds}; }}",
            [("I", x)], [("O", Shape(x.shape.dtype, (
                x.shape.dims[0], *places, math.prod(phases) * x.shape.dims[-1])))])


class DepthToSpace(Operation):
    """The x (n, *spatial, c) of which SpaceToDepth made this; no more phases than the stride. Zeros where it
    did not look."""

    def __init__(self, x, strides, offsets, spatial, phases):
        self.geometry = strides, offsets, phases
        places, channels = x.shape.dims[1:-1], x.shape.dims[-1] // math.prod(phases)
        near, far, bounds = _of_phases(strides, offsets, phases, channels)
        limits = listed(*(f"{t} < {count}" for t, count in zip(indices("t", len(phases)), places)))
        super().__init__(
            f"function (I[N, {listed(*indices('T', len(phases)))}, D]) -> (O) {{"
            f" O[n, {far} : N, {listed(*map(str, spatial))}, {channels}] ="
            f" =(I[n, {near}]), z < {channels}, {limits}{bounds or ' no_defract'}; }}",
            [("I", x)], [("O", Shape(x.shape.dtype, (x.shape.dims[0], *spatial, channels)))])


def _of_phases(strides, offsets, phases, channels) -> tuple[str, str, str]:
    """Tile code: where an element is among the places and phases, where in space, and the bounds of the phases."""
    t, p = indices("t", len(phases)), indices("p", len(phases))
    channel, step, bounds = "z", f"{channels}", ""
    for axis, count in reversed([*zip(p, phases)]):
        if count > 1:
            channel, step = f"{step} * {axis} + {channel}", f"{count} * {step}"
            bounds += f", {axis} < {count}"
    space = (f"{stride}*{place} - {offset}" + (f" + {axis}" if count > 1 else "")
             for stride, place, offset, axis, count in zip(strides, t, offsets, p, phases))
    return listed(*t, channel), listed(*space, "z"), bounds and f"{bounds} no_defract"


def with_zeros_around(x: Value, before, spatial) -> Value:
    """x (n, *spatial, c) in an image of another size, `before` from its beginning."""
    ones = (1,) * len(before)
    return SpaceToDepth.function(x, ones, before, spatial, ones)


def input_gradient(dy: Value, weights: Value, dims, strides, dilation, padding) -> Value:
    """kernels.conv_input_gradient, of any strides: also the transposed convolution of dy."""
    if set(strides) != {1}:
        if set(dilation) == {1}:
            return _strided_input_gradient(dy, weights, dims, strides, padding)
        # To one of stride 1, with zeros where no place was.
        apart = [(places - 1) * stride + 1 for places, stride in zip(dy.shape.dims[1:-1], strides)]
        dy = DepthToSpace.function(dy, strides, (0,) * len(strides), apart, (1,) * len(strides))
    return kernels.conv_input_gradient(dy, weights, dims, dilation, padding)


def _strided_input_gradient(dy: Value, weights: Value, dims, strides, padding) -> Value:
    """Elements of the input as far apart as the stride met the same weights: their gradient is that of a
    convolution of stride 1 by these alone. All such convolutions are one, with the elements between two as
    channels.
    """
    *window, c, d = weights.shape.dims
    phases = [min(pair) for pair in zip(window, strides)]
    taps = [-(-size // stride) for size, stride in zip(window, strides)]
    places = [(dim - 1 + before) // stride + 1 for dim, before, stride in zip(dims[1:-1], padding, strides)]
    zeros = (0,) * len(strides)
    apart = SpaceToDepth.function(K.reshape(weights, (1, *window, c * d)), strides, zeros, taps, phases)
    together = kernels.conv_input_gradient(
        dy, K.reshape(apart, (*taps, math.prod(phases) * c, d)),
        (dims[0], *places, math.prod(phases) * c), (1,) * len(strides), zeros)
    return DepthToSpace.function(together, strides, padding, dims[1:-1], phases)


def conv_transpose(x, weights, spatial, strides, padding, dilation):
    """The transposed convolution of x (n, *spatial, c), channels last, to an image of a size.

    weights (*window, d, c); `padding` is that of the convolution that it is the transpose of.
    """
    before = [max(0, (places - 1) * stride + (size - 1) * rate + 1 - wanted) // 2 if padding == "same" else 0
              for places, stride, size, rate, wanted in zip(
                  x.shape.dims[1:-1], strides, weights.shape.dims, dilation, spatial)]
    return input_gradient(x, weights, (x.shape.dims[0], *spatial, weights.shape.dims[-2]), strides, dilation, before)


def mean_pool(x, window, strides, padding):
    """The mean of each window of x (n, *spatial, c), of what is not padding."""
    channels, dtype, ones = x.shape.dims[-1], K.dtype(x), (1,) * len(window)
    weights = np.full((*window, channels, 1), 1 / np.prod(window), dtype)
    means = DepthwiseConvolution.function(x, kernels.constant(weights), tuple(strides), padding, ones)
    if padding == "valid":
        return means
    shares = np.ones(())
    for size, wide, stride in zip(x.shape.dims[1:-1], window, strides):
        places, before = places_and_padding(size, wide, stride, 1, padding)
        first = np.arange(places) * stride - before
        inside = np.minimum(first + wide, size) - np.maximum(first, 0)
        shares = np.multiply.outer(shares, inside / wide)
    return means / kernels.constant(shares[None, ..., None].astype(dtype))


class LocalConvolution(Operation):
    """A convolution of x (n, *spatial, c) with other weights at each place: (*places, *window, c, d)."""

    def __init__(self, x, weights, strides):
        self.strides, places = tuple(strides), weights.shape.dims[:len(strides)]
        super().__init__(_local(
            self.strides, "function (I[N, {x}, C], K[{p}, {k}, C, D]) -> (O) {{"
            " O[n, {at}, d : N, {p}, D] = +(I[n, {read}, c] * K[{at}, {place}, c, d]); }}"),
            [("I", x), ("K", weights)],
            [("O", Shape(x.shape.dtype, (x.shape.dims[0], *places, weights.shape.dims[-1])))])


def _local(strides, code):
    """Tile code with the names of the indices and sizes of a local convolution put in."""
    rank = len(strides)
    at, place = indices("p", rank), indices("k", rank)
    read = listed(*(f"{stride}*{p} + {k}" for stride, p, k in zip(strides, at, place)))
    return code.format(x=listed(*indices("X", rank)), p=listed(*at).upper(), k=listed(*place).upper(),
                       at=listed(*at), place=listed(*place), read=read)


def local_input_gradient(x: Value, weights: Value, dy: Value, strides) -> Value:
    """The gradient of LocalConvolution with respect to x."""
    return kernel("LocalInputGradient", _local(
        strides, "function (I[N, {x}, C], K[{p}, {k}, C, D], G[N, {p}, D]) -> (O) {{"
        " O[n, {read}, c : N, {x}, C] = +(G[n, {at}, d] * K[{at}, {place}, c, d]); }}"),
        {"I": x, "K": weights, "G": dy}, x.shape.dims)


def local_kernel_gradient(x: Value, weights: Value, dy: Value, strides) -> Value:
    """The gradient of LocalConvolution with respect to its weights."""
    return kernel("LocalKernelGradient", _local(
        strides, "function (I[N, {x}, C], K[{p}, {k}, C, D], G[N, {p}, D]) -> (O) {{"
        " O[{at}, {place}, c, d : {p}, {k}, C, D] = +(I[n, {read}, c] * G[n, {at}, d]); }}"),
        {"I": x, "K": weights, "G": dy}, weights.shape.dims)


def local_convolution(x, weights, window, strides, places, data_format):
    """LocalConvolution as Keras asks for it: weights (places, window and channels, filters), whose
    middle axis begins with the channels where x does."""
    channels, filters = x.shape.dims[-1 if data_format == "channels_last" else 1], weights.shape.dims[-1]
    rank = len(window)
    if data_format == "channels_last":
        return LocalConvolution.function(
            x, K.reshape(weights, (*places, *window, channels, filters)), strides)
    weights = kernels.transpose(
        K.reshape(weights, (*places, channels, *window, filters)),
        [*range(rank), *range(rank + 1, 2 * rank + 1), rank, 2 * rank + 1])
    return kernels.with_channels_last(lambda last: LocalConvolution.function(last, weights, strides), x)
