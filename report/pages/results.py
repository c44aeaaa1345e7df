"""The results: the confusion matrix, the scores of every digit, how far to trust how sure it is,
and the map of the last hidden layer."""

import math
from typing import List, Optional

import numpy as np

from report.figures import charts
from report.text import formats
from report.contexts import (Cell, Download, Glyphs, Landscape, MatrixRow, Neighbours,
                             ResultsContext)
from digits.evaluation import CLASSES, Evaluation, coverage, pair_anchor, reliability
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle

CURVE_POINTS = 101
MAP_WIDTH, MAP_MARGIN = 1000, 24


def context(study: Study, bundle: Bundle) -> ResultsContext:
    judged = study.evaluation
    bins, calibration_error = reliability(judged)
    return ResultsContext(
        accuracy=judged.accuracy, low=judged.interval[0], high=judged.interval[1],
        errors=judged.errors, count=judged.count,
        matrix=[MatrixRow(true, [_cell(judged, true, predicted) for predicted in CLASSES])
                for true in CLASSES],
        classes=judged.classes, pairs=judged.pairs[:10],
        bins=bins, calibration_error=calibration_error,
        reliability=study.drawings.svg(
            charts.reliability, "reliability", "Reliability diagram: how often the network is right "
            f"against how sure it is; they differ by {formats.percent(calibration_error)} in the "
            "mean. The table below has the numbers.",
            [one.confidence for one in bins], [one.accuracy for one in bins],
            [one.interval[0] for one in bins], [one.interval[1] for one in bins]),
        coverage=coverage(judged), coverage_chart=_coverage_chart(study),
        landscape=_landscape(judged, study.run.predictions.map),
        downloads=_downloads(judged, study.run.predictions.map, bundle))


def _cell(judged: Evaluation, true: int, predicted: int) -> Cell:
    count, of = int(judged.confusion[true, predicted]), int(judged.confusion[true].sum())
    rate = count / of if of else None
    if true == predicted or not count:
        return Cell(predicted, count, rate, 0, None)
    # The diagonal is a hundred times the rest: the shades compare the mistakes with one another.
    off = judged.confusion - np.diag(np.diag(judged.confusion))
    return Cell(predicted, count, rate, math.ceil(5 * count / off.max()),
                pair_anchor(true, predicted))


def _coverage_chart(study: Study):
    points = coverage(study.evaluation, np.linspace(0.5, 1, CURVE_POINTS).tolist())
    half = points[0]
    return study.drawings.svg(
        charts.coverage, "coverage", "Line chart of the accuracy against the part of the digits that "
        f"is read, the surest first: {formats.percent(half.accuracy)} on half of them, "
        f"{formats.percent(study.evaluation.accuracy)} on all. The table below has the numbers.",
        [point.share for point in points], [point.accuracy for point in points])


def _landscape(judged: Evaluation, layout: Optional[np.ndarray]) -> Optional[Landscape]:
    """The map in units of the drawing: every digit a sign where its row lies."""
    if layout is None:
        return None
    low, spread = layout.min(axis=0), np.ptp(layout, axis=0).clip(1e-6)  # all may lie in one place
    height = round(MAP_WIDTH * float(np.clip(spread[1] / spread[0], 0.4, 1)))
    room = np.array([MAP_WIDTH, height]) - 2 * MAP_MARGIN
    places = (MAP_MARGIN + (layout - low) / spread * room).round().astype(int)
    wrong = judged.predicted != judged.truth
    neighbours = _neighbours(judged.truth, layout)
    return Landscape(MAP_WIDTH, height, _glyphs(judged.truth[~wrong], places[~wrong]),
                     _glyphs(judged.truth[wrong], places[wrong]), neighbours,
                     min(neighbours, key=lambda one: one.share))


def _glyphs(labels: np.ndarray, places: np.ndarray) -> Glyphs:
    x, y = (" ".join(map(str, column)) for column in places.T.tolist())
    return Glyphs("".join(map(str, labels.tolist())), x, y)


def _neighbours(labels: np.ndarray, layout: np.ndarray) -> List[Neighbours]:
    nearest = labels[_nearest(layout.astype(np.float32))]
    rows = []
    for label in sorted(set(labels.tolist())):
        beside = np.bincount(nearest[labels == label], minlength=len(CLASSES))
        count, same = int(beside.sum()), int(beside[label])
        beside[label] = 0
        rows.append(Neighbours(label, count, same / count,
                               int(beside.argmax()) if beside.any() else None))
    return rows


def _nearest(points: np.ndarray) -> np.ndarray:
    """The index of each point's nearest other one, a thousand points at a time."""
    found = []
    for start in range(0, len(points), 1000):
        block = points[start:start + 1000]
        distance = (block[:, None, 0] - points[:, 0]) ** 2 + (block[:, None, 1] - points[:, 1]) ** 2
        distance[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        found.append(distance.argmin(axis=1))
    return np.concatenate(found)


def _downloads(judged: Evaluation, layout: Optional[np.ndarray], bundle: Bundle) -> List[Download]:
    columns = [judged.rows, judged.truth, judged.predicted, *judged.probabilities.T.round(6)]
    header = ["row", "label", "predicted", *(f"probability{label}" for label in CLASSES)]
    if layout is not None:
        columns += [*layout.T.round(3)]
        header += ["map_x", "map_y"]
    # float64 writes a rounded number short; as float32 0.1 would be 0.10000000149.
    columns = [column.astype(np.float64).round(6).tolist() if column.dtype.kind == "f"
               else column.tolist() for column in columns]
    return [
        *parts.downloads(bundle, "confusion", "the confusion matrix", ["true", "predicted", "count"],
                         [(true, predicted, int(judged.confusion[true, predicted]))
                          for true in CLASSES for predicted in CLASSES]),
        *parts.downloads(bundle, "predictions", "every validation row with its ten probabilities",
                         header, sorted(zip(*columns)))]
