"""What several pages show: pictures, digits, what was misclassified, downloads."""

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digits.run import CLASSES
from report.figures import images
from report.output.bundle import Bundle
from report.pages.study import Study
from report.text import formats


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
class JudgedDigit:
    """A digit with what it was predicted to be. `votes` is empty where its networks do not disagree."""

    row: int
    true: int
    predicted: int
    confidence: float
    picture: Picture
    probabilities: list[float]
    votes: str


@dataclass(frozen=True)
class Share:
    """How many rows are of one digit, and what part of all that is."""

    label: int
    count: int
    share: float


@dataclass(frozen=True)
class Download:
    path: str
    name: str
    bytes: int
    sha256: str
    about: str


def drawing(bundle: Bundle, path: str, png: bytes, alt: str) -> Picture:
    """A PNG file, added to the site by the first page that shows it."""
    width, height = struct.unpack(">II", png[16:24])  # as its header says
    return Picture(bundle.add(path, png), width, height, alt)


def picture(bundle: Bundle, path: str, pixels: np.ndarray, alt: str) -> Picture:
    """An ink drawing of `pixels`, uint8 (h, w)."""
    return drawing(bundle, path, images.digits(pixels[None]), alt)


def digit(bundle: Bundle, path: str, row: int, label: int, pixels: np.ndarray) -> Digit:
    return Digit(int(row), int(label), picture(bundle, path, pixels, f"Row {row}: a handwritten {label}"))


def misclassified_digits(study: Study, bundle: Bundle, most: int | None = None) -> list[JudgedDigit]:
    """The misclassified digits, or `most` of them, the most confident first."""
    return [judged_digit(study, bundle, place) for place in study.evaluation.misclassified[:most]]


def judged_digit(study: Study, bundle: Bundle, place: int, folder: str = "images/misclassified",
                 alt: str = "") -> JudgedDigit:
    """The digit at a place of the evaluation; `alt` where its picture shall not say what it is."""
    judged = study.evaluation
    row, true, predicted = (int(array[place]) for array in (judged.rows, judged.truth, judged.predicted))
    confidence = float(judged.confidence[place])
    shown = picture(bundle, f"{folder}/row-{row}.png", study.images[row], alt or (
        f"Row {row}: a handwritten {true}, predicted to be {predicted} with a probability of "
        f"{formats.percent(confidence, 1)}"))
    return JudgedDigit(row, true, predicted, confidence, shown, judged.probabilities[place].tolist(),
                       votes(study.disputed[row]) if row in study.disputed else "")


def votes(counts: np.ndarray) -> str:
    """How many networks predicted each label: "2 networks say 9, 1 says 4"."""
    said = [label for label in np.argsort(-counts, kind="stable") if counts[label]]
    return ", ".join(
        f"{count if place else formats.plural(count, 'network')} {'says' if count == 1 else 'say'} {label}"
        for place, (count, label) in enumerate(zip(counts[said], said)))


def shares(labels: np.ndarray) -> list[Share]:
    return [Share(label, int(count), count / max(len(labels), 1))
            for label, count in enumerate(np.bincount(labels, minlength=len(CLASSES)))]


def submission_download(study: Study, bundle: Bundle) -> Download:
    """The submission, added to the site by the first page that links to it."""
    return download(bundle, "submission.csv", study.run.submitted, "the labels predicted for Kaggle’s test set")


def downloads(bundle: Bundle, name: str, about: str, columns: dict[str, Sequence]) -> list[Download]:
    """Adds a table for the reader to take away: as CSV for spreadsheets, and as JSON, a list a column,
    for programs. Its cells are numbers and plain names, so that nothing needs quotes."""
    lines = [",".join(map(str, row)) for row in (columns, *zip(*columns.values(), strict=True))]
    lists = [f'"{key}": {json.dumps(list(cells), separators=(",", ":"))}' for key, cells in columns.items()]
    return [download(bundle, f"{name}.csv", ("\n".join(lines) + "\n").encode(), about),
            download(bundle, f"{name}.json", ("{\n" + ",\n".join(lists) + "\n}\n").encode(), about)]


def download(bundle: Bundle, name: str, content: bytes, about: str) -> Download:
    """A file for the reader to take away, added to the site by the first page that links to it."""
    path = bundle.add(f"downloads/{name}", content)
    return Download(path, name, len(content), hashlib.sha256(content).hexdigest(), about)
