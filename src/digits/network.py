"""The network: the notebook's, layer by layer, and what each layer does and costs.

Keras is imported inside the functions: call plaidkeras.install() before them.
"""

from typing import List

from digits.run import Layer


def build():
    """The untrained network: images (n, 28, 28, 1) in 0..1 to probabilities (n, 10).

    2,839,274 parameters, of which 2,817,578 are trained.
    """
    from keras.layers import (BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D)
    from keras.models import Sequential

    return Sequential([
        Conv2D(32, (3, 3), activation="relu", name="conv1", input_shape=(28, 28, 1)),  # 26 x 26
        Conv2D(32, (3, 3), activation="relu", name="conv2"),                           # 24 x 24
        BatchNormalization(name="norm1"),
        Conv2D(64, (3, 3), activation="relu", name="conv3"),                           # 22 x 22
        Conv2D(64, (3, 3), activation="relu", name="conv4"),                           # 20 x 20
        BatchNormalization(name="norm2"),
        Conv2D(128, (3, 3), activation="relu", name="conv5"),                          # 18 x 18
        BatchNormalization(name="norm3"),
        MaxPooling2D((2, 2), name="pool"),                                             # 9 x 9
        Dropout(0.25, name="dropout1"),
        Flatten(name="flatten"),                                                       # 10,368
        BatchNormalization(name="norm4"),
        Dense(256, activation="relu", name="dense1"),
        Dropout(0.5, name="dropout2"),
        BatchNormalization(name="norm5"),
        Dense(10, activation="softmax", name="dense2"),
    ], name="digits")


def describe(model) -> List[Layer]:
    """The layers of a Keras model as the report shows them."""
    return [Layer(
        name=layer.name,
        kind=type(layer).__name__,
        detail=_detail(layer),
        output_shape=tuple(int(size) for size in layer.output_shape[1:]),
        parameters=layer.count_params(),
        trainable_parameters=sum(_size(weight) for weight in layer.trainable_weights),
        multiply_adds=_multiply_adds(layer)) for layer in model.layers]


def _detail(layer) -> str:
    kind = type(layer).__name__
    if kind == "Conv2D":
        return f"{_by(layer.kernel_size)}, {layer.activation.__name__}"
    if kind == "Dense":
        return layer.activation.__name__
    if kind == "MaxPooling2D":
        return _by(layer.pool_size)
    if kind == "Dropout":
        return f"{layer.rate:.0%} dropped"
    return ""


def _multiply_adds(layer) -> int:
    """Each weight of a convolution is used once a position of the output, each of a dense layer
    once; the element-wise layers cost next to nothing and count as 0."""
    kind = type(layer).__name__
    if kind == "Conv2D":
        _, height, width, _ = layer.output_shape
        return int(height * width) * _size(layer.kernel)
    if kind == "Dense":
        return _size(layer.kernel)
    return 0


def _by(size) -> str:
    return " x ".join(str(side) for side in size)


def _size(weight) -> int:
    from keras import backend as K

    return int(K.count_params(weight))
