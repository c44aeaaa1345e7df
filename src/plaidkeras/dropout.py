"""Dropout whose draws follow from the place of an element and a number that each step changes.

PlaidML first draws a tensor of random numbers, on a CPU one after the other on one core, and keeps it for
the gradient. Here all cores draw, forward and backward anew; of the places PlaidML makes int32 tensors, which
live no longer than that. On a GPU the draws are PlaidML's: its OpenCL code takes an element's place within a part
of the tensor for that in the whole.
"""

import keras.backend as K
import numpy as np
from plaidml.tile import Operation, Shape

from plaidkeras.device import on_cpu
from plaidkeras.graph import kernel, stock
from plaidkeras.kernels import indices, listed

# A step's number follows from the last one's: Knuth, The Art of Computer Programming, volume 2, 3.3.4, table 1.
NEXT = "function (S) -> (O) { O = as_uint(S * 1664525 + 1013904223, 32); }"
# 24 bits B that depend on every bit of the place P and of the number S. The products and shifts are those
# of triple32 (Wellons, hash-prospector).
BITS = """
    A = as_uint(P, 32) + S;
    B0 = bit_xor(A, bit_right(A, 17)) * (-312814405);
    B1 = bit_xor(B0, bit_right(B0, 11)) * (-1404298415) + S;
    B2 = bit_xor(B1, bit_right(B1, 15)) * 830770091;
    B = bit_right(bit_xor(B2, bit_right(B2, 14)), 8);
"""


class Dropped(Operation):
    """x with a share `level` of its elements zero and the others larger by as much, as the uint32 `number`
    says. `shape` is that of x, but for 1 along each axis whose elements share their fate."""

    def __init__(self, x, number, level, shape, side_effects=None):
        self.geometry = level, shape
        sizes = indices("X", x.shape.ndims)
        place = "0"
        for axis in range(x.shape.ndims):
            if shape[axis] != 1:
                place = f"({place}) * {sizes[axis]} + index(X, {axis})"
        super().__init__(
            f"""function (X[{listed(*sizes)}], S) -> (O) {{
                P = {place};
                {BITS}
                O = (B < {round((1 - level) * 2 ** 24)} ? X * {1 / (1 - level)!r} : 0.0);
            }}""", [("X", x), ("S", number)], [("O", x.shape)], side_effects=side_effects)


def dropout(x, level, noise_shape=None, seed=None):  # the seed is seeds.py's
    """x with a share `level` of its elements zero, the others larger by as much; along the axes where
    `noise_shape` is 1 all or none. Raises ValueError."""
    if not 0 <= level < 1:
        raise ValueError(f"K.dropout drops a share of at least 0 and less than 1, not {level}")
    shape = noise_shape or x.shape.dims
    if len(shape) != x.shape.ndims:
        raise ValueError(f"the noise shape {shape} is not of the rank of a tensor {x.shape.dims}")
    if not on_cpu():
        dropped = stock["dropout"](x, level, noise_shape)
        dropped.shape = x.shape  # PlaidML tells float32 of any
        return dropped
    number = K.variable(np.random.randint(0, 2 ** 32, dtype=np.uint32), dtype="uint32")
    following = kernel("NextNumber", NEXT, {"S": number}, ())
    return Dropped(x, number, float(level), shape, [(number, following)]).sole_output()
