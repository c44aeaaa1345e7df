"""python -m tests.keras_suite CHECKOUT: runs Keras 2.2.4's own tests and compares with the list."""

from collections import Counter
from pathlib import Path

import click

from tests.keras_suite import suite


@click.command(help="Run Keras 2.2.4's own tests on PlaidML's CPU. CHECKOUT is a checkout of "
                    "keras-team/keras at tag 2.2.4, or its unpacked source distribution; FILES are "
                    "test files in it, all unless told. Ends with 1 if what fails is not what "
                    "tests/keras_suite/known_failures.toml says.")
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("files", nargs=-1)
@click.option("--results", type=click.Path(path_type=Path), default=Path("keras-suite"),
              show_default=True,
              help="Folder of pytest's reports; a file whose report is there is not run again.")
@click.option("--stock", is_flag=True, help="Leave PlaidML as it is, to compare.")
def main(checkout, files, results, stock):
    known, left_out = suite.listed()
    found = {}
    for file in files or suite.test_files(checkout, left_out):
        of_file = suite.run(checkout, file, results, stock)
        click.echo(f"{file}: {_counted(of_file)}")
        found |= of_file
    click.echo(f"\nAll {len(found)}: {_counted(found)}")
    known = {name: reason for name, reason in known.items()
             if not files or name.split("::")[0] in files}
    differences = [] if stock else suite.surprises(found, known)
    click.echo("\n".join(differences))
    raise SystemExit(bool(differences))


def _counted(outcomes):
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(outcomes.values()).items()))


main(prog_name="python -m tests.keras_suite")
