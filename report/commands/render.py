"""`report render`: a finished run in, site out."""

import os
from pathlib import Path

import click

from report.commands import options
from report.errors import ReportError


@click.command()
@click.option("--run", "name", metavar="ID_OR_FOLDER",
              help="The run to show.  [default: the newest finished one]")
@options.config
@options.runs
@options.output
@options.notes
def render(name, config, runs, output, notes):
    """Write the site of a finished run.

    Neither trains nor reads the data; takes seconds.

    \b
    Examples:
      python -m report render                    the newest finished run
      python -m report render --run runs/kaggle-1f3a2b --output docs
    """
    from report import settings
    from report.output.bundle import files_of_earlier_build
    from report.output.render import render
    from report.terminal import summarise

    settings, run = settings.load(config), find(name, runs)
    files_of_earlier_build(output)  # a foreign folder is refused before anything is drawn
    summarise(render(run, output, notes, settings.report), output)


def find(name: str | None, runs: Path):
    """The run of this id or in this folder, else the newest. Raises ReportError, RunError."""
    from digits.run import FINISHED, Run, latest
    if name is None:
        return latest(runs)
    for folder in (runs / name, Path(name)):
        if os.path.lexists(folder / "run.json"):
            run = Run(folder)
            if run.record.status != FINISHED:
                raise ReportError(f"{folder}: this run is not finished but {run.record.status}. "
                                  "Train again with: python -m report train")
            return run
    raise ReportError(f"--run {name}: neither a run in {runs}/ nor the folder of one (there is no "
                      "run.json).")
