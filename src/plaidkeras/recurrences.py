"""What goes on step by step: recurrent layers, map_fn, foldl and foldr.

All are written out, a step after the other. Where the number of steps is that of the arrays which a
program will be called with, this is done when it is, once for each number.
"""

import keras.backend as K
from plaidml.tile import Value

from plaidkeras.graph import Unrolled


def rnn(step_function, inputs, initial_states, go_backwards=False, mask=None, constants=None,
        unroll=False, input_length=None):
    """A recurrence over axis 1 of the inputs (n, steps, ...).

    Where the mask (n, steps) is zero, a step repeats the output before it and leaves the states.
    Returns the last output, all outputs (n, steps, ...), and the states.
    """
    def unrolled(steps):
        states, outputs = list(initial_states), []
        for step in range(steps)[::-1 if go_backwards else 1]:
            output, new_states = step_function(inputs[:, step], states + list(constants or []))
            flags.add(output._uses_learning_phase)
            if mask is not None:
                former = outputs[-1] if outputs else K.zeros_like(output)
                output = _where(mask[:, step], output, former)
                new_states = [_where(mask[:, step], new, old)
                              for new, old in zip(new_states, states)]
            outputs.append(output)
            states = new_states
        return [outputs[-1],
                K.concatenate([K.expand_dims(output, 1) for output in outputs], 1), *states]

    flags = set()  # whether steps depend on the learning phase
    steps = inputs.shape.dims[1] if input_length is None else input_length
    last, outputs, *states = _unrolled(
        unrolled, steps, {1: 1}, [inputs, *initial_states, *([] if mask is None else [mask])])
    last._uses_learning_phase = outputs._uses_learning_phase = any(flags)
    return last, outputs, states


def _where(mask, new, old):
    """The new rows where the mask (n,) is not zero, the old elsewhere."""
    shape = (-1,) + (1,) * (new.shape.ndims - 1)
    chosen = K.reshape(K.cast(mask, K.dtype(new)), shape)
    return new * chosen + old * (1.0 - chosen)


def _unrolled(build, steps, axes, operands) -> list[Value]:
    """What `build` makes for a number of steps. If that is not known before it is computed, `axes`
    tells which of its outputs have an axis of this length: {output: axis}."""
    if not isinstance(steps, Value):
        return build(steps)
    like = build(1)
    made = Unrolled(build, steps, like, operands).output_tuple
    for output, axis in axes.items():
        dims = list(like[output].shape.dims)
        dims[axis] = steps
        made[output].shape = like[output].shape._replace(dims=tuple(dims))
    return list(made)


def map_fn(fn, elems, name=None, dtype=None):
    """A function of each row of a tensor, or of each row of several, as one tensor."""
    rows = _rows(elems)
    (mapped,) = _unrolled(lambda count: [K.stack([fn(rows(i)) for i in range(count)])],
                          _count(elems), {0: 0}, _listed(elems))
    return mapped if dtype is None else K.cast(mapped, dtype)


def foldl(fn, elems, initializer=None, name=None):
    """fn(... fn(fn(initializer, row 0), row 1) ..., last row); without initializer, row 0 is it."""
    return _folded(fn, elems, initializer, 1)


def foldr(fn, elems, initializer=None, name=None):
    """The same from the last row to the first."""
    return _folded(fn, elems, initializer, -1)


def _folded(fn, elems, initializer, direction):
    rows = _rows(elems)

    def build(count):
        order = list(range(count))[::direction]
        result = rows(order.pop(0)) if initializer is None else initializer
        for i in order:
            result = fn(result, rows(i))
        return [result]
    (result,) = _unrolled(build, _count(elems), {}, _listed(elems))
    return result


def _listed(elems):
    return [elems] if isinstance(elems, Value) else list(elems)


def _count(elems):
    return _listed(elems)[0].shape.dims[0]


def _rows(elems):
    return lambda i: elems[i] if isinstance(elems, Value) else tuple(x[i] for x in elems)


REPLACEMENTS = foldl, foldr, map_fn, rnn
