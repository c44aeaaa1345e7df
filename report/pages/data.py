"""The data: both tables, the digits, class balance, duplicates and leaks."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from digits.run import CLASSES
from report.figures import charts, images
from report.output.bundle import Bundle
from report.pages.shared import Digit, Picture, picture
from report.pages.study import Study
from report.text import formats

FIRST = range(3, 9)  # the six rows that the notebook drew
EDGE = 5  # columns shown at either end of a table
GRID_COLUMNS = 16


@dataclass(frozen=True)
class Table:
    """The head of a CSV; `gap` is the column before which columns are left out."""

    file: str
    rows: int
    columns: int
    header: list[str]
    body: list[list[int]]
    gap: int


@dataclass(frozen=True)
class ClassRow:
    """One digit in the data: how many rows it has, its mean image, and examples."""

    label: int
    training: int
    training_share: float
    validation: int
    validation_share: float
    mean: Picture
    examples: Picture


@dataclass(frozen=True)
class Quality:
    """What is wrong with the data, or not. The lists hold (row, the row that it is a duplicate of):
    all `duplicates` among the labelled rows, those with `contradictions` between their labels, those
    `across` a split, learned from and judged; and `leaks` from the labelled rows to the test rows."""

    ranges: list[tuple[str, int, int]]
    duplicates: list[tuple[int, int]]
    contradictions: list[tuple[int, int]]
    across: list[tuple[int, int]]
    leaks: list[tuple[int, int]]


@dataclass(frozen=True)
class Context:
    tables: list[Table]
    digits: list[Digit]
    grid: Picture
    classes: list[ClassRow]
    rarest: ClassRow
    commonest: ClassRow
    balance: Markup
    quality: Quality
    folds: int


def context(study: Study, bundle: Bundle) -> Context:
    facts, data = study.run.record.data, study.run.data
    pixels = [f"pixel{index}" for index in range(data.test_head.shape[1])]
    classes = _classes(study, bundle)
    return Context(
        tables=[_table(facts.train_file, facts.train_rows, ["label", *pixels], data.train_head),
                _table(facts.test_file, facts.test_rows, pixels, data.test_head)],
        digits=[_digit(data, row, bundle) for row in FIRST if row < len(data.first_labels)],
        grid=picture(bundle, "images/data/first.png", images.sheet(data.first_images, GRID_COLUMNS),
                     f"The first {formats.plural(len(data.first_labels), 'row')} as images; "
                     f"their labels are {', '.join(map(str, data.first_labels))}"),
        classes=classes,
        rarest=min(classes, key=lambda row: row.training),
        commonest=max(classes, key=lambda row: row.training),
        balance=study.drawings.svg(
            charts.shares, "balance", "Bar chart: the share of each digit among the training rows and the "
            "validation rows; the table beside it has the numbers.",
            {"training rows": [row.training_share for row in classes],
             "validation rows": [row.validation_share for row in classes]}),
        quality=_quality(study), folds=study.folds)


def _table(file: str, rows: int, header: list[str], head: np.ndarray) -> Table:
    start = EDGE + header.count("label")
    cut = slice(start, len(header) - EDGE)
    shown = np.delete(head, cut, axis=1)
    del header[cut]
    return Table(file, rows, head.shape[1], header, shown.tolist(), gap=start)


def _digit(data, row: int, bundle: Bundle) -> Digit:
    label = int(data.first_labels[row])
    return Digit(row, label, picture(bundle, f"images/data/row-{row}.png", data.first_images[row],
                                     f"Row {row}: a handwritten {label}"))


def _classes(study: Study, bundle: Bundle) -> list[ClassRow]:
    data = study.run.data
    training = np.bincount(data.train_labels[study.first.rows.training], minlength=len(CLASSES))
    validation = np.bincount(study.evaluation.truth, minlength=len(CLASSES))
    return [ClassRow(
        label, int(training[label]), training[label] / training.sum(),
        int(validation[label]), validation[label] / validation.sum(),
        picture(bundle, f"images/data/mean-{label}.png", data.class_means[label], f"The mean of all {label}s"),
        picture(bundle, f"images/data/examples-{label}.png",
                images.sheet(data.class_images[label], len(data.class_images[label])),
                f"{len(data.class_images[label])} handwritten {label}s"))
        for label in CLASSES]


def _quality(study: Study) -> Quality:
    facts, data = study.run.record.data, study.run.data
    duplicates = [tuple(pair) for pair in data.duplicates.tolist()]
    across = np.zeros(len(duplicates), bool)
    for member in study.members:
        learned, judged = (np.isin(data.duplicates, rows)
                           for rows in (member.rows.training, member.rows.validation))
        across |= (learned & judged[:, ::-1]).any(axis=1)
    names = [facts.train_file, facts.test_file] if facts.train_file != facts.test_file else \
        ["labelled rows", "test rows"]
    return Quality(
        ranges=[(name, *ends) for name, ends in zip(names, data.pixel_range.tolist())],
        duplicates=duplicates,
        contradictions=[(row, first) for row, first in duplicates
                        if data.train_labels[row] != data.train_labels[first]],
        across=[pair for pair, is_across in zip(duplicates, across) if is_across],
        leaks=[tuple(pair) for pair in data.leaks.tolist()])
