"""The activations of every layer for a few digits, and the filters of the first layer."""

from dataclasses import dataclass

import numpy as np

from report.figures import images
from report.output.bundle import Bundle
from report.pages.shared import Bar, Digit, Picture, bars, picture
from report.pages.study import Study
from report.text import formats

CHANNELS, COLUMNS = 32, 8
MAX_FILTERS = 512  # filters, or pixels of one, that are drawn
MAX_ACTIVATION = float(np.finfo(np.float16).max)  # as float16 what is larger became infinite


@dataclass(frozen=True)
class LayerActivations:
    """One layer's activations for one digit: a sheet of the first channels and one of the `rest`, or
    bars for the last layer. A `silent` channel is zero everywhere."""

    name: str
    shape: tuple[int, ...]
    shown: int
    silent: int
    low: float
    high: float
    picture: Picture | None
    rest: Picture | None
    bars: list[Bar]


@dataclass(frozen=True)
class Watched:
    """A digit whose way through the network is shown."""

    digit: Digit
    layers: list[LayerActivations]


@dataclass(frozen=True)
class Context:
    """`network` is the name of the one that is shown, where there are several."""

    watched: list[Watched]
    filters: Picture | None
    filter_shape: str
    first_layer: str
    network: str


def context(study: Study, bundle: Bundle) -> Context:
    first_layer = study.run.layers[0]
    return Context(
        watched=[watched(study, index, bundle) for index in range(len(study.first.activations.rows))],
        filters=_filters(study, first_layer.name, bundle),
        filter_shape=formats.shape(first_layer.kernel_size or ()), first_layer=first_layer.name,
        network=study.first.record.name if len(study.members) > 1 else "")


def _filters(study: Study, layer: str, bundle: Bundle) -> Picture | None:
    """The first layer's filters, where they can be seen: on one channel, the image itself."""
    kernel = study.first.weights.get(f"{layer}/kernel")
    if kernel is None or kernel.ndim != 4 or kernel.shape[2] != 1 or max(kernel.shape) > MAX_FILTERS:
        return None
    filters = np.moveaxis(kernel[:, :, 0], -1, 0)
    path = bundle.add(f"images/activations/{layer}-filters.png",
                      study.drawings.png(images.weights, filters, COLUMNS))
    return Picture(path, *images.sheet_size(filters.shape, COLUMNS),
                   f"The {len(filters)} filters of {layer}, {formats.shape(filters.shape[1:])} each")


def watched(study: Study, index: int, bundle: Bundle) -> Watched:
    """The digit at `index` of those that the run holds the activations of."""
    stored = study.first.activations
    row, label = int(stored.rows[index]), int(stored.labels[index])
    digit = Digit(row, label, picture(bundle, f"images/activations/row-{row}/input.png", stored.images[index],
                                      f"Row {row}: a handwritten {label}"))
    last = list(stored.layers)[-1]
    return Watched(digit, [
        _layer(study, name, values[index].clip(-MAX_ACTIVATION, MAX_ACTIVATION).astype(np.float32), digit,
               name == last, bundle)
        for name, values in stored.layers.items()])


def _layer(study: Study, name: str, values: np.ndarray, digit: Digit, last: bool,
           bundle: Bundle) -> LayerActivations:
    count = values.shape[-1]
    low, high = float(values.min()), float(values.max())
    silent = int(np.sum(np.abs(values).reshape(-1, count).max(axis=0) == 0))

    def drawn(file: str, channels: np.ndarray, columns: int, what: str) -> Picture:
        path = bundle.add_once(f"images/activations/row-{digit.row}/{file}.png",
                               study.drawings.png(images.channels, channels, columns, low, high))
        return Picture(path, *images.sheet_size(channels.shape, columns),
                       f"Activations of layer {name} for row {digit.row}, a {digit.label}: {what}")

    whole, rest, probabilities, shown = None, None, [], count
    if last and values.shape == (10,):
        probabilities = bars(values, digit.label, int(values.argmax()))
    elif values.ndim == 3:
        channels, size = np.moveaxis(values, -1, 0), formats.shape(values.shape[:2])
        shown = min(CHANNELS, count)
        whole = drawn(name, channels[:shown], COLUMNS, f"{formats.plural(shown, 'channel')} of {size}")
        if shown < count:
            rest = drawn(f"{name}-rest", channels[shown:], COLUMNS,
                         f"the other {formats.plural(count - shown, 'channel')} of {size}")
    else:
        whole = drawn(name, images.strip(values), 1, formats.plural(count, "value"))
    return LayerActivations(name, values.shape, shown, silent, low, high, whole, rest, probabilities)
