"""Checks that raise an exception where PlaidML's compiler would abort the process.

The compiler throws where nothing catches: at tensors without elements, at 16-bit floats on the CPU, at
new values of another shape than their variable. Other faults it reports, but not where they are.
"""

from collections.abc import Callable

import keras.backend as K
import numpy as np
import plaidml
from plaidml.exceptions import PlaidMLError
from plaidml.tile import Operation, Value

from plaidkeras.device import on_cpu
from plaidkeras.graph import kind

HALVES = plaidml.DType.FLOAT16, plaidml.DType.BFLOAT16


class CannotCompute(ValueError):
    """What PlaidML cannot compute; the message names the layer and operation, or the input."""


def described(operation: Operation) -> str:
    """An operation for an error message: its kind, its layer, and its operands' shapes."""
    layer = operation.scope and f" in {operation.scope}"
    operands = ", ".join(f"{name} {K.int_shape(value)}" for name, value in operation.operands.items())
    return f"{kind(operation)}{layer or ''}" + (f", of {operands}" if operands else "")


def check(operations: list[Operation]) -> None:
    """Raise CannotCompute for the first operation that the compiler would end Python at."""
    for operation in operations:
        for value in [*operation.operands.values(), *operation.outputs.values()]:
            if any(isinstance(dim, int) and dim <= 0 for dim in value.shape.dims):
                raise CannotCompute(f"{described(operation)}: a tensor of shape {K.int_shape(value)} has no "
                                    f"elements, and PlaidML computes with none that is empty")
            if value.shape.dtype in HALVES and on_cpu():
                raise CannotCompute(f"{described(operation)}: PlaidML's CPU does not compute in "
                                    f"float16; use float32, or a GPU")


def check_update(old: Value, new: Value) -> None:
    """Raise CannotCompute if a variable's new value is not of its shape."""
    if len(new.shape.dims) != len(old.shape.dims) or any(
            isinstance(dim, int) and dim != size for size, dim in zip(old.shape.dims, new.shape.dims)):
        raise CannotCompute(f"the new value of {old.name} has the shape {K.int_shape(new)}, the variable "
                            f"{K.int_shape(old)}")


def check_sizes(invoker: plaidml.Invoker, outputs: dict[str, Value | None]) -> None:
    """The same, once arrays are given, for outputs whose sizes were not known before, each with the
    variable that it is stored in, if any."""
    for name, variable in outputs.items():
        sizes = tuple(dim.size for dim in invoker.get_output_shape(name).dimensions)
        if 0 in sizes:
            raise CannotCompute(f"a result has no elements: its shape is {sizes}")
        if variable and sizes != tuple(variable.shape.dims):
            raise CannotCompute(f"the new value of {variable.name} has the shape {sizes}, the variable "
                                f"{K.int_shape(variable)}")


def check_array(placeholder: Value, array) -> None:
    """Raise CannotCompute if an array does not fit an input, or IndexError if it holds indices, and
    one of them is outside of what it indexes."""
    wanted, sizes = K.int_shape(placeholder), np.shape(array)
    if array is None or len(sizes) != len(wanted) or any(
            known not in (None, size) for known, size in zip(wanted, sizes)):
        raise CannotCompute(f"the input {placeholder.name} takes arrays of the shape {wanted}, not "
                            f"{'None' if array is None else sizes}")
    if 0 in sizes:
        raise CannotCompute(f"the input {placeholder.name} was given an array of shape {sizes}, which "
                            f"has no elements")
    rows = getattr(placeholder, "rows", None)  # see missing_functions.gather
    if rows and not 0 <= np.min(array) <= np.max(array) < rows:
        raise IndexError(f"the input {placeholder.name} holds indices from {np.min(array)} to "
                         f"{np.max(array)}, but what they are taken from has {rows} rows")


def culprit(operations: list[Operation], compiles: Callable[[list[Value]], None]) -> str | None:
    """The first operation that does not compile, described, and why; operations come after those
    that they are computed from. `compiles` raises PlaidML's error if values do not."""
    def error_of(count):
        try:
            compiles([value for operation in operations[:count]
                      for value in operation.outputs.values()])
        except PlaidMLError as error:
            return error

    good, bad = 0, len(operations)
    if not error_of(bad):
        return None
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if error_of(middle) else (middle, bad)
    return f"{described(operations[bad - 1])}: {error_of(bad)}"
