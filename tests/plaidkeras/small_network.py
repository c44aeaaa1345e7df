"""The text of a program that makes a model with every kind of kernel, `model`, and `images` and `labels` for it."""

NETWORK = """
import numpy as np
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
np.random.seed(4)
model = Sequential([
    Conv2D(16, 3, activation="relu", input_shape=(16, 16, 1)), BatchNormalization(),
    Conv2D(32, 3, padding="same", activation="relu"), MaxPooling2D(), Conv2D(32, 3, strides=2, activation="relu"),
    Dropout(0.25), Flatten(), BatchNormalization(), Dense(64, activation="relu"), Dense(10, activation="softmax")])
model.compile("adam", "categorical_crossentropy")
images, labels = np.random.rand(64, 16, 16, 1), np.eye(10)[np.arange(64) % 10]
"""
