"""What Keras 2.2.4 and PlaidML 0.7.0 need to run on the Python, NumPy and h5py of today.

Both were written for Python 3.6. Nothing here changes what they compute.
"""

import collections
import collections.abc
import contextlib
import functools
import importlib
import importlib.abc
import importlib.util
import inspect
import multiprocessing
import os
import sys
import types
import warnings

import numpy as np


def restore_collections() -> None:
    """Put the abstract base classes back into `collections`; Python 3.10 removed them."""
    for name in collections.abc.__all__:
        if name not in vars(collections):
            setattr(collections, name, getattr(collections.abc, name))


def restore_numpy_names() -> None:
    """Put the names that Keras uses back into `numpy`; NumPy 2 removed them."""
    for name, value in (("Inf", np.inf), ("string_", np.bytes_), ("unicode_", np.str_)):
        if name not in vars(np):
            setattr(np, name, value)


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
        module._BACKEND = "plaidml"


class _Deferred(types.ModuleType):
    """A module that is imported when something is asked of it."""

    def __getattr__(self, name):
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def _deferred(*names: str):
    """Give what is imported meanwhile these modules deferred."""
    names = [name for name in names if name not in sys.modules]
    sys.modules.update({name: _Deferred(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            if isinstance(sys.modules.get(name), _Deferred):
                del sys.modules[name]


def install_backend() -> None:
    """Import Keras with PlaidML as its backend, whatever KERAS_BACKEND says."""
    if isinstance(getattr(sys.modules.get("keras.backend"), "__loader__", None), _PlaidMLBackend):
        return
    if "keras" in sys.modules:
        raise RuntimeError("keras was imported before plaidkeras.install(); call install() first")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "is" with a literal, invalid escapes: theirs since 2018
        sys.meta_path.insert(0, _PlaidMLBackend())
        with _deferred("scipy.stats", "scipy.ndimage"):  # seldom used, and longer to import than the rest
            import keras.layers.wrappers
            import keras.utils.layer_utils
            from keras.engine import saving

        # Keras takes every backend but TensorFlow for Theano, whose kernels are flipped.
        saving._need_convert_kernel = lambda original_backend: original_backend == "theano"
        for module in (keras.utils.conv_utils, keras.utils.layer_utils):
            module.convert_kernel = convert_kernel
        # TimeDistributed asks for a global of this name, which it forgot to make.
        keras.layers.wrappers.uses_learning_phase = False
        # PyYAML 6 wants to be told how much it may build: plain Python, no objects.
        saving.yaml = types.SimpleNamespace(
            load=functools.partial(saving.yaml.load, Loader=saving.yaml.FullLoader))
        infer_shapes_of_lambdas()
        read_text_attributes()
        restore_getargspec()
        fork_workers()


def convert_kernel(kernel):
    """A kernel (*window, c, d) turned round in space; Keras's own indexes with a list of slices."""
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError("Invalid kernel shape:", kernel.shape)
    return np.flip(kernel, tuple(range(kernel.ndim - 2))).copy()


def infer_shapes_of_lambdas() -> None:
    """Let a Lambda layer find its output's shape by itself, as Keras does on TensorFlow alone."""
    import keras.backend as K
    from keras.layers import Lambda

    compute_told_shape = Lambda.compute_output_shape

    @functools.wraps(compute_told_shape)
    def compute_output_shape(layer, input_shape):
        if layer._output_shape is not None:
            return compute_told_shape(layer, input_shape)
        made = layer.call([K.placeholder(shape) for shape in input_shape]
                          if isinstance(input_shape, list) else K.placeholder(input_shape))
        return [K.int_shape(x) for x in made] if isinstance(made, list) else K.int_shape(made)
    Lambda.compute_output_shape = compute_output_shape


def restore_getargspec() -> None:
    """Let Keras's image generators look at signatures; Python 3.11 removed getargspec."""
    import keras.preprocessing.image

    keras.preprocessing.image.inspect = types.SimpleNamespace(getargspec=inspect.getfullargspec)


def fork_workers() -> None:
    """Let the worker processes of Keras's generators inherit them, as it expects of Linux.

    Python 3.14 starts processes afresh unless told otherwise: they could not be given a generator,
    and would import a Keras without PlaidML. They only make batches and never touch PlaidML.
    """
    import keras.utils.data_utils

    if sys.platform.startswith("linux"):
        keras.utils.data_utils.mp = multiprocessing.get_context("fork")


def read_text_attributes() -> None:
    """Let Keras load its own files: it decodes attributes, which h5py 3 returns as text."""
    import h5py
    from keras.engine import saving
    from keras.utils.io_utils import H5Dict

    class Text(str):
        """Text that can be decoded, to itself."""

        def decode(self, encoding="utf-8"):
            return str(self)

    def decodable(value):
        if isinstance(value, str):
            return Text(value)
        if isinstance(value, np.ndarray) and (value.dtype == object or not value.size):
            return [text.encode() for text in value]  # without any it is an array of floats
        return value

    class Group:
        """What `saving` uses of an HDF5 group, with the attributes of h5py 2."""

        def __init__(self, group):
            self.group = group
            self.attrs = {name: decodable(value) for name, value in group.attrs.items()}

        def __getitem__(self, name):
            found = self.group[name]
            return Group(found) if isinstance(found, h5py.Group) else found

    def of_group(load):
        return functools.wraps(load)(lambda group, *arguments, **keywords: load(
            Group(group), *arguments, **keywords))

    get = H5Dict.__getitem__
    H5Dict.__getitem__ = functools.wraps(get)(lambda self, name: decodable(get(self, name)))
    for name in ("load_weights_from_hdf5_group", "load_weights_from_hdf5_group_by_name"):
        setattr(saving, name, of_group(getattr(saving, name)))
