"""What is behind the figures, as CSV for spreadsheets and as JSON for programs."""

import json
from typing import List, Sequence


def csv(header: Sequence[str], rows: Sequence[Sequence]) -> bytes:
    """Numbers and plain names only, so that nothing needs quotes."""
    lines = [",".join(map(_text, row)) for row in (header, *rows)]
    return ("\n".join(lines) + "\n").encode()


def as_json(header: Sequence[str], rows: Sequence[Sequence]) -> bytes:
    """A list of objects, one a line."""
    records: List[str] = [json.dumps(dict(zip(header, row))) for row in rows]
    return ("[\n" + ",\n".join(records) + "\n]\n").encode()


def _text(value) -> str:
    return "" if value is None else str(value)
