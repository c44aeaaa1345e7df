"""report.toml: what the site is called, and the recipe's numbers that differ from the defaults."""

import os
import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Dict, Optional, Union

from digits.recipe import Recipe
from report.errors import ReportError, did_you_mean
from report.files import content

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = Path("report.toml")
LONGEST_TEXT = 1_000  # characters; such texts are drawn on cards and repeated on every page
_ADDRESS = re.compile(r"https?://[\w.-]+[^\s\"'<>\\]*")
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
    try:
        tables = tomllib.loads(content(path).decode("utf-8-sig"))
    except FileNotFoundError:
        raise ReportError(f"{path}: there is no such file. Check the path given to --config.") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are such
        raise ReportError(f"{path}: not valid TOML: {str(error)[:200]}.") from None
    known = {"report": SiteSettings, "training": Recipe}
    for name, table in tables.items():
        if name not in known or not isinstance(table, dict):
            raise ReportError(f"{path}: {name[:60]!r} is no table that is known here."
                              f"{did_you_mean(name[:60], list(known))}")
        _check(path, name, table, {item.name: item.type for item in fields(known[name])})
    address = tables.get("report", {}).get("base_url", "")
    if address and not _ADDRESS.fullmatch(address):
        raise ReportError(f"{path}: base_url in [report] must be an address that starts with "
                          f"https:// or http://, but is {address!r}.")
    return Settings(SiteSettings(**tables.get("report", {})), tables.get("training", {}))


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
                              f"but is {str(value)[:60]!r}.")
        if wanted is str and len(value) > LONGEST_TEXT:
            raise ReportError(f"{path}: {key} in [{table}] has {len(value):,} characters; at most "
                              f"{LONGEST_TEXT:,} are taken.")
        if wanted is str and not value.isprintable():
            raise ReportError(f"{path}: {key} in [{table}] holds a character that cannot be shown "
                              f"or turns others round: {value[:200]!r}. Leave it out.")
