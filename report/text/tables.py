"""What is behind the figures, as CSV for spreadsheets and as JSON for programs."""

import json
from collections.abc import Sequence

# The cells are numbers and plain names, so that nothing needs quotes.


def csv(columns: dict[str, Sequence]) -> bytes:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return ("\n".join(lines) + "\n").encode()


def as_json(columns: dict[str, Sequence]) -> bytes:
    """An object with a list a column."""
    lines = [f"{json.dumps(name)}: {json.dumps(list(cells), separators=(',', ':'))}"
             for name, cells in columns.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
