"""Where each layer of the network stands in its picture; the template draws it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from digits.run import Layer

IMAGE = 28, 28, 1  # what goes in: height, width, channels
CELL, BASE = 66, 116


@dataclass(frozen=True)
class Block:
    """The image, or a layer's output, as a box: the corners of its front, top and side, and the middle of
    its texts."""

    layer: Layer | None
    shape: tuple[int, ...]
    centre: float
    faces: list[str]


def diagram(layers: Sequence[Layer]) -> list[Block]:
    """The image and one box a layer, from left to right. Maps are as high as they are and as deep as the
    logarithm of their channels, vectors as high as that of their values: else one would hide all others."""
    outputs = [(None, IMAGE), *((layer, layer.output_shape) for layer in layers)]
    centres = [CELL * (number + 0.5) for number in range(len(outputs))]
    return [Block(layer, shape, centre, _faces(shape, centre))
            for (layer, shape), centre in zip(outputs, centres)]


def _faces(shape: tuple[int, ...], centre: float) -> list[str]:
    if len(shape) == 3:
        high = wide = 6 + 1.7 * shape[0]
        deep = 2 + 2 * math.log2(shape[2])
    else:
        high, wide, deep = 7 * math.log2(shape[0] + 1), 7, 3
    left, bottom = centre - (wide + deep) / 2, BASE
    right, top = left + wide, bottom - high
    faces = (
        ((left, bottom), (right, bottom), (right, top), (left, top)),
        ((left, top), (right, top), (right + deep, top - deep), (left + deep, top - deep)),
        ((right, bottom), (right, top), (right + deep, top - deep), (right + deep, bottom - deep)))
    return [" ".join(f"{x:.1f},{y:.1f}" for x, y in face) for face in faces]
