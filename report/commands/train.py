"""`report train`: data in, a finished run out."""

import sys

from report import settings
from report.terminal import Terminal

RECIPE_OPTIONS = ("epochs", "refit_epochs", "batch_size")


def run(options) -> None:
    finished = train(options, settings.load(options.config))
    print(f"The run is in {finished.folder}. Show it with: python -m report render")


def train(options, config: settings.Settings):
    """The finished run of these options; trains only if there is none yet."""
    from digits import launch
    given = {name: getattr(options, name) for name in RECIPE_OPTIONS
             if getattr(options, name) is not None}
    terminal = Terminal(sys.stdout)
    try:
        return launch.train(data=options.data, recipe_changes={**config.training, **given},
                            runs=options.runs, device=options.device, force=options.force,
                            insist=options.insist, report=terminal)
    finally:
        terminal.close()
