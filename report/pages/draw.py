"""A digit of the reader's own: the run's network, computed in the browser, and a worked example for those
without JavaScript."""

import base64
from dataclasses import dataclass

import numpy as np

from report.figures import images
from report.output import network
from report.output.bundle import Bundle
from report.pages import activations
from report.pages.activations import Watched
from report.pages.handwriting import ENDS
from report.pages.shared import Digit, digit
from report.pages.study import Study

RIGHT_OF_EACH, WRONG = 2, 10  # of the digits that are offered
DRAWN, BOX = 21, 20  # pixels: a hand fills three quarters of the paper's 28, a digit of the data 20


@dataclass(frozen=True)
class Pick:
    """A validation digit to be changed; `predicted` is what the network took it for after its fit."""

    digit: Digit
    predicted: int


@dataclass(frozen=True)
class Weights:
    """The script that holds the network."""

    path: str
    bytes: int


@dataclass(frozen=True)
class Context:
    """`refusal` says why there are no `weights`; `pen` is how many pixels wide a stroke is drawn, so that
    strokes become as wide as those of the data."""

    example: Watched
    picks: list[Pick]
    weights: Weights | None
    refusal: str
    pen: float


def context(study: Study, bundle: Bundle) -> Context:
    picks, pixels = _picks(study, bundle)
    thickness = float(np.median(study.run.handwriting.traits[:, list(ENDS).index("thickness")]))
    weights, refusal = None, ""
    try:
        script = network.script(
            study.first, palette=_text(study.drawings.file(images.viridis)),
            example=_text(study.first.activations.images[0]), picks=[_text(image) for image in pixels])
        weights = Weights(bundle.add("draw/weights.js", script), len(script))
    except network.NotComputed as error:
        refusal = str(error)
    return Context(
        activations.watched(study, 0, bundle), picks, weights, refusal,
        round(min(max(thickness * DRAWN / BOX, 1), 4), 2))


def _picks(study: Study, bundle: Bundle) -> tuple[list[Pick], list[np.ndarray]]:
    """Validation digits of those whose images the run holds: some of each that the network read right in its
    fit, then some that it did not. Also their images."""
    data, judged = study.run.data, study.first.predictions
    predicted = dict(zip(judged.validation_rows.tolist(), judged.validation.argmax(axis=1).tolist()))
    rows = [row for row in study.images if row in predicted]  # typical ones first
    right, wrong = {}, []
    for row in rows:
        label = int(data.train_labels[row])
        (right.setdefault(label, []) if predicted[row] == label else wrong).append(row)
    chosen = [row for label in sorted(right) for row in right[label][:RIGHT_OF_EACH]] + wrong[:WRONG]
    pixels = [study.images[row] for row in chosen]
    return [Pick(digit(bundle, f"images/draw/row-{row}.png", row, data.train_labels[row], image), predicted[row])
            for row, image in zip(chosen, pixels)], pixels


def _text(values: bytes | np.ndarray) -> str:
    return base64.b64encode(values if isinstance(values, bytes) else values.astype(np.uint8).tobytes()).decode()
