"""The network of the notebook that this project began with, without its dropout."""

import keras
from keras.layers import BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D


def build():
    """Images (n, 28, 28, 1) to probabilities (n, 10): 2,839,274 parameters.

    References of the tests cannot draw the masks of PlaidML's dropout, so there is none.
    """
    return keras.Sequential([
        Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)), Conv2D(32, 3, activation="relu"),
        BatchNormalization(),
        Conv2D(64, 3, activation="relu"), Conv2D(64, 3, activation="relu"), BatchNormalization(),
        Conv2D(128, 3, activation="relu"), BatchNormalization(),
        MaxPooling2D(2), Flatten(), BatchNormalization(),
        Dense(256, activation="relu"), BatchNormalization(), Dense(10, activation="softmax")])
