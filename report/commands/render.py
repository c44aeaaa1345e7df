"""`report render`: a finished run in, site out."""

from pathlib import Path

from report import settings
from report.text import formats
from report.errors import ReportError
from report.output.render import render
from report.pages.study import Study
from report.output.bundle import files_of_earlier_build


def run(options) -> None:
    config, shown = settings.load(options.config), _run(options)
    files_of_earlier_build(options.output)  # a foreign folder is refused before anything is drawn
    study = render(shown, options.output, options.notes, config.report)
    summarise(study, options.output)


def _run(options):
    from digits.run import Run, latest
    if options.run is None:
        return latest(options.runs)
    for folder in (options.runs / options.run, Path(options.run)):
        if (folder / "run.json").is_file():
            return _finished(Run(folder))
    raise ReportError(f"--run {options.run}: neither a run in {options.runs}/ nor the folder of one "
                      "(there is no run.json).")


def _finished(run):
    from digits.run import FINISHED
    if run.record.status != FINISHED:
        raise ReportError(f"{run.folder}: this run is not finished but {run.record.status}. "
                          "Train again with: python -m report train")
    return run


def summarise(study: Study, output: Path) -> None:
    """Say how good the network is, where the site is, and how to look at it."""
    judged = study.evaluation
    print(f"Accuracy: {formats.percent(judged.accuracy)} "
          f"({formats.plural(judged.errors, 'mistake')} in {formats.number(judged.count)} "
          "digits that it had never seen)")
    print(f"Submission: {study.run.submission}")
    print(f"Site: {output / 'index.html'}")
    where = "" if output == Path("site") else f" --output {output}"
    print(f"Open that file in a browser, or run: python -m report serve{where}")
