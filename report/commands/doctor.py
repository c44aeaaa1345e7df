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
    usable = False
    for finding in findings(device):
        show(console, finding)
        usable = usable or finding["usable"]
    if not usable:
        raise ReportError("no device can be used; mend what is marked FAULT above.")


def findings(device: str | None) -> Iterator[dict]:
    """What plaidkeras.doctor finds: its `state`, `text`, `mend` and whether it is a `usable`
    device. Raises ReportError if it does not come to its end."""
    import json
    import subprocess
    import sys

    command = [sys.executable, "-m", "plaidkeras.doctor", *([device] if device else [])]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          encoding="utf-8") as child:
        try:
            yield from map(json.loads, child.stdout)
        except BaseException:  # of whoever shows them: a Ctrl-C, a closed pipe
            child.terminate()
            raise
    if child.returncode:
        raise ReportError(f"python -m plaidkeras.doctor ended with {child.returncode}; "
                          "reinstall plaidml-report.")


def show(console, finding: dict) -> None:
    """A row of a table on a terminal; else lines to search in: the state, the text, the mend."""
    from rich.table import Table
    from rich.text import Text

    state, text, mend = finding["state"], one_line(finding["text"]), one_line(finding["mend"])
    if not console.is_terminal:
        print(f"{state:>5}  {text}", flush=True)
        if mend:
            print(f"       -> {mend}", flush=True)
        return
    row = Table.grid(padding=(0, 2))
    row.add_column(width=5, justify="right")
    row.add_column(overflow="fold")
    row.add_row(Text(state, STYLES[state]), Text(text))
    if mend:
        row.add_row("", Text(f"-> {mend}", "dim"))
    console.print(row)
