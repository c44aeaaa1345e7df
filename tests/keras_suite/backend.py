"""A plugin for pytest: the tests that it runs import Keras on PlaidML, and find what pytest and SciPy
had in 2018.

KERAS_SUITE_STOCK in the environment leaves PlaidML as it is, but for what today's Python needs.
"""

import contextlib
import os
import random
import sys
import types
import warnings

import numpy as np
import pytest
import scipy.special

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

for name in ("pydot", "requests"):
    sys.modules[name] = None  # some have it and some not: the list holds for both

# backend_test.py compares with NumPy what it imports under the name of TensorFlow's.
sys.modules["keras.backend.tensorflow_backend"] = keras.backend
scipy.misc = types.SimpleNamespace(logsumexp=scipy.special.logsumexp)
warns = pytest.warns


def any_or_no_warnings(expected, *arguments, **keywords):
    return recorded() if expected is None else warns(expected, *arguments, **keywords)


@contextlib.contextmanager
def recorded():
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        yield record


pytest.warns = any_or_no_warnings


def pytest_runtest_setup(item):
    """Some of the tests ask for a figure that only most draws reach."""
    random.seed(0)
    np.random.seed(0)
