"""The data: both tables, the digits, class balance, duplicates and leaks."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from digits.run import CLASSES
from report.figures import charts, images
from report.output.bundle import Bundle
from report.pages.shared import Digit, Picture, digit, picture
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
    duplicates: list[list[int]]
    contradictions: list[list[int]]
    across: list[list[int]]
    leaks: list[list[int]]


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


def context(study: Study, bundle: Bundle) -> Context:
    facts, data = study.data, study.run.data
    labels, classes = data.first_labels, _classes(study, bundle)
    return Context(
        tables=[_table(facts.train_file, facts.train_rows, ["label"], data.train_head),
                _table(facts.test_file, facts.test_rows, [], data.test_head)],
        digits=[digit(bundle, f"images/data/row-{row}.png", row, labels[row], data.first_images[row])
                for row in FIRST if row < len(labels)],
        grid=picture(bundle, "images/data/first.png", images.sheet(data.first_images, GRID_COLUMNS),
                     f"The first {formats.plural(len(labels), 'row')} as images; "
                     f"their labels are {', '.join(map(str, labels))}"),
        classes=classes,
        rarest=min(classes, key=lambda row: row.training),
        commonest=max(classes, key=lambda row: row.training),
        balance=study.drawings.svg(
            charts.shares, "balance", "Bar chart: the share of each digit among the training rows and the "
            "validation rows; the table beside it has the numbers.",
            {"training rows": [row.training_share for row in classes],
             "validation rows": [row.validation_share for row in classes]}),
        quality=_quality(study))


def _table(file: str, rows: int, label: list[str], head: np.ndarray) -> Table:
    header = [*label, *(f"pixel{index}" for index in range(head.shape[1] - len(label)))]
    start = EDGE + len(label)
    shown = [*range(start), *range(len(header) - EDGE, len(header))]
    return Table(file, rows, len(header), [header[column] for column in shown], head[:, shown].tolist(), gap=start)


def _classes(study: Study, bundle: Bundle) -> list[ClassRow]:
    data = study.run.data
    training = np.bincount(data.train_labels[study.first.rows.training], minlength=len(CLASSES))
    validation = np.bincount(study.evaluation.truth, minlength=len(CLASSES))
    return [ClassRow(
        label, int(training[label]), training[label] / training.sum(),
        int(validation[label]), validation[label] / validation.sum(),
        picture(bundle, f"images/data/mean-{label}.png", data.class_means[label], f"The mean of all {label}s"),
        picture(bundle, f"images/data/examples-{label}.png", images.sheet(examples, len(examples)),
                f"{len(examples)} handwritten {label}s"))
        for label, examples in zip(CLASSES, data.class_images)]


def _quality(study: Study) -> Quality:
    facts, data = study.data, study.run.data
    pairs, labels = data.duplicates, data.train_labels
    across = np.zeros(len(pairs), bool)
    for member in study.members:
        learned, judged = np.isin(pairs, member.rows.training), np.isin(pairs, member.rows.validation)
        across |= (learned & judged[:, ::-1]).any(axis=1)
    names = (facts.train_file, facts.test_file) if facts.train_file != facts.test_file else \
        ("labelled rows", "test rows")
    return Quality(
        ranges=[(name, *ends) for name, ends in zip(names, data.pixel_range.tolist())],
        duplicates=pairs.tolist(), contradictions=pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]].tolist(),
        across=pairs[across].tolist(), leaks=data.leaks.tolist())
