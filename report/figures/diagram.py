"""Where each layer of the network stands in its picture; the template draws it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from digits.run import Layer

CELL, BASE, HEIGHT = 70, 116, 178
_SHORT = {"Conv2D": "conv", "BatchNormalization": "norm", "MaxPooling2D": "pool",
          "Dropout": "dropout", "Flatten": "flatten", "Dense": "dense", "Activation": "activ."}


@dataclass(frozen=True)
class Block:
    """A layer's output as a box: the corners of its front, top and side, and its texts' middle."""

    number: int
    title: str
    shape: tuple[int, ...]
    learns: bool
    share: float
    centre: float
    faces: list[str]


@dataclass(frozen=True)
class Diagram:
    width: int
    height: int
    base: int
    blocks: list[Block]


def diagram(layers: Sequence[Layer]) -> Diagram:
    """One box a layer, from left to right, as high as its maps and as deep as its channels."""
    parameters = sum(layer.parameters for layer in layers)
    blocks = [Block(number, _SHORT.get(layer.kind, layer.kind.lower()), layer.output_shape,
                    layer.trainable_parameters > 0, layer.parameters / parameters, CELL * (number - 0.5),
                    _faces(layer.output_shape, CELL * (number - 0.5)))
              for number, layer in enumerate(layers, start=1)]
    return Diagram(CELL * len(blocks), HEIGHT, BASE, blocks)


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
