"""Keras 2.2.4 on the Python of today, where Python has changed under it."""

import sys

from test_install import python

from plaidkeras import compat

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


FILES = """
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import keras, numpy as np
from keras.utils.io_utils import h5dict
from keras.utils.conv_utils import convert_kernel
file = h5dict("values.h5", "w")
file["text"], file["names"] = "abcd", [b"one", b"two"]
file.close()
file = h5dict("values.h5", "r")
assert file["text"] == "abcd" and list(file["names"]) == [b"one", b"two"]

model = keras.Sequential([keras.layers.Conv2D(2, 3, input_shape=(5, 5, 1), name="first")])
model.save("model.h5")
loaded = keras.models.load_model("model.h5")
assert loaded.layers[0].name == "first"
assert all((a == b).all() for a, b in zip(model.get_weights(), loaded.get_weights()))
assert keras.models.model_from_yaml(model.to_yaml()).count_params() == model.count_params()

kernel = np.arange(8).reshape(2, 2, 1, 2)
assert (convert_kernel(kernel) == kernel[::-1, ::-1]).all()
try:
    convert_kernel(np.zeros((10, 20)))
except ValueError as error:
    print(error)
"""


def test_files_of_text_models_and_kernels_are_read_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = python(FILES)
    assert result.stdout == "('Invalid kernel shape:', (10, 20))\n", result.stderr


def test_a_deferred_module_is_imported_when_something_is_asked_of_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "graphlib", raising=False)
    with compat._deferred("graphlib"):
        import graphlib as deferred
    assert isinstance(deferred, compat._Deferred) and "graphlib" not in sys.modules
    assert deferred.CycleError is sys.modules["graphlib"].CycleError
    del sys.modules["graphlib"]
    with compat._deferred("graphlib"):
        from graphlib import CycleError  # of what is imported meanwhile too
    assert CycleError is sys.modules["graphlib"].CycleError
