"""The state of a program: every variable on the device that running it changes.

For a Keras model's training function these are the weights, the optimizer's accumulators, the
moving averages and what these keep beside them, and the states of dropout's random numbers. Put
back into the same model, they let training continue as if it had never stopped.
"""


import keras.backend as K
import numpy as np
from plaidml.tile import Value

from plaidkeras.function import Function
from plaidkeras.graph import TRAIN, needs


def state(function: Function) -> list[np.ndarray]:
    """The present values of the variables that the function changes in training."""
    return [K.get_value(variable) for variable in _written(function)]


def restore(function: Function, arrays: list[np.ndarray]) -> None:
    """Put back what `state` returned for the same function. Raises ValueError if it was another."""
    variables = _written(function)
    if [variable.shape.dims for variable in variables] != [array.shape for array in arrays]:
        raise ValueError("the state is of another network or optimizer")
    for variable, array in zip(variables, arrays):
        K.set_value(variable, array)


def _written(function: Function) -> list[Value]:
    """In the order in which a walk from the outputs meets them, the same in every process."""
    written = {id(old): old for old, _ in function.updates}
    waiting = [*function.outputs, *(new for _, new in function.updates)]
    seen = set()
    while waiting:
        source = waiting.pop().source
        if source is None or source.op in seen:
            continue
        seen.add(source.op)
        waiting += needs(source.op, TRAIN)
        for variable, new in source.op.side_effects:
            written[id(variable)] = variable
            waiting.append(new)
    return list(written.values())
