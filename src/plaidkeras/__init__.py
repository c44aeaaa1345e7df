"""Keras on PlaidML on today's Python: device choice, patches, fast and right gradients.

    import plaidkeras
    plaidkeras.install()
    import keras
"""

import logging
import warnings
from typing import Optional

from plaidkeras.device import Device, DeviceError

__all__ = ["Device", "DeviceError", "install"]


def install(device: Optional[str] = None) -> Device:
    """Make `import keras` work, on PlaidML, with gradients that are right and fast.

    Call it before the first import of keras. `device` is a PlaidML device id such as
    "llvm_cpu.0"; without it PLAIDML_DEVICE_IDS decides, else a GPU is taken, else the CPU.
    Returns the device with the reason for its choice. Raises DeviceError if it is not there, and
    RuntimeError if keras was imported first. A second call changes nothing.
    """
    from plaidkeras import allocator, compat, passes
    from plaidkeras.device import CPU, choose, configure

    allocator.keep_freed_memory()
    configure()
    compat.restore_collections()
    compat.restore_numpy_names()
    compat.install_backend()
    logging.getLogger("plaidml").setLevel(logging.WARNING)
    chosen = choose(device)
    if not passes.mend() and chosen.id == CPU:
        warnings.warn(passes.DANGER, RuntimeWarning, stacklevel=2)

    # These need a Keras that can be imported.
    from plaidkeras import graph, layers, optimizers, prediction, seeds

    graph.remember_arguments()
    layers.replace_backend()
    optimizers.replace_optimizers()
    seeds.replace_backend()
    prediction.fill_last_batch()
    return chosen
