"""The submission: its expected score, and the file, checked against what Kaggle asks for."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from digits.run import CLASSES
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.shared import Download, Share, shares, submission_download
from report.pages.study import Study
from report.text import formats

COLUMNS = ["ImageId", "Label"]


@dataclass(frozen=True)
class Check:
    """One demand that Kaggle makes of a submission, and what was found."""

    demand: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Context:
    """`furthest` is the digit whose shares among the predicted and the given labels differ most."""

    download: Download
    lines: list[str]
    checks: list[Check]
    predicted: list[Share]
    labelled: list[Share]
    chart: Markup
    furthest: int


def context(study: Study, bundle: Bundle) -> Context:
    # As text, so that the checks see what is in the file and not what a reader makes of it.
    lines = study.run.submitted.decode().splitlines() or [""]
    header, *rows = [line.split(",") for line in lines]
    predicted = shares(np.array([int(row[-1]) for row in rows if row[-1] in map(str, CLASSES)], int))
    labelled = shares(study.run.data.train_labels)
    checks = _checks(header, rows, study.data.test_rows)
    return Context(
        submission_download(study, bundle), lines, checks, predicted, labelled,
        study.drawings.svg(
            charts.shares, "predicted", "Bar chart: the share of each digit among the predicted labels of the "
            "test rows and the labels of the labelled rows; the table beside it has the numbers.",
            {"labelled rows": [each.share for each in labelled],
             "predicted for the test rows": [each.share for each in predicted]}),
        max(CLASSES, key=lambda label: abs(predicted[label].share - labelled[label].share)))


def _checks(header: list[str], rows: list[list[str]], expected_rows: int) -> list[Check]:
    named = header == COLUMNS and all(len(row) == len(COLUMNS) for row in rows)
    ids, labels = zip(*rows) if named and rows else ((), ())
    blanks = sum(not field.strip() for row in rows for field in row)
    strange = sum(label not in map(str, CLASSES) for label in labels)
    return [
        Check("The header is ImageId,Label", header == COLUMNS, ",".join(header)),
        Check("It has one row for every test row", len(rows) == expected_rows,
              f"{formats.plural(len(rows), 'row')} for {formats.number(expected_rows)} test rows"),
        Check("The ids run from 1 without a gap",
              named and list(ids) == [str(number + 1) for number in range(len(rows))],
              f"{ids[0]} to {ids[-1]}" if ids else "no ids"),
        Check("Every label is a digit from 0 to 9", named and not strange,
              f"{strange} are not" if strange else "all of them"),
        Check("No field is blank", not blanks, formats.plural(blanks, "blank field")),
    ]
