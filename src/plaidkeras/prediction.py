"""Prediction in batches of one size: a short last batch is padded instead of compiled for."""

import functools

import numpy as np
from keras.engine import training_arrays


def fill_last_batch() -> None:
    """Let `Model.predict` compute its last, short batch with the program of the others."""
    predict_loop = training_arrays.predict_loop

    @functools.wraps(predict_loop)
    def loop(model, function, inputs, batch_size=32, verbose=0, steps=None):
        def filled(arrays):
            """The outputs of some rows; if too few, they are taken again from the front."""
            count = arrays[0].shape[0]
            again = np.arange(batch_size) % count
            outputs = function([array if isinstance(array, float) else array[again]
                                for array in arrays])  # a number is the learning phase
            return [output[:count] for output in outputs]

        has_full_batch = steps is None and inputs and inputs[0].shape[0] > batch_size
        return predict_loop(model, filled if has_full_batch else function, inputs, batch_size,
                            verbose, steps)
    training_arrays.predict_loop = loop
