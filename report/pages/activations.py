"""The activations: what each layer answers to a few digits."""

import numpy as np

from report import formats, images
from report.contexts import ActivationsContext, Digit, LayerPicture, Picture, Watched
from report.pages import parts
from report.study import Study
from report.writer import Bundle

CHANNELS, COLUMNS = 32, 8


def context(study: Study, bundle: Bundle) -> ActivationsContext:
    activations = study.run.activations
    return ActivationsContext([_watched(activations, index, bundle)
                               for index in range(len(activations.rows))])


def _watched(activations, index: int, bundle: Bundle) -> Watched:
    row, label = int(activations.rows[index]), int(activations.labels[index])
    digit = Digit(row, label, parts.picture(
        bundle, f"images/activations/row-{row}/input.png", activations.images[index],
        f"Row {row}: a handwritten {label}"))
    last = list(activations.layers)[-1]
    return Watched(digit, [_layer(name, answers[index].astype(np.float32), digit, name == last, bundle)
                           for name, answers in activations.layers.items()])


def _layer(name: str, answer: np.ndarray, digit: Digit, last: bool, bundle: Bundle) -> LayerPicture:
    bars, picture, shown = [], None, answer.shape[-1]
    silent = int(np.sum(np.abs(answer).reshape(-1, shown).max(axis=0) == 0))
    if last and answer.shape == (10,):
        bars = parts.bars(answer, digit.label, int(answer.argmax()))
    else:
        if answer.ndim == 3:
            shown = min(CHANNELS, shown)
            png, size = images.channels(np.moveaxis(answer, -1, 0)[:shown], COLUMNS)
            what = f"{formats.plural(shown, 'channel')} of {formats.shape(answer.shape[:2])}"
        else:
            png, size = images.channels(images.strip(answer), 1)
            what = formats.plural(shown, "value")
        path = bundle.add(f"images/activations/row-{digit.row}/{name}.png", png)
        picture = Picture(path, *size, f"What layer {name} answers to row {digit.row}, "
                                       f"a {digit.label}: {what}")
    return LayerPicture(name, answer.shape, shown, silent, float(answer.min()), float(answer.max()),
                        picture, bars)
