"""What the records of a run, a recipe and report.toml are made of: frozen pydantic models.

A record may come from a stranger, so its types are strict, its texts are printable, its numbers
finite and its lists short; what breaks this is told in one line that names the key.
"""

import re
from difflib import get_close_matches
from typing import Annotated

from pydantic import (AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints,
                      ValidationError)

# Far beyond what training writes: texts of 600 characters, lists of 30 entries.
MAX_CHARACTERS, MAX_ENTRIES = 10_000, 1_000


class Record(BaseModel):
    """A frozen record that knows all of its keys. Raises pydantic.ValidationError."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False,
                              protected_namespaces=())


def printable(text: str) -> str:
    """A text without characters that hide or turn round their neighbours, cut where nobody reads on."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd"
                   for character in text[:MAX_CHARACTERS])


def _expect_printable(text: str) -> str:
    if text != printable(text):
        raise ValueError("holds a character that cannot be shown")
    return text


# A driver may call its device anything: texts are made printable as they are written.
Text = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS), AfterValidator(_expect_printable),
                 PlainSerializer(printable)]
# A layer's name becomes a file's, a run's id stands in a command that readers copy.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Count = Annotated[int, Field(ge=0, le=10 ** 12)]
NonNegative = Annotated[float, Field(ge=0, le=10 ** 12)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2 ** 32)]


def explain(error: ValidationError) -> str:
    """The first thing wrong with a record, in one line: "epochs is 0; expected a number of at least 1"."""
    first = error.errors()[0]
    key, found = ".".join(map(str, first["loc"])) or "it", shown(first["input"])
    if first["type"] == "extra_forbidden":
        return f"there is no key {shown(key)!r}"
    if first["type"] == "missing":
        return f"{key} is missing"
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
    return f"{key} is {found!r}; " + re.sub(r"^expected (greater|less)", r"expected a number \1", message)


def complete(record: Record, place: str = "") -> Record:
    """The record, if every key of it was given: one that is missing is never filled with today's
    default. Raises ValueError."""
    for name in type(record).model_fields:
        if name not in record.model_fields_set:
            raise ValueError(f"{place}{name} is missing")
        if isinstance(getattr(record, name), Record):
            complete(getattr(record, name), f"{place}{name}.")
    return record


def explain_tables(error: ValidationError, record: type[Record], *tables: str) -> str:
    """`explain` for what a TOML file holds; for a key that its table does not have, those that it has.
    tables: the names of the tables that hold `record`."""
    first = error.errors()[0]
    if first["type"] != "extra_forbidden":
        return explain(error)
    *inner, key = map(str, first["loc"])
    for name in inner:
        record = record.model_fields[name].annotation
    tables, key = (*tables, *inner), key[:60]
    what = f"[{'.'.join(tables)}] has no key {key!r}" if tables else f"there is no table {key!r}"
    return f"{what}.{did_you_mean(key, list(record.model_fields))}"


def did_you_mean(word: str, known) -> str:
    """" Did you mean 'epochs'?" where a known word is close, else a list of the known ones."""
    close = get_close_matches(word, known, n=1)
    return f" Did you mean '{close[0]}'?" if close else f" Known are: {', '.join(known)}."


def shown(value) -> str:
    """A value for a message: short, whatever it is."""
    try:
        return str(value)[:40]
    except (ValueError, RecursionError):  # of integers Python writes no more than 4,300 digits
        return "a value too long to show"
