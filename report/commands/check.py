"""`report check`: is the site whole, and fit to be published?"""

import click

from report.commands import options
from report.errors import ReportError, one_line


@click.command()
@options.output
@options.runs
def check(output, runs):
    """Verify the site before others see it.

    Looks for files that are missing, changed or not of the build, hidden files, links, sizes that
    GitHub refuses, and a submission that is not the run's. Changes nothing.

    \b
    Examples:
      python -m report check
    """
    from report.output.site_check import shown_run
    refuse_faults(output, shown_run(output, runs))
    print(f"{output}: whole, and fit to be published.")


def refuse_faults(site, run) -> None:
    """Prints each fault of a site that shows `run`. Raises ReportError if there is any."""
    from report.output.site_check import faults
    from report.text import formats
    found = list(faults(site, run))
    for fault in found:
        print(one_line(fault))
    if found:
        raise ReportError(f"{site}: has {formats.plural(len(found), 'fault')}, listed above.")
