"""The command line. Each command lives in its own module, loaded only when it is called."""

import argparse
import errno
import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import List, Optional

from report.errors import ReportError, errors_for_people, one_line

_DESCRIPTION = """\
Train a network that reads handwritten digits, and publish what it learned as a static site.

Start with:

  python -m report build     read data/, train if needed, write site/
  python -m report serve     look at it in the browser

Without CSVs in data/, a small bundled sample is used, so that this works at once. For the real
thing put train.csv and test.csv of https://www.kaggle.com/c/digit-recognizer/data into data/.
"""


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; every expected failure is one message on stderr and an exit code."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="backslashreplace")  # names may hold what a terminal cannot show
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    python_ignores, sys.unraisablehook = sys.unraisablehook, _ask_again
    try:
        import_module(f"report.commands.{options.command}").run(options)
        if sys.stdout:
            sys.stdout.flush()  # here, where it can be told that nobody reads it
        return 0
    except BrokenPipeError:
        return _unread()
    except KeyboardInterrupt as stopped:
        print("\nStopped.", file=sys.stderr)
        return 128 + (stopped.args[0] if stopped.args else signal.SIGINT)
    except ReportError as error:  # first: to know the other classes takes a second of imports
        return _failed(error)
    except errors_for_people() as error:
        return _failed(error)
    finally:
        sys.unraisablehook = python_ignores


def _stop(number, _frame):
    raise KeyboardInterrupt(number)  # what Ctrl-C raises too: all ends are tidy


def _ask_again(ignored):
    """A Ctrl-C that meets a finalizer is ignored by Python: it comes again when that is done."""
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        threading.Timer(0.01, signal.pthread_kill,
                        (threading.main_thread().ident, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(ignored)


def _unread() -> int:
    """Nobody reads the output any more, as after `| head`: end without a word, as other tools do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains
    return 128 + 13  # SIGPIPE, which Windows does not know


def _failed(error: Exception) -> int:
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}."
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        text = f"{error.strerror}. Free space where this command writes, or name another folder."
    print(f"error: {one_line(text)}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m report", description=_DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    build = _command(commands, "build", "read the data, train if needed, write the site", """\
Reads the data, trains the network unless a finished run of the same data and recipe exists, and
writes the site.

examples:
  python -m report build                     everything by default
  python -m report build --epochs 1          a first quick look
  python -m report build --data digit-recognizer.zip --device opencl_amd.0
""")
    _training_options(build)
    _site_options(build)

    train = _command(commands, "train", "read the data and train, without writing a site", """\
Reads the data and trains the network. The run is kept as a folder of plain files in runs/.

examples:
  python -m report train --epochs 20
  python -m report train --force             train again though nothing has changed
""")
    _training_options(train)

    render = _command(commands, "render", "write the site of a finished run", """\
Writes the site of a finished run, without training and without the data. Takes seconds.

examples:
  python -m report render                    the newest finished run
  python -m report render --run runs/1f3a2b --output docs
""")
    render.add_argument("--run", metavar="ID_OR_FOLDER",
                        help="the run to show (default: the newest finished one)")
    _run_options(render)
    _site_options(render)

    serve = _command(commands, "serve", "look at the site in the browser", """\
Serves the finished site to this machine until Ctrl-C. Nothing outside the folder is served. When
a template, a note, an asset or report.toml changes, the site is made anew and open pages reload.

examples:
  python -m report serve
  python -m report serve --port 9000
""")
    _site_options(serve)
    _run_options(serve)
    serve.add_argument("--host", default="127.0.0.1", metavar="HOST",
                       help="address to listen on (default: %(default)s, this machine only)")
    serve.add_argument("--port", type=int, default=8000, metavar="PORT",
                       help="port to listen on; 0 takes a free one (default: %(default)s)")

    doctor = _command(commands, "doctor", "say which devices can be used, and why not the others", """\
Looks at Python, the packages, OpenCL and its devices; tries each device that PlaidML can use, and
says how to mend what is wrong. Ends with exit code 1 if no device computes rightly.

examples:
  python -m report doctor
""")
    doctor.add_argument("--device", metavar="ID", help="try this device only (default: all)")

    check = _command(commands, "check", "verify the site before others see it", """\
Looks for dead links and anchors, files that are missing, changed or not of the build, requests to
other servers, addresses that break under a sub-path, hidden files, links, sizes that GitHub
refuses, and a submission that is not the run's. Changes nothing.

examples:
  python -m report check
""")
    publish = _command(commands, "publish", "put the site on the branch that GitHub Pages serves", """\
Checks the site, commits it to a branch of its own and pushes that, with ghp-import. Your working
tree and your other branches are left alone.

examples:
  python -m report publish
  python -m report publish --sample          though it shows the bundled sample
""")
    for command in (check, publish):
        _output_option(command)
        _runs_option(command)
    _notes_option(publish)
    publish.add_argument("--remote", default="origin", metavar="NAME",
                         help="the git remote (default: %(default)s)")
    publish.add_argument("--branch", default="gh-pages", metavar="NAME",
                         help="the branch (default: %(default)s)")
    publish.add_argument("--sample", action="store_true",
                         help="publish a site of the bundled sample")
    publish.add_argument("--insist", action="store_true",
                         help="publish a site of a training that went wrong")

    notes = _command(commands, "notes", "copy the texts of the pages to notes/, to edit them", """\
Copies the Markdown text at the head of each page to notes/. Texts there win over the built-in
ones; files that exist are never overwritten. A text may name figures of the run, such as
{{ accuracy }}, and choose by them: {% if errors == "0" %} ... {% endif %}. HTML comes out as text.

examples:
  python -m report notes
  python -m report notes --names             list the figures that a text may name
""")
    _notes_option(notes)
    notes.add_argument("--names", action="store_true", help="list the figures that a text may name")
    return parser


def _command(commands, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=description,
                               formatter_class=argparse.RawDescriptionHelpFormatter)


def _training_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="folder or .zip with train.csv and test.csv (default: data)")
    _run_options(parser)
    parser.add_argument("--epochs", type=_at_least(1), metavar="N",
                        help="epochs of the first fit, which is judged on unseen rows")
    parser.add_argument("--refit-epochs", type=_at_least(0), metavar="N",
                        help="epochs of the second fit on all rows; 0 leaves it out (default: in "
                             "proportion to --epochs)")
    parser.add_argument("--batch-size", type=_at_least(1), metavar="N", help="images a batch")
    parser.add_argument("--device", metavar="ID",
                        help="PlaidML device, such as llvm_cpu.0 (default: the best that works)")
    parser.add_argument("--force", action="store_true",
                        help="train again though a finished run of the same data and recipe exists")
    parser.add_argument("--insist", action="store_true",
                        help="finish a training that goes wrong; its run and its site say so")


def _site_options(parser: argparse.ArgumentParser) -> None:
    _output_option(parser)
    _notes_option(parser)


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE",
                        help="settings file (default: report.toml, if there is one)")
    _runs_option(parser)


def _runs_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR",
                        help="folder of the runs (default: %(default)s)")


def _output_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, default=Path("site"), metavar="DIR",
                        help="folder of the site (default: %(default)s)")


def _notes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--notes", type=Path, default=Path("notes"), metavar="DIR",
                        help="folder of your own texts (default: %(default)s)")


def _at_least(least: int):
    def whole_number(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text!r}")
        return int(text)
    return whole_number
