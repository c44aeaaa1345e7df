"""The activations of every layer for a few digits, and the filters of the first layer."""

from dataclasses import dataclass

import numpy as np

from report.figures import images
from report.output.bundle import Bundle
from report.pages.shared import Digit, Picture, digit, drawing
from report.pages.study import Study
from report.text import formats

CHANNELS, COLUMNS = 32, 8
MAX_FILTERS = 512  # filters, or pixels of one, that are drawn
MAX_ACTIVATION = float(np.finfo(np.float16).max)  # as float16 what is larger became infinite
SHADES = 255  # of the colour scale
FOLDER = "images/activations"


@dataclass(frozen=True)
class LayerActivations:
    """One layer's activations for one digit: a sheet of the first channels and one of the `rest`, or
    the `probabilities` of the last layer. A `flat` channel is the same everywhere, as far as one can see;
    of a layer of single values those that are zero are flat."""

    name: str
    shape: tuple[int, ...]
    shown: int
    flat: int
    low: float
    high: float
    picture: Picture | None
    rest: Picture | None
    probabilities: list[float]


@dataclass(frozen=True)
class Watched:
    """A digit whose way through the network is shown."""

    digit: Digit
    layers: list[LayerActivations]


@dataclass(frozen=True)
class Context:
    watched: list[Watched]
    filters: Picture | None


def context(study: Study, bundle: Bundle) -> Context:
    stored = study.first.activations
    order = np.argsort(stored.labels, kind="stable")
    return Context([watched(study, index, bundle) for index in order], _filters(study, bundle))


def _filters(study: Study, bundle: Bundle) -> Picture | None:
    """The first layer's filters, where they can be seen: on one channel, the image itself."""
    layer = study.layers[0]
    kernel = study.first.weights.get(f"{layer.name}/kernel")
    if kernel is None or kernel.shape[:-1] != (*(layer.kernel_size or ()), 1) or max(kernel.shape) > MAX_FILTERS:
        return None
    filters = np.moveaxis(kernel[:, :, 0], -1, 0)
    return drawing(bundle, f"{FOLDER}/{layer.name}-filters.png", study.drawings.file(images.weights, filters, COLUMNS),
                   f"The {len(filters)} filters of {layer.name}, {formats.shape(filters.shape[1:])} each")


def watched(study: Study, index: int, bundle: Bundle) -> Watched:
    """The digit at `index` of those that the run holds the activations of."""
    stored = study.first.activations
    row = stored.rows[index]
    shown = digit(bundle, f"{FOLDER}/row-{row}/input.png", row, stored.labels[index], stored.images[index])
    last = list(stored.layers)[-1]
    return Watched(shown, [
        _layer(study, bundle, name, values[index].clip(-MAX_ACTIVATION, MAX_ACTIVATION).astype(np.float32), shown,
               name == last)
        for name, values in stored.layers.items()])


def _layer(study: Study, bundle: Bundle, name: str, values: np.ndarray, shown: Digit,
           last: bool) -> LayerActivations:
    count = values.shape[-1]
    low, high = float(values.min()), float(values.max())
    if values.ndim == 3:
        flat = int(np.sum(np.ptp(values, axis=(0, 1)) <= (high - low) / SHADES))
    else:
        flat = int(np.sum(values == 0))

    def drawn(file: str, channels: np.ndarray, columns: int, what: str) -> Picture:
        return drawing(bundle, f"{FOLDER}/row-{shown.row}/{file}.png",
                       study.drawings.file(images.channels, channels, columns, low, high),
                       f"Activations of layer {name} for row {shown.row}, {formats.a_digit(shown.label)}: {what}")

    whole, rest, probabilities, first = None, None, [], count
    if last and values.shape == (10,):
        probabilities = values.tolist()
    elif values.ndim == 3:
        channels, size = np.moveaxis(values, -1, 0), formats.shape(values.shape[:2])
        first = min(CHANNELS, count)
        whole = drawn(name, channels[:first], COLUMNS, f"{formats.plural(first, 'channel')} of {size}")
        if first < count:
            rest = drawn(f"{name}-rest", channels[first:], COLUMNS,
                         f"the other {formats.plural(count - first, 'channel')} of {size}")
    else:
        whole = drawn(name, images.strip(values), 1, formats.plural(count, "value"))
    return LayerActivations(name, values.shape, first, flat, low, high, whole, rest, probabilities)
