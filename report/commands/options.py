"""Options that several commands share."""

import re
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


class Duration(click.ParamType):
    """90s, 20m or 1h30m, in seconds."""

    name = "duration"

    def convert(self, value, parameter, context):
        found = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", str(value))
        hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
        if total := 3600 * hours + 60 * minutes + seconds:
            return float(total)
        return self.fail(f"{value!r} is no time; write it as 90s, 20m or 1h30m.", parameter, context)


RECIPES = click.Choice(["best", "notebook", "quick"])

data = click.option("--data", type=PATH, metavar="DIR",
                    help="Folder or .zip with train.csv and test.csv.  [default: data]")
jobs = click.option("--jobs", type=click.IntRange(1), default=1, metavar="N", show_default=True,
                    help="Networks trained at a time, each on its part of the cores.")
device = click.option("--device", metavar="ID",
                      help="PlaidML device, such as llvm_cpu.0.  [default: a GPU, else the CPU]")
config = click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
                      help="Settings file.  [default: report.toml, if there is one]")
runs = click.option("--runs", type=PATH, default="runs", metavar="DIR", show_default=True,
                    help="Folder of the runs.")
output = click.option("--output", type=PATH, default="site", metavar="DIR", show_default=True,
                      help="Folder of the site.")
notes = click.option("--notes", type=PATH, default="notes", metavar="DIR", show_default=True,
                     help="Folder of your own texts.")
TRAINING = (
    data,
    click.option("--recipe", type=RECIPES, help="How to train.  [default: best; quick for the bundled sample]"),
    click.option("--epochs", type=click.IntRange(1, 100_000), metavar="N", help="Epochs of the fit."),
    click.option("--refit-epochs", type=click.IntRange(0, 100_000), metavar="N", help="Epochs of the notebook's "
                 "refit; 0 leaves it out.  [default: in proportion to --epochs]"),
    click.option("--batch-size", type=click.IntRange(8, 1024), metavar="N",
                 help="Images a batch, a multiple of 8."),
    click.option("--folds", type=click.IntRange(0, 100), metavar="K", help="Train K networks, each judged on one "
                 "of K parts of the rows, and submit their mean; 0 holds rows out instead."),
    click.option("--seeds", type=click.IntRange(1, 100), metavar="N",
                 help="Train from N seeds, and submit the mean."),
    click.option("--time-budget", type=Duration(), metavar="TIME",
                 help="As many epochs as fit into 90s, 20m or 1h30m on this device."),
    jobs,
    click.option("--dask", metavar="ADDRESS", help="Train on the Dask cluster whose scheduler has this address."),
    device,
    click.option("--force", is_flag=True,
                 help="Train again though a finished run of the same data and recipe exists."),
    click.option("--insist", is_flag=True, help="Finish a training that goes wrong; its run and its site say so."),
    runs, config)


def training(command):
    """All options of a command that trains."""
    for option in reversed(TRAINING):
        command = option(command)
    return command
