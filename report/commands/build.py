"""`report build`: data in, site out."""

import click

from report.commands import options
from report.commands.train import trained


@click.command()
@options.training
@options.output
@options.notes
def build(output, notes, **training):
    """Read the data, train if needed, write the site.

    A finished run of the same data and recipe is not trained again, and an interrupted training
    goes on from its last finished epoch.

    \b
    Examples:
      python -m report build                     everything by default
      python -m report build --epochs 1          a first quick look
      python -m report build --time-budget 20m   as good as it gets in 20 minutes
      python -m report build --data digit-recognizer.zip --device opencl_amd.0
    """
    from report import settings
    from report.output.bundle import files_of_earlier_build
    from report.output.render import render
    from report.terminal import summarise

    config = settings.load(training.pop("config"))
    files_of_earlier_build(output)  # a foreign folder is refused before anything is trained
    run = trained(config, **training)
    summarise(render(run, output, notes, config.report), output)
