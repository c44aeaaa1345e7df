"""The activations: what each layer answers to a few digits."""

from typing import Optional

import numpy as np

from report.figures import images
from report.text import formats
from report.contexts import ActivationsContext, Digit, LayerPicture, Picture, Watched
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle

CHANNELS, COLUMNS = 32, 8
LARGEST = 512  # filters, or pixels of one, that are drawn
MOST = float(np.finfo(np.float16).max)  # as float16 what is larger became infinite


def context(study: Study, bundle: Bundle) -> ActivationsContext:
    first_layer = study.run.layers[0].name
    return ActivationsContext(
        watched=[_watched(study, index, bundle)
                 for index in range(len(study.run.activations.rows))],
        filters=_filters(study, first_layer, bundle), first_layer=first_layer)


def _filters(study: Study, layer: str, bundle: Bundle) -> Optional[Picture]:
    """The first layer's filters, where they can be seen: on one channel, the image itself."""
    kernel = study.run.weights.get(f"{layer}/kernel")
    if kernel is None or kernel.ndim != 4 or kernel.shape[2] != 1 or max(kernel.shape) > LARGEST:
        return None
    filters = np.moveaxis(kernel[:, :, 0], -1, 0)
    path = bundle.add(f"images/activations/{layer}-filters.png",
                      study.drawings.png(images.weights, filters, COLUMNS))
    return Picture(path, *images.sheet_size(filters.shape, COLUMNS),
                   f"The {len(filters)} filters of {layer}, {formats.shape(filters.shape[1:])} each")


def _watched(study: Study, index: int, bundle: Bundle) -> Watched:
    activations = study.run.activations
    row, label = int(activations.rows[index]), int(activations.labels[index])
    digit = Digit(row, label, parts.picture(
        bundle, f"images/activations/row-{row}/input.png", activations.images[index],
        f"Row {row}: a handwritten {label}"))
    last = list(activations.layers)[-1]
    return Watched(digit, [_layer(study, name, answers[index].clip(-MOST, MOST).astype(np.float32),
                                  digit, name == last, bundle)
                           for name, answers in activations.layers.items()])


def _layer(study: Study, name: str, answer: np.ndarray, digit: Digit, last: bool,
           bundle: Bundle) -> LayerPicture:
    count = answer.shape[-1]
    low, high = float(answer.min()), float(answer.max())
    silent = int(np.sum(np.abs(answer).reshape(-1, count).max(axis=0) == 0))

    def drawn(file: str, channels: np.ndarray, columns: int, what: str) -> Picture:
        path = bundle.add(f"images/activations/row-{digit.row}/{file}.png",
                          study.drawings.png(images.channels, channels, columns, low, high))
        return Picture(path, *images.sheet_size(channels.shape, columns),
                       f"What layer {name} answers to row {digit.row}, a {digit.label}: {what}")

    picture, rest, bars, shown = None, None, [], count
    if last and answer.shape == (10,):
        bars = parts.bars(answer, digit.label, int(answer.argmax()))
    elif answer.ndim == 3:
        channels, size = np.moveaxis(answer, -1, 0), formats.shape(answer.shape[:2])
        shown = min(CHANNELS, count)
        picture = drawn(name, channels[:shown], COLUMNS,
                        f"{formats.plural(shown, 'channel')} of {size}")
        if shown < count:
            rest = drawn(f"{name}-rest", channels[shown:], COLUMNS,
                         f"the other {formats.plural(count - shown, 'channel')} of {size}")
    else:
        picture = drawn(name, images.strip(answer), 1, formats.plural(count, "value"))
    return LayerPicture(name, answer.shape, shown, silent, low, high, picture, rest, bars)
