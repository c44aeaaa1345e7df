"""The networks, layer by layer, and what each layer does and costs.

Keras is imported at once: call plaidkeras.install() before this module is imported.
"""

import math

from keras.backend import count_params
from keras.layers import Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential

from digits import optimizers
from digits.recipe import Recipe
from digits.run import Layer


def build(name: str):
    """An untrained network: images (n, 28, 28, 1) in 0..1 to probabilities (n, 10)."""
    return {"notebook": notebook, "compact": compact}[name]()


def compiled(recipe: Recipe):
    """The recipe's network, ready to be trained with its optimizer."""
    model = build(recipe.network)
    model.compile(optimizer=optimizers.build(recipe.optimizer), loss="categorical_crossentropy",
                  metrics=["accuracy"])
    return model


def notebook():
    """The notebook's: 2,839,274 parameters, of which 2,817,578 are trained."""
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


def compact():
    """Most accuracy a second of those measured: 207,146 parameters, 10 million multiply-adds.

    Pooling early keeps the images that the later convolutions see small.
    """
    def convolution(number, filters, **first):
        return [
            Conv2D(filters, (3, 3), use_bias=False, kernel_initializer="he_normal", name=f"conv{number}",
                   **first),
            BatchNormalization(name=f"norm{number}"), Activation("relu", name=f"relu{number}")]

    return Sequential([
        *convolution(1, 32, input_shape=(28, 28, 1)),                                  # 26 x 26
        *convolution(2, 32),                                                           # 24 x 24
        MaxPooling2D((2, 2), name="pool1"),                                            # 12 x 12
        *convolution(3, 64),                                                           # 10 x 10
        *convolution(4, 64),                                                           # 8 x 8
        MaxPooling2D((2, 2), name="pool2"),                                            # 4 x 4
        *convolution(5, 128),                                                          # 2 x 2
        Flatten(name="flatten"),                                                       # 512
        Dropout(0.3, name="dropout1"),
        Dense(128, use_bias=False, name="dense1"),
        BatchNormalization(name="norm6"),
        Activation("relu", name="relu6"),
        Dropout(0.3, name="dropout2"),
        Dense(10, activation="softmax", name="dense2"),
    ], name="digits")


def describe(model) -> list[Layer]:
    """The layers of a Keras model as a program reads them.

    Each weight of a convolution's kernel is used once a position of the output, each of a dense layer
    once; the element-wise layers cost next to nothing and count as 0.
    """
    layers = []
    for layer in model.layers:
        kind, shape, config = type(layer).__name__, tuple(map(int, layer.output_shape[1:])), layer.get_config()
        uses = {"Conv2D": math.prod(shape[:2]), "Dense": 1}.get(kind, 0)
        layers.append(Layer(
            name=layer.name, kind=kind, output_shape=shape, parameters=layer.count_params(),
            trainable_parameters=sum(int(count_params(weight)) for weight in layer.trainable_weights),
            multiply_adds=uses and uses * int(count_params(layer.kernel)),
            **{name: tuple(config[name]) if isinstance(config[name], (tuple, list)) else config[name]
               for name in ("kernel_size", "strides", "padding", "pool_size", "activation", "rate")
               if name in config}))
    return layers
