"""Keras 2.2.4 on the Python of today, where Python has changed under it."""

import sys

from test_install import python

GENERATORS = """
import multiprocessing
multiprocessing.set_start_method({start!r})  # from Python 3.14 on it is forkserver
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import keras, numpy as np
from keras.preprocessing.image import ImageDataGenerator
model = keras.Sequential([keras.layers.Flatten(input_shape=(6, 6, 1)), keras.layers.Dense(3)])
model.compile("sgd", "mse")
images, targets = np.random.rand(8, 6, 6, 1), np.random.rand(8, 3)
augmented = ImageDataGenerator(rotation_range=10, zoom_range=0.1).flow(images, targets, 4)
for batches in (augmented, iter(lambda: (images, targets), None)):
    model.fit_generator(batches, 2, workers=1, use_multiprocessing={worker_processes}, verbose=0)
print("trained")
"""


def test_generators_feed_a_training_however_processes_start():
    """Keras forks its workers on Linux only."""
    is_linux = sys.platform.startswith("linux")
    result = python(GENERATORS.format(start="forkserver" if is_linux else "spawn",
                                      worker_processes=is_linux))
    assert result.stdout == "trained\n", result.stderr
