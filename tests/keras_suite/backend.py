"""A plugin for pytest: the tests that it runs import Keras on PlaidML.

KERAS_SUITE_STOCK in the environment leaves PlaidML as it is, but for what today's Python needs.
"""

import os
import random
import sys

import numpy as np

if os.environ.get("KERAS_SUITE_STOCK"):
    from plaidkeras import compat, device

    device.configure()
    compat.restore_collections()
    compat.restore_numpy_names()
    compat.install_backend()
    device.choose("llvm_cpu.0")
else:
    import plaidkeras

    plaidkeras.install("llvm_cpu.0")

import keras.backend  # noqa: E402

# backend_test.py compares with NumPy what it imports under the name of TensorFlow's.
sys.modules["keras.backend.tensorflow_backend"] = keras.backend


def pytest_runtest_setup(item):
    """Some of the tests ask for a figure that only most draws reach."""
    random.seed(0)
    np.random.seed(0)
