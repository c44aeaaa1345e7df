"""The submission: the file, checked against what Kaggle asks for."""

from typing import List

import numpy as np

from report.figures import charts
from report.text import formats
from report.contexts import Check, LabelShare, SubmissionContext
from digits.evaluation import CLASSES
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle

COLUMNS = ["ImageId", "Label"]
SHOWN = 8


def context(study: Study, bundle: Bundle) -> SubmissionContext:
    download = parts.submission_download(study)
    content = study.run.submitted
    bundle.add(download.path, content)
    # As text, so that the checks see what is in the file and not what a reader makes of it.
    header, *rows = [line.split(",") for line in content.decode().splitlines() or [""]]
    checks = _checks(header, rows, study.run.record.data.test_rows)
    shares = _shares(rows, study)
    return SubmissionContext(
        download=download, head=[header, *rows[:SHOWN]],
        checks=checks, passed=all(check.holds for check in checks), shares=shares,
        chart=study.drawings.svg(charts.shares, "submitted", "Bar chart: the share of each digit among the submitted "
                            "answers and the labelled rows; the table below has the numbers.",
                            {"labelled rows": [share.learned_share for share in shares],
                             "submitted answers": [share.submitted_share for share in shares]}),
        furthest=max(shares, key=lambda s: abs(s.submitted_share - s.learned_share)),
        command=f'kaggle competitions submit -c digit-recognizer -f {download.name} '
                f'-m "{study.run.record.id}"')


def _checks(header: List[str], rows: List[List[str]], expected_rows: int) -> List[Check]:
    named = header == COLUMNS and all(len(row) == len(COLUMNS) for row in rows)
    ids, labels = ([row[column] for row in rows] if named else [] for column in (0, 1))
    blanks = sum(not field.strip() for row in rows for field in row)
    strange = sum(label not in map(str, CLASSES) for label in labels)
    return [
        Check("The header is ImageId,Label", header == COLUMNS, ",".join(header)),
        Check("It has one row for every test row", len(rows) == expected_rows,
              f"{formats.plural(len(rows), 'row')} for {formats.number(expected_rows)} test rows"),
        Check("The ids run from 1 without a gap",
              named and ids == [str(number + 1) for number in range(len(rows))],
              f"{ids[0]} to {ids[-1]}" if ids else "no ids"),
        Check("Every label is a digit from 0 to 9", named and not strange,
              f"{strange} are not" if strange else "all of them"),
        Check("No field is blank", not blanks, formats.plural(blanks, "blank field")),
    ]


def _shares(rows: List[List[str]], study: Study) -> List[LabelShare]:
    answers = [int(row[-1]) for row in rows if row[-1] in map(str, CLASSES)]
    submitted = np.bincount(answers, minlength=len(CLASSES))
    learned = np.bincount(study.run.preview.train_labels, minlength=len(CLASSES))
    return [LabelShare(label, int(submitted[label]), submitted[label] / max(len(answers), 1),
                       learned[label] / learned.sum()) for label in CLASSES]
