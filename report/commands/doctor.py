"""`report doctor`: which devices can be used, and how to mend what is wrong.

`plaidkeras.doctor` finds it out, in a process of its own like all that may load PlaidML.
"""

from collections.abc import Iterator

import click

from report.errors import ReportError, one_line

STYLES = {"ok": "green", "FAULT": "bold red", "note": "yellow"}


@click.command()
@click.option("--device", metavar="ID", help="Try this device only.  [default: all]")
def doctor(device):
    """Say which devices can be used, and why not the others.

    Looks at Python, the packages, OpenCL and its devices; tries each device that PlaidML can use,
    and says how to mend what is wrong. Ends with exit code 1 if no device can be used.

    \b
    Examples:
      python -m report doctor
    """
    from rich.console import Console

    console = Console(highlight=False)
    usable = [show(console, finding) for finding in findings(device)]
    if not any(usable):
        raise ReportError("no device can be used; mend what is marked FAULT above.")


def findings(device: str | None) -> Iterator[dict]:
    """What plaidkeras.doctor finds: its `state`, `text`, `mend` and whether it is a `usable`
    device. Raises ReportError if it does not come to its end."""
    import json
    import subprocess
    import sys

    command = [sys.executable, "-m", "plaidkeras.doctor", *([device] if device else [])]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8") as child:
        try:
            yield from map(json.loads, child.stdout)
        except BaseException:  # of whoever shows them: a Ctrl-C, a closed pipe
            child.terminate()
            raise
    if child.returncode:
        raise ReportError(f"python -m plaidkeras.doctor ended with {child.returncode}; "
                          "reinstall plaidml-report.")


def show(console, finding: dict) -> bool:
    """A row of a table on a terminal; else lines to search in. Returns whether it is a usable device."""
    from rich.table import Table
    from rich.text import Text

    state, row = finding["state"], Table.grid("", "", padding=(0, 2))
    row.columns[0].width, row.columns[0].justify, row.columns[1].overflow = 5, "right", "fold"
    mend = f"-> {finding['mend']}" if finding["mend"] else ""
    for mark, text, style in (state, finding["text"], ""), ("", mend, "dim"):
        if text and console.is_terminal:
            row.add_row(Text(mark, STYLES[state]), Text(one_line(text), style))
        elif text:
            print(f"{mark:>5}  {one_line(text)}", flush=True)
    if row.row_count:
        console.print(row)
    return finding["usable"]
