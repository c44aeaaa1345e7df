"""Numeric gradient check: gradients against central differences, in float64.

    check_gradients(lambda x, w: K.dot(x, w), x, w)

PlaidML's CPU computes in float64 too, so the function that is checked is the one that runs.
"""

import keras.backend as K
import numpy as np


class WrongGradient(AssertionError):
    """A gradient that finite differences contradict; the message says where and by how much."""


STEP, TOLERANCE = 1e-6, 1e-5


def check_gradients(function, *arrays) -> None:
    """Compare K.gradients of a function with central differences at every element.

    `function` takes one Value for each of `arrays` and returns one. Raises WrongGradient.

    The scalar that is differentiated is a weighted sum of the outputs, with fixed random weights,
    so that no error hides by symmetry.
    """
    arrays = [np.array(array, dtype="float64") for array in arrays]
    variables = [K.variable(array, dtype="float64") for array in arrays]
    output = function(*variables)
    weights = np.random.RandomState(0).uniform(0.5, 1.5, output.shape.dims)
    loss = K.sum(output * K.variable(weights, dtype="float64"))
    # One program: compiling takes far longer than running it for each difference.
    evaluate = K.function([], [loss, *K.gradients(loss, variables)])
    _, *gradients = evaluate([])

    for i, found in enumerate(gradients):
        expected = _central_differences(evaluate, variables[i], arrays[i])
        error = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
        if not error.max() <= TOLERANCE:  # not "greater": NaN is an error too
            where = np.unravel_index(np.nanargmax(error), error.shape)
            raise WrongGradient(
                f"gradient of argument {i} at {tuple(int(k) for k in where)} is {found[where]:.8g}, "
                f"finite differences give {expected[where]:.8g}")


def _central_differences(evaluate, variable, array):
    differences = np.empty_like(array)
    for where in np.ndindex(array.shape):
        losses = []
        for sign in (1, -1):
            moved = array.copy()
            moved[where] += sign * STEP
            K.set_value(variable, moved)
            losses.append(evaluate([])[0])
        differences[where] = (losses[0] - losses[1]) / (2 * STEP)
    K.set_value(variable, array)
    return differences
