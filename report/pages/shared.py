"""What several pages show: the site and its pages, digits as pictures, probabilities as bars, downloads."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from report.figures import images
from report.output.bundle import Bundle
from report.pages.study import Study
from report.text import formats, tables

BAR_STEP, BAR_HEIGHT = 12, 40


@dataclass(frozen=True)
class Page:
    """A page of the site: `name` is what the navigation calls it, `card` the picture that others
    show of it, `note` its text as HTML."""

    path: str
    name: str
    title: str
    description: str
    card: str
    note: Markup


@dataclass(frozen=True)
class Site:
    """What every page says of the whole: `sample` asks for the banner on each of them, `warnings`
    are what went wrong in a training that was finished all the same."""

    title: str
    author: str
    description: str
    base_url: str
    pages: Sequence[Page]
    sample: bool
    warnings: Sequence[str]
    run_id: str
    finished: str
    device: str


@dataclass(frozen=True)
class Picture:
    """An image file of the site; `alt` says what is to be seen."""

    path: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Digit:
    """A labelled image; `row` is its row in train.csv, counted from 0."""

    row: int
    label: int
    picture: Picture


@dataclass(frozen=True)
class Bar:
    """A probability as it is drawn: `height` and `top` in units of the drawing."""

    label: int
    probability: float
    x: float
    top: float
    height: float
    role: str


@dataclass(frozen=True)
class MisclassifiedDigit:
    """A judged digit whose predicted label is not its true one. `bars` is empty where only the image
    is shown, `votes` where its networks do not disagree."""

    row: int
    true: int
    predicted: int
    confidence: float
    picture: Picture
    bars: list[Bar]
    votes: str


@dataclass(frozen=True)
class Download:
    path: str
    name: str
    bytes: int
    sha256: str
    about: str


def picture(bundle: Bundle, path: str, pixels: np.ndarray, alt: str) -> Picture:
    """An ink drawing of `pixels`, added to the site by the first page that shows it."""
    return Picture(bundle.add_once(path, images.digit(pixels)), pixels.shape[1], pixels.shape[0], alt)


def downloads(bundle: Bundle, name: str, about: str, columns: dict[str, Sequence]) -> list[Download]:
    """Adds a table for the reader to take away, as CSV and as JSON."""
    return [_download(bundle.add(f"downloads/{name}.{kind}", content), content, about)
            for kind, content in (("csv", tables.csv(columns)), ("json", tables.as_json(columns)))]


def submission_download(study: Study, bundle: Bundle) -> Download:
    """The submission, added to the site by the first page that links to it."""
    content = study.run.submitted
    return _download(bundle.add_once("downloads/submission.csv", content), content,
                     "the labels predicted for Kaggle’s test set")


def _download(path: str, content: bytes, about: str) -> Download:
    return Download(path, path.rpartition("/")[2], len(content), hashlib.sha256(content).hexdigest(), about)


def misclassified_digits(study: Study, bundle: Bundle, positions: Sequence[int],
                         with_bars: int) -> list[MisclassifiedDigit]:
    """The misclassified digits at these positions of the evaluation; the first `with_bars` of them
    with all ten probabilities."""
    return [_misclassified_digit(study, bundle, int(position), order < with_bars)
            for order, position in enumerate(positions)]


def _misclassified_digit(study: Study, bundle: Bundle, position: int, with_bars: bool) -> MisclassifiedDigit:
    judged = study.evaluation
    row, true = int(judged.rows[position]), int(judged.truth[position])
    predicted, confidence = int(judged.predicted[position]), float(judged.confidence[position])
    alt = (f"Row {row}: a handwritten {true}, predicted to be {predicted} "
           f"with a probability of {formats.percent(confidence, 1)}")
    return MisclassifiedDigit(
        row, true, predicted, confidence,
        picture(bundle, f"images/misclassified/row-{row}.png", study.misclassified_image(row), alt),
        bars(judged.probabilities[position], true, predicted) if with_bars else [],
        votes(study.disputed[row]) if row in study.disputed else "")


def votes(counts: np.ndarray) -> str:
    """How many networks predicted each label: "2 networks say 9, 1 says 4"."""
    said = sorted((label for label, count in enumerate(counts) if count), key=lambda label: -counts[label])
    return ", ".join(f"{count if place else formats.plural(count, 'network')} "
                     f"{'says' if count == 1 else 'say'} {label}"
                     for place, label in enumerate(said) for count in [int(counts[label])])


def bars(probabilities: np.ndarray, true: int, predicted: int) -> list[Bar]:
    """Ten bars; a probability that is not quite zero still gets a visible line."""
    heights = [max(round(float(p) * BAR_HEIGHT, 1), 0.6) for p in probabilities]
    return [Bar(label, float(probabilities[label]), label * BAR_STEP, BAR_HEIGHT - height, height,
                "true" if label == true else "predicted" if label == predicted else "other")
            for label, height in enumerate(heights)]
