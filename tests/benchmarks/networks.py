"""The networks that the benchmarks time: the project's two, and five as people build them today.

Keras is imported at once: call plaidkeras.install() before this module is imported.
"""

import json

from keras import backend as K
from keras import layers
from keras.models import Model

from digits import networks


def convolution(x, filters, size=3, strides=1, padding="valid", kind=layers.Conv2D):
    x = kind(filters, size, strides=strides, padding=padding, use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def dense(x, units):
    x = layers.Dense(units, use_bias=False)(layers.Flatten()(x))
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def strided(x):
    """The shape of Chris Deotte's: a stride in place of pooling."""
    for filters in (32, 64):
        x = convolution(convolution(x, filters), filters)
        x = layers.Dropout(0.4)(convolution(x, filters, 5, 2, "same"))
    return layers.Dropout(0.4)(layers.Flatten()(convolution(x, 128, 4)))


def wide(x):
    x = layers.MaxPooling2D()(convolution(convolution(x, 32), 48))
    x = layers.MaxPooling2D()(convolution(convolution(x, 64, padding="same"), 96))
    return dense(convolution(x, 128), 128)


def pooled(x):
    for filters in (32, 64):
        x = layers.MaxPooling2D()(convolution(convolution(x, filters), filters))
    return dense(convolution(x, 128), 128)


def residual(x):
    x = convolution(x, 32, padding="same")
    for filters, strides in ((32, 1), (32, 1), (64, 2), (64, 1)):
        past = x if strides == 1 else layers.BatchNormalization()(
            layers.Conv2D(filters, 1, strides=strides, use_bias=False)(x))
        x = convolution(x, filters, 3, strides, "same")
        x = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(x))
        x = layers.Activation("relu")(layers.Add()([x, past]))
    return layers.GlobalAveragePooling2D()(x)


def separable(x):
    """Depthwise convolutions, each with a pointwise one behind it."""
    x = convolution(x, 32, padding="same")
    for filters, strides in ((64, 1), (64, 2), (128, 1), (128, 2)):
        x = convolution(x, filters, 3, strides, "same", layers.SeparableConv2D)
    return layers.GlobalAveragePooling2D()(x)


def _classifier(body):
    images = layers.Input((28, 28, 1))
    return Model(images, layers.Dense(10, activation="softmax")(body(images)))


def described(name: str) -> str:
    """A network of images (n, 28, 28, 1) to probabilities (n, 10), as a line of JSON: for Keras
    whole, and layer by layer for an engine that knows no Keras."""
    model = NETWORKS[name]()
    return json.dumps({"keras": model.to_json(), "layers": [
        {"kind": type(layer).__name__, "config": layer.get_config(),
         "inputs": [id(tensor) for tensor in _listed(layer.input)], "output": id(layer.output),
         "channels": K.int_shape(_listed(layer.input)[0])[-1], "axes": K.ndim(_listed(layer.input)[0])}
        for layer in model.layers if not isinstance(layer, layers.InputLayer)]})


def _listed(tensors):
    return tensors if isinstance(tensors, list) else [tensors]


NETWORKS = {"notebook": networks.notebook, "best": networks.compact,
            **{body.__name__: lambda body=body: _classifier(body)
               for body in (strided, wide, pooled, residual, separable)}}
