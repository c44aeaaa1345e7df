"""Digits to look at again: labels that are likely wrong, digits unlike all others, and near-duplicates."""

from dataclasses import dataclass

import numpy as np

from report.output.bundle import Bundle
from report.pages.shared import Digit, Download, digit, downloads
from report.pages.study import Study


@dataclass(frozen=True)
class Suspected:
    """A digit whose label is likely wrong, with what the networks predict instead. `quality` (0..1) is
    cleanlab's score of the label; `neighbours` are the labels of the nearest training digits, where the
    digit is among those that are explained."""

    digit: Digit
    predicted: int
    confidence: float
    quality: float
    neighbours: list[int]


@dataclass(frozen=True)
class Context:
    """`accuracy_if_wrong` would be the accuracy if all `count` suspected labels were wrong and the
    predictions right."""

    suspected: list[Suspected]
    count: int
    accuracy_if_wrong: float
    untypical: list[tuple[Digit, float]]
    alike: list[tuple[Digit, Digit]]
    downloads: list[Download]


def context(study: Study, bundle: Bundle) -> Context:
    issues, judged, labels = study.run.label_issues, study.evaluation, study.run.data.train_labels

    def shown(row: int, pixels: np.ndarray) -> Digit:
        return digit(bundle, f"images/labels/row-{row}.png", row, labels[row], pixels)

    suspected = []
    for row, pixels, quality in zip(issues.suspected_rows, issues.suspected_images, issues.label_quality):
        place, explained = np.searchsorted(judged.rows, row), study.explanation(row)
        suspected.append(Suspected(
            shown(row, pixels), int(judged.predicted[place]), float(judged.confidence[place]), float(quality),
            labels[explained[0].neighbour_rows[explained[1]]].tolist() if explained else []))
    count = int(issues.suspected_count[0])
    return Context(
        suspected, count, judged.accuracy + count / judged.count,
        [(shown(row, pixels), float(score)) for row, pixels, score in zip(
            issues.untypical_rows, issues.untypical_images, issues.typicality)],
        [tuple(map(shown, rows, pixels)) for rows, pixels in zip(issues.alike_rows, issues.alike_images)],
        downloads(bundle, "suspected-labels", "the suspected label errors, the most likely first", {
            "row": [one.digit.row for one in suspected], "label": [one.digit.label for one in suspected],
            "predicted": [one.predicted for one in suspected],
            "quality": [round(one.quality, 5) for one in suspected]}))
