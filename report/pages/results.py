"""The results: the confusion matrix, precision and recall, calibration, and the t-SNE embedding."""

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from digits.evaluation import Bin, Coverage, Evaluation, coverage, reliability, wilson
from digits.run import CLASSES
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.shared import Download, downloads, votes
from report.pages.study import Study
from report.text import formats

CURVE_POINTS = 101
WIDTH, MARGIN = 1000, 24  # of the embedding's drawing
SQUARE = 16, 19  # one digit stands in each
NAME = 3, 2  # squares that the name of a cluster takes


@dataclass(frozen=True)
class Neighbours:
    """How a class lies in the embedding: how many of its `count` digits have another digit of it as their
    nearest one, and the class that most of the rest lie beside, with how many."""

    label: int
    count: int
    same: int
    other: int
    beside_other: int

    @property
    def share(self) -> float:
        return self.same / self.count


@dataclass(frozen=True)
class Mark:
    """A digit in the embedding, at a column and a row of it."""

    column: int
    line: int
    row: int
    true: int
    predicted: int


@dataclass(frozen=True)
class Embedding:
    """The t-SNE embedding of the last hidden layer, as many digits of it as have room: `marks` by whether they
    are misclassified and by their confidence in whole percent; and by class the column and row of its name."""

    width: int
    height: int
    square: tuple[int, int]
    marks: dict[tuple[bool, int], list[Mark]]
    names: dict[int, tuple[int, int]]
    neighbours: list[Neighbours]


@dataclass(frozen=True)
class Context:
    """`disputed` are the rows whose networks predict different labels, by their place among the judged ones.
    `counts` are those of the dial, [true, predicted, confidence, digits, true, ...] with the confidence in whole
    percent, rounded down; `least` is where the dial begins. Beyond their intervals, the accuracy of the bins
    `over` is below their confidence, that of `under` above."""

    disputed: dict[int, str]
    disputed_right: int
    counts: list[int]
    least: int
    scores: Markup
    bins: list[Bin]
    over: list[Bin]
    under: list[Bin]
    calibration_error: float
    reliability: Markup
    coverage: list[Coverage]
    coverage_chart: Markup
    embedding: Embedding | None
    downloads: list[Download]


def context(study: Study, bundle: Bundle) -> Context:
    judged = study.evaluation
    bins, calibration_error = reliability(judged)
    curve = coverage(judged, np.linspace(_start(judged), 1, CURVE_POINTS).tolist())
    places = np.searchsorted(judged.rows, list(study.disputed))
    counts = np.unique(np.stack([judged.truth, judged.predicted, _percents(judged)], 1), axis=0, return_counts=True)
    recalls = [(score.label, score.recall, *wilson(round(score.recall * score.support), score.support))
               for score in judged.classes if score.recall is not None]
    return Context(
        disputed=dict(zip(places.tolist(), map(votes, study.disputed.values()))),
        disputed_right=int(np.sum(judged.truth[places] == judged.predicted[places])),
        counts=np.column_stack(counts).ravel().tolist(), least=int(_percents(judged).min()) // 10 * 10,
        scores=study.drawings.svg(
            charts.scores, "scores", "Dot chart of the recall of every digit with its 95% interval. The table beside "
            "it has the numbers.", *map(list, zip(*recalls))),
        bins=bins, over=[one for one in bins if one.interval[1] < one.confidence],
        under=[one for one in bins if one.interval[0] > one.confidence], calibration_error=calibration_error,
        reliability=study.drawings.svg(
            charts.reliability, "reliability", "Reliability diagram: accuracy against confidence; they differ "
            f"by {formats.percent(calibration_error)} in the mean. The table below has the numbers.",
            [one.confidence for one in bins], [one.accuracy for one in bins],
            [one.interval[0] for one in bins], [one.interval[1] for one in bins], [one.count for one in bins]),
        coverage=coverage(judged),
        coverage_chart=study.drawings.svg(
            charts.coverage, "coverage", "Line chart of the accuracy against the share of the digits that is "
            f"classified, the most confident first: {formats.percent(curve[0].accuracy)} on "
            f"{formats.percent(curve[0].share, 0)} of them, {formats.percent(judged.accuracy)} on all. The table "
            "below has the numbers.",
            [point.share for point in curve], [point.accuracy for point in curve]),
        embedding=_embedding(study), downloads=_downloads(study, bundle))


def _percents(judged: Evaluation) -> np.ndarray:
    """The confidence of every digit in whole percent, rounded down, at most 99: at a dial of that it answers."""
    return np.digitize(judged.confidence, np.arange(1, 100) / 100)


def _start(judged: Evaluation) -> float:
    """From what coverage on most happens: a little before that which leaves out three quarters of the errors."""
    surest = np.argsort(-judged.confidence, kind="stable")
    wrong = np.cumsum((judged.predicted != judged.truth)[surest])
    return max(0.05, math.floor(18 * float(np.mean(wrong <= judged.errors / 4))) / 20) if judged.errors else 0.5


def _embedding(study: Study) -> Embedding | None:
    """The embedding of the first network, in units of its drawing."""
    judged, predictions = study.evaluation, study.first.predictions
    rows, points = predictions.tsne_rows, predictions.tsne_embedding
    if not len(rows):
        return None
    places = np.searchsorted(judged.rows, rows)
    low, spread = points.min(axis=0), np.ptp(points, axis=0).clip(1e-6)  # all may lie in one place
    height = round(WIDTH * float(np.clip(spread[1] / spread[0], 0.4, 1)))
    squares = ((MARGIN + (points - low) / spread * (np.array([WIDTH, height]) - 2 * MARGIN)) // SQUARE).astype(int)
    true, predicted, sure = judged.truth[places], judged.predicted[places], _percents(judged)[places]
    wrong = true != predicted
    names = _names(true, squares, squares[wrong], (WIDTH // SQUARE[0], height // SQUARE[1]))
    named = {square for column, line in names.values() for square in _squares(column, line)}
    marks, taken = {}, set(named)  # so that nothing covers another: where several would, a misclassified one stands
    for index in np.argsort(~wrong, kind="stable").tolist():
        square = tuple(squares[index].tolist())
        if square not in taken:
            taken.add(square)
            marks.setdefault((bool(wrong[index]), int(sure[index])), []).append(
                Mark(*square, int(rows[index]), int(true[index]), int(predicted[index])))
    return Embedding(WIDTH, height, SQUARE, marks, names, _neighbours(true, points.astype(np.float64)))


def _squares(column: int, line: int) -> list[tuple[int, int]]:
    """Those that a name covers."""
    return [(column + right, line + down) for right in range(NAME[0]) for down in range(NAME[1])]


def _names(labels: np.ndarray, squares: np.ndarray, wrong: np.ndarray, size: tuple[int, int]) -> dict:
    """Where each class has its name: as near to the median of its digits as covers no other name and no
    misclassified digit; nowhere, if there is no such place."""
    names, taken = {}, set(map(tuple, wrong.tolist()))
    spots = np.stack(np.meshgrid(*(np.arange(of - name + 1) for of, name in zip(size, NAME))), -1).reshape(-1, 2)
    for label in np.unique(labels).tolist():
        middle = np.median(squares[labels == label], axis=0) - np.array(NAME) / 2 + 0.5
        for column, line in spots[(((spots - middle) * SQUARE) ** 2).sum(axis=1).argsort(kind="stable")].tolist():
            if taken.isdisjoint(_squares(column, line)):
                names[label] = column, line
                taken.update(_squares(column, line))
                break
    return names


def _neighbours(labels: np.ndarray, points: np.ndarray) -> list[Neighbours]:
    beside = np.zeros((len(CLASSES), len(CLASSES)), int)  # by the label, and by that of the nearest digit
    squares = (points ** 2).sum(axis=1)
    for rows in np.array_split(np.arange(len(points)), len(points) // 50 + 1):  # their distances fit the cache
        distances = squares - 2 * points[rows] @ points.T  # squared, less the row's own square
        distances[np.arange(len(rows)), rows] = np.inf
        np.add.at(beside, (labels[rows], labels[distances.argmin(axis=1)]), 1)
    others = beside - np.diag(beside.diagonal())
    return [Neighbours(label, int(counts.sum()), int(counts[label]), int(others[label].argmax()),
                       int(others[label].max()))
            for label, counts in enumerate(beside) if counts.any()]


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
