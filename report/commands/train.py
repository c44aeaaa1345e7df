"""`report train`: data in, a finished run out."""

import click

from report.commands import options


@click.command()
@options.training
def train(config, **training):
    """Read the data and train, without writing a site.

    The run is kept as a folder of plain files in runs/.

    \b
    Examples:
      python -m report train --recipe notebook
      python -m report train --folds 5 --jobs 2
      python -m report train --force       train again though nothing has changed
    """
    from report import settings
    run = trained(settings.load(config), **training)
    print(f"The run is in {run.folder}. Show it with: python -m report render")


def trained(config, *, recipe, epochs, refit_epochs, batch_size, folds, seeds, time_budget, data,
            **training):
    """The finished run of these options and settings; trains only if there is none yet."""
    from digits.recipe import merged
    from digits.training import train
    from report.platforms import require_plaidml
    from report.terminal import Terminal

    require_plaidml()
    asked = {"epochs": epochs, "batch_size": batch_size, "seeds": seeds, "time_budget": time_budget,
             "refit": given({"epochs": refit_epochs}), "validation": given({"folds": folds})}
    with Terminal() as terminal:
        return train(data, recipe or config.recipe_name, merged(config.recipe, given(asked)),
                     report=terminal, **training)


def given(options: dict) -> dict:
    """The options that were given, those of a table only if one of them was."""
    return {name: value for name, value in options.items() if value not in (None, {})}
