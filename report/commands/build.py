"""`report build`: data in, site out."""

from report import settings
from report.commands.render import summarise
from report.commands.train import train
from report.render import render


def run(options) -> None:
    config = settings.load(options.config)
    finished = train(options, config)
    study = render(finished, options.output, options.notes, config.report)
    summarise(study, options.output)
