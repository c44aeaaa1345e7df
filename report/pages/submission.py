"""The submission: the file, checked against what Kaggle asks for."""

import io
from typing import List

import numpy as np
import pandas as pd

from report import charts, formats
from report.contexts import Check, LabelShare, SubmissionContext
from report.evaluation import CLASSES
from report.pages import parts
from report.study import Study
from report.writer import Bundle

COLUMNS = ["ImageId", "Label"]
SHOWN = 8


def context(study: Study, bundle: Bundle) -> SubmissionContext:
    download = parts.submission_download(study)
    content = study.run.submission.read_bytes()
    bundle.add(download.path, content)
    # As text, so that the checks see what is in the file and not what pandas makes of it.
    table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    checks = _checks(table, study.run.record.data.test_rows)
    shares = _shares(table, study)
    return SubmissionContext(
        download=download, head=[list(table.columns), *table.head(SHOWN).values.tolist()],
        checks=checks, passed=all(check.holds for check in checks), shares=shares,
        chart=charts.shares("submitted", "Bar chart: the share of each digit among the submitted "
                            "answers and the labelled rows; the table below has the numbers.",
                            {"labelled rows": [share.learned_share for share in shares],
                             "submitted answers": [share.submitted_share for share in shares]}),
        furthest=max(shares, key=lambda s: abs(s.submitted_share - s.learned_share)),
        command=f'kaggle competitions submit -c digit-recognizer -f {download.name} '
                f'-m "{study.run.record.id}"')


def _checks(table: pd.DataFrame, expected_rows: int) -> List[Check]:
    header = list(table.columns) == COLUMNS
    ids, labels = (table[name] if header else pd.Series(dtype=str) for name in COLUMNS)
    blanks = int((table == "").sum().sum())
    strange = ~labels.isin([str(label) for label in CLASSES])
    return [
        Check("The header is ImageId,Label", header, ",".join(table.columns)),
        Check("It has one row for every test row", len(table) == expected_rows,
              f"{formats.plural(len(table), 'row')} for {formats.number(expected_rows)} test rows"),
        Check("The ids run from 1 without a gap",
              header and list(ids) == [str(number + 1) for number in range(len(table))],
              f"{ids.iloc[0]} to {ids.iloc[-1]}" if len(ids) else "no ids"),
        Check("Every label is a digit from 0 to 9", header and not strange.any(),
              "all of them" if not strange.any() else f"{strange.sum()} are not"),
        Check("No field is blank", blanks == 0, formats.plural(blanks, "blank field")),
    ]


def _shares(table: pd.DataFrame, study: Study) -> List[LabelShare]:
    labels = pd.to_numeric(table.iloc[:, -1], errors="coerce").dropna().astype(int)
    submitted = labels.value_counts().reindex(CLASSES, fill_value=0)
    learned = np.bincount(study.run.preview.train_labels, minlength=len(CLASSES))
    return [LabelShare(label, int(submitted[label]), submitted[label] / max(len(labels), 1),
                       learned[label] / learned.sum()) for label in CLASSES]
