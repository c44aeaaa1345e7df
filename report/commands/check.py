"""`report check`: is the site whole, and fit to be published?"""

from pathlib import Path
from typing import List

from report.text import formats
from report.errors import ReportError
from report.output.site_check import faults
from report.output.bundle import read_marker


def run(options) -> None:
    check(options.output, options.runs)
    print(f"{options.output}: whole, and fit to be published.")


def check(site: Path, runs: Path):
    """The run that a site shows. Prints each fault; raises ReportError if there is any."""
    shown = shown_run(site, runs)
    found: List[str] = list(faults(site, shown))
    for fault in found:
        print(fault)
    if found:
        raise ReportError(f"{site}: has {formats.plural(len(found), 'fault')}, listed above.")
    return shown


def shown_run(site: Path, runs: Path):
    from digits.run import finished_runs
    fingerprint = read_marker(site)["made_from"].get("run")
    for run in reversed(finished_runs(runs)):
        if run.record.fingerprint == fingerprint:
            return run
    raise ReportError(f"{site}: its run is not in {runs}/, so it cannot be checked against it. Build "
                      "the site again with: python -m report build")
