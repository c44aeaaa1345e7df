"""The command line: `python -m report COMMAND`.

Each command is a function beside its options in `report.commands`. What it works with is imported
inside the function, so that `--help` is quick.
"""

import os
import signal
import sys

import click

from digits import ExpectedError
from report.commands.build import build
from report.commands.check import check
from report.commands.compare import compare
from report.commands.doctor import doctor
from report.commands.notes import notes
from report.commands.publish import publish
from report.commands.render import render
from report.commands.serve import serve
from report.commands.train import train
from report.errors import message

SIGPIPE = 13  # which Windows does not know


class InOrder(click.Group):
    """Lists its commands in the order in which they were given."""

    def list_commands(self, context):
        return list(self.commands)


@click.group(cls=InOrder, commands=[build, train, render, serve, notes, check, publish, compare, doctor],
             context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands():
    """Train a network that reads handwritten digits, and publish what it learned as a static site.

    \b
    Start with:
      python -m report build     read data/, train if needed, write site/
      python -m report serve     look at it in the browser

    Without CSVs in data/, a small bundled sample is used, so that this works at once. For the real
    thing put train.csv and test.csv of https://www.kaggle.com/c/digit-recognizer/data into data/.
    """


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Each expected failure is one message on stderr and exit code 1; what click
    refuses is 2, and a signal 128 and its number."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="backslashreplace")  # names may hold what a terminal cannot show
    signal.signal(signal.SIGTERM, _stop)
    try:
        arguments = sys.argv[1:] if arguments is None else list(arguments)
        with commands.make_context("python -m report", arguments) as context:
            commands.invoke(context)
        if sys.stdout:
            sys.stdout.flush()  # here, where it can be told that nobody reads it
        return 0
    except click.exceptions.Exit as done:  # of --help
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:  # as after `| head`: end without a word, as other tools do
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains
        return 128 + SIGPIPE
    except KeyboardInterrupt as stopped:
        print("\nStopped.", file=sys.stderr)
        return 128 + (stopped.args[0] if stopped.args else signal.SIGINT)
    except (ExpectedError, OSError) as error:
        print(message(error), file=sys.stderr)
        return 1


def _stop(number, _frame):
    raise KeyboardInterrupt(number)  # what Ctrl-C raises too: all ends are tidy
