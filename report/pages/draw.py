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
from report.pages.shared import Digit, picture
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
    """`refusal` says why there are no `weights`. `network` is the name of the one that answers, where there
    are several; `views`, over how many the run takes the mean; `refit`, whether it learned on after it was
    judged; `pen`, how many pixels wide a stroke is drawn."""

    example: Watched
    picks: list[Pick]
    weights: Weights | None
    refusal: str
    network: str
    networks: int
    views: int
    refit: bool
    pen: float


def context(study: Study, bundle: Bundle) -> Context:
    picks, pixels = _picks(study, bundle)
    first, several = study.first, len(study.members) > 1
    weights, refusal = None, ""
    try:
        script = network.script(
            first, palette=_text(images.viridis()), example=_text(first.activations.images[0]),
            picks=[_text(image) for image in pixels])
        weights = Weights(bundle.add("draw/weights.js", script), len(script))
    except network.NotComputed as error:
        refusal = str(error)
    return Context(
        example=activations.watched(study, 0, bundle), picks=picks, weights=weights, refusal=refusal,
        network=first.record.name if several else "", networks=len(study.members),
        views=study.run.record.recipe.test_time_augmentation,
        refit=bool(study.run.record.recipe.refit.epochs), pen=_pen(np.concatenate(study.run.data.class_images)))


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
    return [Pick(Digit(row, label, picture(bundle, f"images/draw/row-{row}.png", study.images[row],
                                           f"Row {row}: a handwritten {label}")), predicted[row])
            for row in chosen for label in [int(data.train_labels[row])]], [study.images[row] for row in chosen]


def _pen(digits: np.ndarray) -> float:
    """How wide to draw, in pixels, so that strokes become as wide as those of the data. The width of a long
    stroke is twice its area by the length of its edge."""
    ink = np.pad(digits[digits.any(axis=(1, 2))] / 255, [(0, 0), (1, 1), (1, 1)])
    edge = np.hypot(np.diff(ink, axis=1)[:, :, :-1], np.diff(ink, axis=2)[:, :-1]).sum(axis=(1, 2))
    width = float(np.median(2 * ink.sum(axis=(1, 2)) / edge)) if len(ink) else BOX / 8
    return round(min(max(width * DRAWN / BOX, 1), 4), 2)


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, np.uint8).tobytes()).decode()
