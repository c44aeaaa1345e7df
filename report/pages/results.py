"""The results: the confusion matrix, precision and recall, calibration, and the t-SNE embedding."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from digits.evaluation import Bin, Coverage, coverage, reliability
from digits.run import CLASSES
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.shared import Download, downloads, votes
from report.pages.study import Study
from report.text import formats

CURVE_POINTS = 101
WIDTH, MARGIN = 1000, 24  # of the embedding's drawing
SQUARE = 16, 19  # one digit stands in each


@dataclass(frozen=True)
class Neighbours:
    """How a class lies in the embedding: the share of its digits whose nearest one is of the same
    class, and the class that most of the others lie beside."""

    label: int
    count: int
    share: float
    other: int | None


@dataclass(frozen=True)
class Embedding:
    """The t-SNE embedding of the last hidden layer, as many digits of it as have room: the label, column
    and row of each, and whether it is misclassified."""

    width: int
    height: int
    square: tuple[int, int]
    digits: list[tuple[int, int, int, bool]]
    neighbours: list[Neighbours]


@dataclass(frozen=True)
class Context:
    """`disputed` are the rows whose networks predict different labels, by their place among the judged ones."""

    disputed: dict[int, str]
    disputed_right: int
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
    curve = coverage(judged, np.linspace(0.5, 1, CURVE_POINTS).tolist())
    places = np.searchsorted(judged.rows, list(study.disputed))
    return Context(
        disputed=dict(zip(places.tolist(), map(votes, study.disputed.values()))),
        disputed_right=int(np.sum(judged.truth[places] == judged.predicted[places])),
        bins=bins, calibration_error=calibration_error,
        reliability=study.drawings.svg(
            charts.reliability, "reliability", "Reliability diagram: accuracy against confidence; they differ "
            f"by {formats.percent(calibration_error)} in the mean. The table below has the numbers.",
            [one.confidence for one in bins], [one.accuracy for one in bins],
            [one.interval[0] for one in bins], [one.interval[1] for one in bins]),
        coverage=coverage(judged),
        coverage_chart=study.drawings.svg(
            charts.coverage, "coverage", "Line chart of the accuracy against the share of the digits that is "
            f"classified, the most confident first: {formats.percent(curve[0].accuracy)} on half of them, "
            f"{formats.percent(judged.accuracy)} on all. The table below has the numbers.",
            [point.share for point in curve], [point.accuracy for point in curve]),
        embedding=_embedding(study), downloads=_downloads(study, bundle))


def _embedding(study: Study) -> Embedding | None:
    """The embedding of the first network, in units of its drawing."""
    rows, points = study.first.predictions.tsne_rows, study.first.predictions.tsne_embedding
    if not len(rows):
        return None
    low, spread = points.min(axis=0), np.ptp(points, axis=0).clip(1e-6)  # all may lie in one place
    height = round(WIDTH * float(np.clip(spread[1] / spread[0], 0.4, 1)))
    places = MARGIN + (points - low) / spread * (np.array([WIDTH, height]) - 2 * MARGIN)
    squares = [tuple(square) for square in (places // SQUARE).astype(int).tolist()]
    labels = study.run.data.train_labels[rows].astype(int)
    wrong = np.isin(rows, study.run.misclassified.rows)
    shown = {}  # so that no digit covers another: where several would, a misclassified one is written
    for index in np.argsort(~wrong, kind="stable").tolist():
        shown.setdefault(squares[index], index)
    digits = [(int(labels[index]), *square, bool(wrong[index])) for square, index in shown.items()]
    return Embedding(WIDTH, height, SQUARE, digits, _neighbours(labels, points.astype(np.float64)))


def _neighbours(labels: np.ndarray, points: np.ndarray) -> list[Neighbours]:
    beside = np.zeros((len(CLASSES), len(CLASSES)), int)  # by the label, and by that of the nearest digit
    for index, point in enumerate(points):
        distances = ((points - point) ** 2).sum(axis=1)
        distances[index] = np.inf
        beside[labels[index], labels[distances.argmin()]] += 1
    others = beside - np.diag(beside.diagonal())
    return [Neighbours(label, int(counts.sum()), counts[label] / counts.sum(),
                       int(others[label].argmax()) if others[label].any() else None)
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
