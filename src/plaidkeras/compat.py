"""What Keras 2.2.4 and PlaidML 0.7.0 need to be imported by a Python of today.

Both were written for Python 3.6. Nothing here changes what they compute.
"""

import collections
import collections.abc
import importlib
import importlib.abc
import importlib.util
import os
import sys
import warnings


def restore_collections() -> None:
    """Put the abstract classes back into `collections`, where Python < 3.10 had them."""
    for name in collections.abc.__all__:
        if name not in vars(collections):
            setattr(collections, name, getattr(collections.abc, name))


class _PlaidMLBackend(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads plaidml.keras.backend under the name keras.backend.

    plaidml.keras.install_backend does this with `find_module`, which Python 3.12 removed.
    """

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "keras.backend":
            return None
        # The folder stays a package's: PlaidML's backend imports keras.backend.common from it.
        spec = importlib.util.spec_from_loader(fullname, self, is_package=True)
        spec.submodule_search_locations = [os.path.join(folder, "backend") for folder in path]
        return spec

    def exec_module(self, module):
        implementation = importlib.import_module("plaidml.keras.backend")
        for name, value in vars(implementation).items():
            if not name.startswith("__"):
                setattr(module, name, value)


def install_backend() -> None:
    """Import Keras with PlaidML as its backend, whatever KERAS_BACKEND says."""
    if "keras" in sys.modules:
        raise RuntimeError("keras was imported before plaidkeras.install(); call install() first")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "is" with a literal, invalid escapes: theirs since 2018
        sys.meta_path.insert(0, _PlaidMLBackend())
        import keras.utils.conv_utils

        # Keras takes every backend but TensorFlow for Theano, whose kernels are flipped.
        keras.utils.conv_utils.convert_kernel = lambda kernel: kernel
