"""The results: the confusion matrix, precision and recall, calibration, and the t-SNE embedding."""

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from digits.evaluation import (Bin, Confusion, Coverage, Evaluation, confusion_anchor, coverage,
                               reliability)
from digits.run import CLASSES
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.shared import Download, downloads, votes
from report.pages.study import Study
from report.text import formats

CURVE_POINTS = 101
MAX_CONFUSIONS, MAX_DISPUTED = 10, 200
WIDTH, MARGIN = 1000, 24        # of the embedding's drawing
SQUARE_WIDTH, SQUARE_HEIGHT = 16, 19  # one digit stands in each


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix; `shade` runs from 0 (none) to 5."""

    predicted: int
    count: int
    rate: float | None
    shade: int
    anchor: str | None


@dataclass(frozen=True)
class MatrixRow:
    label: int
    cells: list[Cell]


@dataclass(frozen=True)
class Disputed:
    """A row whose networks predict different labels."""

    row: int
    true: int
    predicted: int
    votes: str


@dataclass(frozen=True)
class Neighbours:
    """How a class lies in the embedding: the share of its digits whose nearest one is of the same
    class, and the class that most of the others lie beside."""

    label: int
    count: int
    share: float
    other: int | None


@dataclass(frozen=True)
class PlacedDigit:
    """A digit as it is written in the embedding: its true label, and where."""

    label: int
    x: int
    y: int


@dataclass(frozen=True)
class Embedding:
    """The t-SNE embedding of the last hidden layer, as many digits of it as have room."""

    width: int
    height: int
    count: int
    correct: list[PlacedDigit]
    misclassified: list[PlacedDigit]
    neighbours: list[Neighbours]
    mixed: Neighbours


@dataclass(frozen=True)
class Context:
    """`judges` is how many networks judged each row."""

    judged: Evaluation
    matrix: list[MatrixRow]
    confusions: list[Confusion]
    networks: int
    judges: int
    disputed_count: int
    disputed_errors: int
    disputed: list[Disputed]
    bins: list[Bin]
    calibration_error: float
    reliability: Markup
    coverage: list[Coverage]
    coverage_chart: Markup
    embedding: Embedding | None
    downloads: list[Download]


def context(study: Study, bundle: Bundle) -> Context:
    judged = study.evaluation
    bins, calibration_error = reliability(judged)
    disputed = [Disputed(row, int(judged.truth[place]), int(judged.predicted[place]), votes(study.disputed[row]))
                for row in study.disputed for place in [np.searchsorted(judged.rows, row)]]
    return Context(
        judged=judged, matrix=[MatrixRow(true, [_cell(judged, true, predicted) for predicted in CLASSES])
                               for true in CLASSES],
        confusions=judged.confusions[:MAX_CONFUSIONS],
        networks=len(study.members), judges=study.run.record.recipe.seeds,
        disputed_count=len(disputed), disputed_errors=sum(each.true != each.predicted for each in disputed),
        disputed=disputed[:MAX_DISPUTED],
        bins=bins, calibration_error=calibration_error,
        reliability=study.drawings.svg(
            charts.reliability, "reliability", "Reliability diagram: accuracy against confidence; they differ "
            f"by {formats.percent(calibration_error)} in the mean. The table below has the numbers.",
            [one.confidence for one in bins], [one.accuracy for one in bins],
            [one.interval[0] for one in bins], [one.interval[1] for one in bins]),
        coverage=coverage(judged), coverage_chart=_coverage_chart(study),
        embedding=_embedding(study), downloads=_downloads(study, bundle))


def _cell(judged: Evaluation, true: int, predicted: int) -> Cell:
    count, of = int(judged.confusion[true, predicted]), int(judged.confusion[true].sum())
    rate = count / of if of else None
    if true == predicted or not count:
        return Cell(predicted, count, rate, 0, None)
    # The diagonal is a hundred times the rest: the shades compare the confusions with one another.
    off = judged.confusion - np.diag(np.diag(judged.confusion))
    return Cell(predicted, count, rate, math.ceil(5 * count / off.max()), confusion_anchor(true, predicted))


def _coverage_chart(study: Study) -> Markup:
    points = coverage(study.evaluation, np.linspace(0.5, 1, CURVE_POINTS).tolist())
    return study.drawings.svg(
        charts.coverage, "coverage", "Line chart of the accuracy against the share of the digits that is "
        f"classified, the most confident first: {formats.percent(points[0].accuracy)} on half of them, "
        f"{formats.percent(study.evaluation.accuracy)} on all. The table below has the numbers.",
        [point.share for point in points], [point.accuracy for point in points])


def _embedding(study: Study) -> Embedding | None:
    """The embedding in units of its drawing, of the first network."""
    predictions = study.first.predictions
    rows, points = predictions.tsne_rows, predictions.tsne_embedding
    if not len(rows):
        return None
    low, spread = points.min(axis=0), np.ptp(points, axis=0).clip(1e-6)  # all may lie in one place
    height = round(WIDTH * float(np.clip(spread[1] / spread[0], 0.4, 1)))
    places = MARGIN + (points - low) / spread * (np.array([WIDTH, height]) - 2 * MARGIN)
    labels = study.run.data.train_labels[rows].astype(int)
    wrong = np.isin(rows, study.run.misclassified.rows)
    shown = _one_a_square(places, first=wrong)
    digits = [(wrong[index], PlacedDigit(int(labels[index]), SQUARE_WIDTH * column + SQUARE_WIDTH // 2,
                                         SQUARE_HEIGHT * row + SQUARE_HEIGHT - 2))
              for (column, row), index in shown.items()]
    neighbours = _neighbours(labels, points)
    return Embedding(
        WIDTH, height, len(rows), [digit for is_wrong, digit in digits if not is_wrong],
        [digit for is_wrong, digit in digits if is_wrong], neighbours,
        min(neighbours, key=lambda one: one.share))


def _one_a_square(places: np.ndarray, first: np.ndarray) -> dict[tuple[int, int], int]:
    """Which digit stands in each square, so that none covers another; those that come `first` win."""
    shown = {}
    squares = (places // (SQUARE_WIDTH, SQUARE_HEIGHT)).astype(int).tolist()
    for index in np.argsort(~first, kind="stable").tolist():
        shown.setdefault(tuple(squares[index]), index)
    return shown


def _neighbours(labels: np.ndarray, points: np.ndarray) -> list[Neighbours]:
    nearest = labels[_nearest(points.astype(np.float64))]
    rows = []
    for label in sorted(set(labels.tolist())):
        beside = np.bincount(nearest[labels == label], minlength=len(CLASSES))
        count, same = int(beside.sum()), int(beside[label])
        beside[label] = 0
        rows.append(Neighbours(label, count, same / count, int(beside.argmax()) if beside.any() else None))
    return rows


def _nearest(points: np.ndarray) -> np.ndarray:
    """The index of each point's nearest other one, a thousand points at a time."""
    found, squares = [], (points ** 2).sum(axis=1)
    for start in range(0, len(points), 1000):
        block = points[start:start + 1000]
        distance = squares - 2 * block @ points.T  # but for what is the same in a row
        distance[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        found.append(distance.argmin(axis=1))
    return np.concatenate(found)


def _downloads(study: Study, bundle: Bundle) -> list[Download]:
    judged, predictions = study.evaluation, study.first.predictions
    true, predicted = np.indices(judged.confusion.shape)
    # float64 writes a rounded number short; as float32 0.1 would be 0.10000000149.
    probabilities = judged.probabilities.astype(np.float64).round(5)
    x, y = predictions.tsne_embedding.astype(np.float64).round(3).T
    return [
        *downloads(bundle, "confusion", "the confusion matrix", {
            "true": true.ravel().tolist(), "predicted": predicted.ravel().tolist(),
            "count": judged.confusion.ravel().tolist()}),
        *downloads(bundle, "predictions", "every judged row with its ten probabilities", {
            "row": judged.rows.tolist(), "label": judged.truth.tolist(), "predicted": judged.predicted.tolist(),
            **{f"probability{label}": probabilities[:, label].tolist() for label in CLASSES}}),
        *downloads(bundle, "embedding", "the t-SNE embedding of the last hidden layer", {
            "row": predictions.tsne_rows.tolist(), "x": x.tolist(), "y": y.tolist()})]
