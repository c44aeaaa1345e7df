"""A network's forward pass in NumPy, written from Keras's documentation: what others are compared with."""

import numpy as np

from digits.run import Member


def forward(member: Member, images: np.ndarray) -> dict[str, np.ndarray]:
    """What each layer makes of images (n, h, w, c) or (n, h, w) of 0..255, by its name, in its order."""
    values, outputs = images.reshape(len(images), 28, 28, 1) / 255, {}
    for layer in member.layers:
        weights = {name.split("/")[1]: each.astype(float) for name, each in member.weights.items()
                   if name.split("/")[0] == layer.name}
        values = _activated(_KINDS[layer.kind](values, layer, weights, member), layer.activation)
        assert values.shape[1:] == layer.output_shape
        outputs[layer.name] = values
    return outputs


def _windows(values, size, strides, padding, outside):
    """(n, h, w, c, *size): what the window sees at each of its places."""
    if padding == "same":
        missing = [max((-(-length // stride) - 1) * stride + window - length, 0)
                   for length, window, stride in zip(values.shape[1:3], size, strides)]
        values = np.pad(values, [(0, 0), *[(each // 2, each - each // 2) for each in missing], (0, 0)],
                        constant_values=outside)
    seen = np.lib.stride_tricks.sliding_window_view(values, size, (1, 2))
    return seen[:, ::strides[0], ::strides[1]]


def _convolution(values, layer, weights, member):
    seen = _windows(values, layer.kernel_size, layer.strides, layer.padding, 0)
    return np.einsum("nhwcij,ijcd->nhwd", seen, weights["kernel"], optimize=True) + weights.get("bias", 0)


def _pool(values, layer, weights, member):
    return _windows(values, layer.pool_size, layer.strides, layer.padding, -np.inf).max((4, 5))


def _normalization(values, layer, weights, member):
    epsilon = member.architecture[layer.name]["epsilon"]
    return (weights["gamma"] * (values - weights["moving_mean"])
            / np.sqrt(weights["moving_variance"] + epsilon) + weights["beta"])


def _activated(values, activation):
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
    return np.maximum(values, 0) if activation == "relu" else values


_KINDS = {
    "Conv2D": _convolution, "MaxPooling2D": _pool, "BatchNormalization": _normalization,
    "Dense": lambda values, layer, weights, member: values @ weights["kernel"] + weights.get("bias", 0),
    "Flatten": lambda values, *_: values.reshape(len(values), -1),
    "Dropout": lambda values, *_: values, "Activation": lambda values, *_: values}
