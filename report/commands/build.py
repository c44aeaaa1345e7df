"""`report build`: data in, site out."""

from report import settings
from report.commands.render import summarise
from report.commands.train import train
from report.output.render import render
from report.output.bundle import only_build


def run(options) -> None:
    config = settings.load(options.config)
    with only_build(options.output):
        finished = train(options, config)
        study = render(finished, options.output, options.notes, config.report)
    summarise(study, options.output)
