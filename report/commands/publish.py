"""`report publish`: the site onto a branch that GitHub Pages serves."""

import click

from report.commands import options
from report.commands.check import refuse_faults
from report.errors import ReportError


@click.command()
@options.output
@options.runs
@options.config
@options.notes
@click.option("--remote", default="origin", metavar="NAME", show_default=True, help="The git remote.")
@click.option("--branch", default="gh-pages", metavar="NAME", show_default=True, help="The branch.")
@click.option("--sample", is_flag=True, help="Publish a site of the bundled sample.")
@click.option("--insist", is_flag=True, help="Publish a site of a training that went wrong.")
def publish(output, runs, config, notes, remote, branch, sample, insist):
    """Put the site on the branch that GitHub Pages serves.

    Checks the site, commits it to a branch of its own and pushes that, with ghp-import. Your
    working tree and your other branches are left alone.

    \b
    Examples:
      python -m report publish
      python -m report publish --sample      though it shows the bundled sample
    """
    from digits.run import latest
    from report import settings
    from report.output import publication
    from report.output.site_check import shown_run

    branch = publication.branch_name(branch)
    run = shown_run(output, runs)
    publication.refuse_stale(output, run, notes, settings.load(config).report)
    refuse_faults(output, run)
    if run.record.data.source == "sample" and not sample:
        raise ReportError(f"{output}: shows the bundled sample, not Kaggle's data. Publish it all the "
                          "same with --sample")
    warnings = [warning for member in run.members for warning in member.record.warnings]
    if warnings and not insist:
        raise ReportError(f"{output}: shows a training that went wrong ({warnings[0]}). Publish it "
                          "all the same with --insist")
    newest = latest(runs).record.id
    if newest != run.record.id:
        print(f"This is the site of {run.record.id}; the run {newest} is newer.")
    address = publication.publish(output, remote, branch, f"The report of {run.record.id}")
    print(f"Published on the branch {branch} of {address}")
    print(f"Its address: {publication.pages_address(address)}")
