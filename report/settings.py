"""report.toml: what the site is called, and the recipe's numbers that differ from the defaults."""

import os
import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Dict, Optional, Union

from digits.recipe import Recipe, RecipeError, shown
from report.errors import ReportError, did_you_mean
from report.files import content

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = Path("report.toml")
LONGEST_TEXT = 1_000  # characters; such texts are drawn on cards and repeated on every page
MOST_BYTES = 64_000
_ADDRESS = re.compile(r"https?://\w[\w-]*(\.\w[\w-]*)*(:(?P<port>[0-9]{1,5}))?"
                      r"(/[^\s\"'<>\\?#\[\]]*)?")
_WORDS = {str: "text in quotes", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class SiteSettings:
    """The [report] table. `base_url` is where the site is published, if anywhere."""

    title: str = "Reading handwritten digits"
    author: str = ""
    description: str = "What a convolutional network learned about handwritten digits."
    base_url: str = ""


@dataclass(frozen=True)
class Settings:
    """All of report.toml. `training` holds only the recipe's fields that the file names."""

    report: SiteSettings = field(default_factory=SiteSettings)
    training: Dict[str, Union[int, float]] = field(default_factory=dict)


def load(path: Optional[Path]) -> Settings:
    """Read report.toml; without a path, the one in this folder or the defaults if there is none."""
    if path is None:
        if not os.path.lexists(DEFAULT):
            return Settings()
        path = DEFAULT
    tables = _tables(path)
    known = {"report": SiteSettings, "training": Recipe}
    for name, table in tables.items():
        if name not in known:
            raise ReportError(f"{path}: {name[:60]!r} is no table that is known here."
                              f"{did_you_mean(name[:60], list(known))}")
        if not isinstance(table, dict):
            what = "a list of tables" if isinstance(table, list) else "a value"
            raise ReportError(f"{path}: {name} is {what}; expected one table. Write [{name}] once, "
                              "above its keys.")
        _check(path, name, table, {item.name: item.type for item in fields(known[name])})
    address = tables.get("report", {}).get("base_url", "")
    if address and not _is_address(address):
        raise ReportError(f"{path}: base_url in [report] must be the site's address, such as "
                          "https://example.org/digits/, without ? and #, "
                          f"but is {address[:200]!r}.")
    training = tables.get("training", {})
    try:
        Recipe(**training)
    except RecipeError as error:
        raise ReportError(f"{path}: training.{error}.") from None
    return Settings(SiteSettings(**tables.get("report", {})), training)


def _tables(path: Path) -> dict:
    """What a TOML file holds."""
    try:
        written = content(path)
    except FileNotFoundError:
        raise ReportError(f"{path}: there is no such file. "
                          "Check the path given to --config.") from None
    if len(written) > MOST_BYTES:
        raise ReportError(f"{path}: has {len(written):,} bytes; at most {MOST_BYTES:,} are taken. "
                          "Leave out what is no setting.")
    for number, line in enumerate(written.splitlines(), start=1):
        # tomllib takes the square of the dots of a key in time and memory.
        dots = line.count(b".")
        if dots > LONGEST_TEXT:
            raise ReportError(f"{path}, line {number}: has {dots:,} dots, which no setting has. "
                              "Delete it.")
    try:
        return tomllib.loads(written.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = written[:error.start].count(b"\n") + 1
        raise ReportError(f"{path}, line {line}: not UTF-8 text. Save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        end = f"at the end, line {len(written.rstrip().splitlines())}"
        why = str(error)[:200].replace("at end of document", end)
        raise ReportError(f"{path}: not valid TOML: {why}. A table or key may stand once, a text "
                          "needs quotes.") from None
    except (ValueError, RecursionError):
        raise ReportError(f"{path}: a number in it has thousands of digits, or lists are nested "
                          "too deep. Shorten them.") from None


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return bool(found) and 0 < int(found["port"] or 443) < 2 ** 16


def _check(path: Path, table: str, values: dict, types: dict) -> None:
    for key, value in values.items():
        if key not in types:
            raise ReportError(f"{path}: [{table}] has no key {key[:60]!r}."
                              f"{did_you_mean(key[:60], list(types))}")
        wanted = types[key]
        accepted = (int, float) if wanted is float else wanted
        # bool is a kind of int in Python, but `epochs = true` is a mistake.
        if isinstance(value, bool) or not isinstance(value, accepted):
            raise ReportError(f"{path}: {key} in [{table}] must be {_WORDS[wanted]}, "
                              f"but is {shown(value)!r}.")
        if wanted is str and len(value) > LONGEST_TEXT:
            raise ReportError(f"{path}: {key} in [{table}] has {len(value):,} characters; at most "
                              f"{LONGEST_TEXT:,} are taken.")
        if wanted is str and not value.isprintable():
            raise ReportError(f"{path}: {key} in [{table}] holds a character that cannot be shown "
                              f"or turns others round: {value[:200]!r}. Leave it out.")
