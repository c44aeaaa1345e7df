"""Where each layer of the network stands in its picture; the template draws it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from digits.run import Layer

CELL, BASE = 70, 116


@dataclass(frozen=True)
class Block:
    """A layer's output as a box: the corners of its front, top and side, and the middle of its texts."""

    layer: Layer
    centre: float
    faces: list[str]


def diagram(layers: Sequence[Layer]) -> list[Block]:
    """One box a layer, from left to right, as high as its maps and as deep as its channels."""
    centres = [CELL * (number + 0.5) for number in range(len(layers))]
    return [Block(layer, centre, _faces(layer.output_shape, centre)) for layer, centre in zip(layers, centres)]


def _faces(shape: tuple[int, ...], centre: float) -> list[str]:
    if len(shape) == 3:
        high = wide = 6 + 1.7 * shape[0]
        deep = 2 + shape[2] / 8
    else:
        high, wide, deep = 7 * math.log2(shape[0] + 1), 7, 3
    left, bottom = centre - (wide + deep) / 2, BASE
    right, top = left + wide, bottom - high
    faces = (
        ((left, bottom), (right, bottom), (right, top), (left, top)),
        ((left, top), (right, top), (right + deep, top - deep), (left + deep, top - deep)),
        ((right, bottom), (right, top), (right + deep, top - deep), (right + deep, bottom - deep)))
    return [" ".join(f"{x:.1f},{y:.1f}" for x, y in face) for face in faces]
