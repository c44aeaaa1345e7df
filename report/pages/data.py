"""The data: both tables, the digits, and how often each comes."""

from typing import List, Optional

import numpy as np

from report.figures import charts, images
from report.text import formats
from report.contexts import ClassRow, DataContext, Digit, Picture, Survey, Table
from digits.evaluation import CLASSES
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle

FIRST = range(3, 9)  # the six rows that the notebook drew
EDGE = 5  # columns shown at either end of a table
GRID_COLUMNS = 16


def context(study: Study, bundle: Bundle) -> DataContext:
    facts = study.run.record.data
    preview = study.run.preview
    pixels = [f"pixel{index}" for index in range(preview.test_head.shape[1])]
    classes = _classes(study, bundle)
    return DataContext(
        survey=_survey(study),
        tables=[_table(facts.train_file, facts.train_rows, ["label", *pixels], preview.train_head),
                _table(facts.test_file, facts.test_rows, pixels, preview.test_head)],
        first=[_digit(preview, row, bundle) for row in FIRST],
        grid=_grid(preview, bundle),
        classes=classes,
        rarest=min(classes, key=lambda row: row.fit),
        commonest=max(classes, key=lambda row: row.fit),
        balance=study.drawings.svg(
            charts.shares, "balance", "Bar chart: the share of each digit among the rows learned from "
            "and the validation rows; the table beside it has the numbers.",
            {"rows learned from": [row.fit_share for row in classes],
             "validation rows": [row.validation_share for row in classes]}))


def _survey(study: Study) -> Optional[Survey]:
    facts, preview = study.run.record.data, study.run.preview
    if preview.repeats is None:
        return None
    labels, held_back = preview.train_labels, set(preview.validation_rows.tolist())
    repeats = [tuple(pair) for pair in preview.repeats.tolist()]
    names = [facts.train_file, facts.test_file] if facts.train_file != facts.test_file else \
        ["labelled digits", "digits to read"]
    return Survey(
        ranges=[(name, *ends) for name, ends in zip(names, preview.pixel_range.tolist())],
        repeats=repeats,
        contradictions=[(row, first) for row, first in repeats if labels[row] != labels[first]],
        across=[(row, first) for row, first in repeats
                if (row in held_back) != (first in held_back)],
        leaks=[tuple(pair) for pair in preview.leaks.tolist()])


def _table(file: str, rows: int, header: List[str], head: np.ndarray) -> Table:
    start = EDGE + header.count("label")
    cut = slice(start, len(header) - EDGE)
    shown = np.delete(head, cut, axis=1)
    del header[cut]
    return Table(file, rows, head.shape[1], header, shown.tolist(), gap=start)


def _digit(preview, row: int, bundle: Bundle) -> Digit:
    label = int(preview.first_labels[row])
    alt = f"Row {row}: a handwritten {label}"
    return Digit(row, label, parts.picture(bundle, f"images/data/row-{row}.png",
                                           preview.first_images[row], alt))


def _grid(preview, bundle: Bundle) -> Picture:
    labels = ", ".join(map(str, preview.first_labels))
    return parts.picture(bundle, "images/data/first.png",
                         images.sheet(preview.first_images, GRID_COLUMNS),
                         f"The first {formats.plural(len(preview.first_labels), 'row')} as images; "
                         f"their labels are {labels}")


def _classes(study: Study, bundle: Bundle) -> List[ClassRow]:
    preview = study.run.preview
    fit = np.bincount(study.fit_labels, minlength=len(CLASSES))
    validation = np.bincount(preview.validation_labels, minlength=len(CLASSES))
    return [ClassRow(
        label, int(fit[label]), fit[label] / fit.sum(),
        int(validation[label]), validation[label] / validation.sum(),
        parts.picture(bundle, f"images/data/mean-{label}.png",
                      preview.class_means[label].astype(np.uint8), f"The mean of all {label}s"),
        parts.picture(bundle, f"images/data/examples-{label}.png",
                      images.sheet(preview.class_images[label], len(preview.class_images[label])),
                      f"{len(preview.class_images[label])} handwritten {label}s"))
        for label in CLASSES]
