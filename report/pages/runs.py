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

    summary: RunSummary
    shown: bool
    comparable: bool
    paired: Paired | None
    devices: list[str]


@dataclass(frozen=True)
class Context:
    rows: list[RunRow]
    best: RunRow
    chart: Markup


def context(study: Study, bundle: Bundle) -> Context:
    rows = [row for run in study.siblings if (row := _row(run, study))]
    compared = [row.summary for row in rows if row.comparable]
    best = max((row for row in rows if row.comparable), key=lambda row: row.summary.judged.accuracy)
    return Context(
        rows, best, study.drawings.svg(
            charts.runs, "runs", f"Dot chart: accuracy of {formats.plural(len(compared), 'run')} against their "
            f"training time; {best.summary.run.record.id} is best, at "
            f"{formats.percent(best.summary.judged.accuracy)}. The table below has the numbers.",
            [each.seconds for each in compared], [each.judged.accuracy for each in compared],
            [each.run.record.id for each in compared].index(study.record.id)))


def _row(run: Run, study: Study) -> RunRow | None:
    shown = run.record.id == study.record.id
    try:
        summary, devices = summarise(run), [member.record.device for member in run.members]
    except RunError:  # another run that is damaged leaves this one its site
        return None
    same_data = run.record.data.fingerprint == study.data.fingerprint
    paired = compare(summary.judged, study.evaluation) if same_data and not shown else None
    return RunRow(summary, shown, shown or paired is not None, paired,
                  list(dict.fromkeys(device.description for device in devices if device)))
