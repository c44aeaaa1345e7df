"""The finished runs beside one another. The page is there where there are several."""

import math
from typing import Optional

from digits.run import FIT, Run, RunError
from report.figures import charts
from report.text import formats
from report.contexts import RunRow, RunsContext
from digits.evaluation import wilson
from report.text.facts import best_epoch
from report.pages.study import Study
from report.output.bundle import Bundle


def context(study: Study, bundle: Bundle) -> RunsContext:
    rows = list(filter(None, (_row(run, study) for run in study.siblings)))
    compared = {row.id: [epoch.val_acc for epoch in run.history if epoch.stage == FIT]
                for run in study.siblings for row in rows
                if row.id == run.record.id and row.comparable}
    shown = next(row for row in rows if row.shown)
    best = max((row for row in rows if row.comparable), key=lambda row: row.accuracy)
    return RunsContext(
        rows=rows, best=best, shown=shown, compared=len(compared),
        chart=study.drawings.svg(
            charts.runs, "runs", f"Line chart of the validation accuracy of "
            f"{formats.plural(len(compared), 'run')} over their epochs; {best.id} ends highest, at "
            f"{formats.percent(best.accuracy)}. The table below has the numbers.",
            compared, shown.id))


def _row(run: Run, study: Study) -> Optional[RunRow]:
    record, shown = run.record, study.run.record
    try:
        epochs = [epoch for epoch in run.history if epoch.stage == FIT]
        seconds = sum(epoch.seconds for epoch in run.history)
    except RunError:  # another run that is damaged is no reason to leave this one without a site
        return None
    count = math.ceil(record.data.train_rows * record.recipe.validation_fraction)  # as the split
    errors = round((1 - epochs[-1].val_acc) * count)
    return RunRow(
        record.id, record.id == shown.id, _judged_on(record) == _judged_on(shown),
        record.recipe, 1 - errors / count, *wilson(count - errors, count),
        errors, count, best_epoch(epochs), seconds,
        record.device.description if record.device else "unknown", record.finished)


def _judged_on(record) -> tuple:
    return record.data.fingerprint, record.recipe.validation_fraction, record.recipe.split_seed
