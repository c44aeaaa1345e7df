"""The results: the confusion matrix and the scores of every digit."""

import math

import numpy as np
import pandas as pd

from report.contexts import Cell, MatrixRow, ResultsContext
from report.evaluation import CLASSES, Evaluation, pair_anchor
from report.pages import parts
from report.study import Study
from report.writer import Bundle


def context(study: Study, bundle: Bundle) -> ResultsContext:
    judged = study.evaluation
    return ResultsContext(
        accuracy=judged.accuracy, low=judged.interval[0], high=judged.interval[1],
        errors=judged.errors, count=judged.count,
        matrix=[MatrixRow(true, [_cell(judged, true, predicted) for predicted in CLASSES])
                for true in CLASSES],
        classes=judged.classes, pairs=judged.pairs[:10],
        predictions=parts.download(bundle, "predictions.csv", _predictions(judged),
                                   "every validation row with its ten probabilities"))


def _cell(judged: Evaluation, true: int, predicted: int) -> Cell:
    count, of = int(judged.confusion[true, predicted]), int(judged.confusion[true].sum())
    rate = count / of if of else None
    if true == predicted or not count:
        return Cell(predicted, count, rate, 0, None)
    # The diagonal is a hundred times the rest: the shades compare the mistakes with one another.
    off = judged.confusion - np.diag(np.diag(judged.confusion))
    return Cell(predicted, count, rate, math.ceil(5 * count / off.max()),
                pair_anchor(true, predicted))


def _predictions(judged: Evaluation) -> bytes:
    table = pd.DataFrame({"row": judged.rows, "label": judged.truth, "predicted": judged.predicted})
    for label in CLASSES:
        table[f"probability{label}"] = judged.probabilities[:, label]
    text = table.sort_values("row").to_csv(index=False, float_format="%.6f", lineterminator="\n")
    return text.encode()
