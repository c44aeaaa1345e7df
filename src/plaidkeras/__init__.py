"""Keras on PlaidML on today's Python: device choice, patches, fast and correct gradients.

    import plaidkeras
    plaidkeras.install()
    import keras
"""

import functools
import logging
import warnings

from plaidkeras.device import Device, DeviceError

__all__ = ["Device", "DeviceError", "install"]


def install(device: str | None = None) -> Device:
    """Make `import keras` work, on PlaidML, with gradients that are correct and fast.

    Call it before the first import of keras. `device` is a PlaidML device id such as
    "llvm_cpu.0"; without it PLAIDML_DEVICE_IDS decides, else a GPU is taken, else the CPU.
    Returns the device with the reason for its choice. Raises DeviceError if it is not there, or
    PlaidML is not, and RuntimeError if keras was imported first. A second call changes nothing.
    """
    from plaidkeras import (code_generation, compat, compile_time, compiled_programs, compiler_patches,
                            matrix_kernels, memory_functions, stencils)
    from plaidkeras.device import CPU, choose, configure, why_no_plaidml

    if absence := why_no_plaidml():
        raise DeviceError("{}: {}".format(*absence))
    memory_functions.keep_freed_memory()
    configure()
    compat.restore_collections()
    compat.restore_numpy_names()
    compat.install_backend()
    logging.getLogger("plaidml").setLevel(logging.WARNING)
    chosen = choose(device)
    if not compiler_patches.apply() and chosen.id == CPU:
        warnings.warn(compiler_patches.DANGER, RuntimeWarning, stacklevel=2)
    code_generation.use_instructions_of_the_processor()
    code_generation.vectorize()
    code_generation.know_tensors_apart()
    code_generation.know_all_calls()
    stencils.prefer_rows_that_lie_together()
    matrix_kernels.clear_registers()
    matrix_kernels.look_up_in_a_table()
    memory_functions.serve_programs()
    compile_time.optimize_less()
    compile_time.number_names_from_their_count()
    compiled_programs.keep_compiled_programs()
    _replace_functions()
    return chosen


@functools.cache
def _replace_functions() -> None:
    """Those of PlaidML and Keras, at the first call."""
    import keras.optimizers

    from plaidkeras import adadelta, backend, dtypes, graph, prediction, seeds

    dtypes.follow_the_compiler()
    graph.remember_arguments()
    backend.replace_functions()
    seeds.replace_functions()
    prediction.fill_last_batch()
    keras.optimizers.Adadelta.get_updates = adadelta.adadelta_updates
