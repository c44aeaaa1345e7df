"""The finished runs beside one another. The page is there where there are several."""

from dataclasses import dataclass

from markupsafe import Markup

from digits.comparison import Paired, RunSummary, compare, summarise
from digits.run import Run, RunError
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.study import Study
from report.text import formats


@dataclass(frozen=True)
class RunRow:
    """One finished run among others. `paired` compares it with the one shown (second) on the rows that
    both were judged on; None where there are none, or for the one shown itself."""

    id: str
    shown: bool
    comparable: bool
    recipe: str
    networks: int
    summary: RunSummary
    paired: Paired | None
    device: str
    finished: str


@dataclass(frozen=True)
class Context:
    rows: list[RunRow]
    best: RunRow
    shown: RunRow
    chart: Markup
    compared: int


def context(study: Study, bundle: Bundle) -> Context:
    rows = [row for run in study.siblings if (row := _row(run, study))]
    compared = [row for row in rows if row.comparable]
    shown = next(row for row in rows if row.shown)
    best = max(compared, key=lambda row: row.summary.judged.accuracy)
    return Context(
        rows=rows, best=best, shown=shown, compared=len(compared),
        chart=study.drawings.svg(
            charts.runs, "runs", f"Dot chart: accuracy of {formats.plural(len(compared), 'run')} against their "
            f"training time; {best.id} is best, at {formats.percent(best.summary.judged.accuracy)}. The table below "
            "has the numbers.",
            [row.summary.seconds for row in compared], [row.summary.judged.accuracy for row in compared],
            compared.index(shown)))


def _row(run: Run, study: Study) -> RunRow | None:
    record, shown = run.record, run.record.id == study.run.record.id
    try:
        summary = summarise(run)
        devices = dict.fromkeys(member.record.device.description for member in run.members if member.record.device)
    except RunError:  # another run that is damaged leaves this one its site
        return None
    comparable = record.data.fingerprint == study.run.record.data.fingerprint
    paired = compare(summary.judged, study.evaluation) if comparable and not shown else None
    return RunRow(record.id, shown, shown or paired is not None, record.recipe.name, len(run.members), summary,
                  paired, ", ".join(devices), record.finished)
