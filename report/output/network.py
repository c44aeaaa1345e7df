"""A trained network as a script, with which the page of drawn digits computes (assets/draw/network.js).

A classic script, because a browser reads nothing else from a folder without a server. Arrays are in
base64. Batch normalization is folded from four numbers a channel into a factor and an offset; it
keeps its place among the layers, whose activations the page shows one by one.
"""

import base64
import json
from dataclasses import asdict, dataclass

import numpy as np

from digits.run import Layer, Member
from report.text import formats

# float16 is as good as exact, int8 nearly. A network of more parameters than fit into a script of 1 MB has
# its large kernels in int8: those of the dense layers, whose many products even out what is lost.
MAX_FLOAT16, LARGE = 350_000, 100_000
ACTIVATIONS = "linear", "relu", "softmax"


class NotComputed(Exception):
    """The page cannot compute this network; the message says what it lacks, for a sentence."""


@dataclass(frozen=True)
class Packed:
    """An array as text. `kind`: "float32", "float16", or "int8", which is multiplied by the `scale`
    (float32) of its last axis."""

    kind: str
    data: str
    scale: str | None = None


@dataclass(frozen=True)
class Step:
    """One layer; `shape` is that of its output, `kind` Keras's name of it. A kernel of a convolution is
    (height, width, in, out), of a dense layer (in, out), the factor of a normalization (channels,)."""

    name: str
    kind: str
    shape: tuple[int, ...]
    activation: str = "linear"
    size: tuple[int, int] | None = None
    strides: tuple[int, int] | None = None
    same: bool = False
    kernel: Packed | None = None
    bias: Packed | None = None


def script(member: Member, **others) -> bytes:
    """Of the network and of `others`, which JSON can hold, as `DRAWN`. Raises NotComputed."""
    content = {"steps": [asdict(step) for step in steps(member)], **others}
    return f"const DRAWN = {json.dumps(content, separators=(',', ':'))};\n".encode()


def steps(member: Member) -> list[Step]:
    """The layers with all that computing them needs. Raises NotComputed, RunError."""
    found, shape = [], (28, 28, 1)
    small = sum(layer.parameters for layer in member.layers) <= MAX_FLOAT16
    for layer in member.layers:
        if layer.kind not in _STEPS:
            raise NotComputed(f"its layer {layer.name} is of a kind that is not computed here, {layer.kind}")
        weights = {name.partition("/")[2]: values for name, values in member.weights.items()
                   if name.partition("/")[0] == layer.name}
        try:
            with np.errstate(all="ignore"):  # a stranger's weights may give NaN
                step = _STEPS[layer.kind](layer, shape, weights, member.architecture.get(layer.name, {}), small)
        except KeyError as missing:
            raise NotComputed(f"its layer {layer.name} has no {missing} in this run") from None
        except (ValueError, TypeError, ArithmeticError, IndexError) as error:
            raise NotComputed(f"its layer {layer.name} is not whole in this run ({error})") from None
        if step.activation not in ACTIVATIONS or step.activation == "softmax" and len(step.shape) > 1:
            raise NotComputed(f"its layer {layer.name} has an activation that is not computed here, "
                              f"{step.activation}")
        found.append(step)
        shape = step.shape
    if shape != (10,) or found[-1].activation != "softmax":
        raise NotComputed("it does not end in the probabilities of ten digits")
    return found


def _convolution(layer: Layer, shape, weights, config, small) -> Step:
    kernel = weights["kernel"]
    height, width, channels, filters = kernel.shape
    _expect(config.get("dilation_rate", [1, 1]) == [1, 1], "it is dilated")
    _expect((height, width, channels) == (*layer.kernel_size, shape[2]), f"its kernel is {kernel.shape}")
    return _window(layer, shape, (height, width), filters, activation=layer.activation or "linear",
                   kernel=_kernel(kernel, small), bias=_bias(weights, filters))


def _pool(layer: Layer, shape, weights, config, small) -> Step:
    return _window(layer, shape, layer.pool_size, shape[2])


def _window(layer: Layer, shape, size, channels: int, **others) -> Step:
    """What slides over the image: Keras's "valid" stays inside, "same" goes over the edge."""
    _expect(layer.padding in ("valid", "same"), f"its padding is {layer.padding}")
    same, strides = layer.padding == "same", layer.strides or size
    output = tuple(-(-length // stride) if same else (length - window) // stride + 1
                   for length, window, stride in zip(shape, size, strides))
    _expect((*output, channels) == layer.output_shape and min(output) > 0,
            f"its output is {formats.shape(layer.output_shape)}")
    return Step(layer.name, layer.kind, layer.output_shape, size=tuple(size), strides=tuple(strides), same=same,
                **others)


def _dense(layer: Layer, shape, weights, config, small) -> Step:
    kernel = weights["kernel"]
    _expect(kernel.shape == (*shape, *layer.output_shape), f"its kernel is {kernel.shape}")
    return Step(layer.name, layer.kind, layer.output_shape, layer.activation or "linear",
                kernel=_kernel(kernel, small), bias=_bias(weights, kernel.shape[1]))


def _normalization(layer: Layer, shape, weights, config, small) -> Step:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, as factor * x + offset."""
    mean, variance = weights["moving_mean"].astype(float), weights["moving_variance"].astype(float)
    _expect(mean.shape == variance.shape == shape[-1:] and layer.output_shape == shape, "its channels do not fit")
    _expect(config["axis"] in (-1, len(shape)), f"its axis is {config['axis']}")
    factor = weights.get("gamma", 1) / np.sqrt(variance + float(config["epsilon"]))
    offset = weights.get("beta", 0) - factor * mean
    _expect(factor.shape == offset.shape == mean.shape, "its channels do not fit")
    return Step(layer.name, layer.kind, shape, kernel=_exact(factor), bias=_exact(offset))


def _passing_on(layer: Layer, shape, weights, config, small) -> Step:
    _expect(np.prod(shape) == np.prod(layer.output_shape), f"its output is {formats.shape(layer.output_shape)}")
    return Step(layer.name, layer.kind, layer.output_shape, layer.activation or "linear")


_STEPS = {"Conv2D": _convolution, "MaxPooling2D": _pool, "Dense": _dense, "BatchNormalization": _normalization,
          "Activation": _passing_on, "Dropout": _passing_on, "Flatten": _passing_on}


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _bias(weights: dict[str, np.ndarray], channels: int) -> Packed:
    bias = weights.get("bias", np.zeros(channels))
    _expect(bias.shape == (channels,), f"its bias is {bias.shape}")
    return _exact(bias)


def _kernel(kernel: np.ndarray, small: bool) -> Packed:
    if small or kernel.size < LARGE:
        return Packed("float16", _text(kernel, "<f2"))
    scale = np.maximum(np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0), 1e-30) / 127
    return Packed("int8", _text((kernel / scale).round(), "i1"), _text(scale, "<f4"))


def _exact(values: np.ndarray) -> Packed:
    return Packed("float32", _text(values, "<f4"))


def _text(values: np.ndarray, kind: str) -> str:
    packed = np.asarray(values).astype(kind)
    _expect(np.isfinite(packed).all(), "some of its numbers are too large")
    return base64.b64encode(packed.tobytes()).decode()
