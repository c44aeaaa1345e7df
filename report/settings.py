"""report.toml: what the site is called, and the recipe's numbers that differ from the defaults."""

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Dict, Optional, Union

from digits.recipe import Recipe
from report.errors import ReportError, did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = Path("report.toml")
LONGEST_TEXT = 1_000  # characters; such texts are drawn on cards and repeated on every page
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
        if not DEFAULT.exists():
            return Settings()
        path = DEFAULT
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReportError(f"{path}: there is no such file. Check the path given to --config.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"{path}: not valid TOML: {error}.") from None
    known = {"report": SiteSettings, "training": Recipe}
    for name, table in tables.items():
        if name not in known or not isinstance(table, dict):
            raise ReportError(f"{path}: '{name}' is no table that is known here."
                              f"{did_you_mean(name, list(known))}")
        _check(path, name, table, {item.name: item.type for item in fields(known[name])})
    address = tables.get("report", {}).get("base_url", "")
    if address and not address.startswith(("https://", "http://")):
        raise ReportError(f"{path}: base_url in [report] must start with https:// or http://, "
                          f"but is {address!r}.")
    return Settings(SiteSettings(**tables.get("report", {})), tables.get("training", {}))


def _check(path: Path, table: str, values: dict, types: dict) -> None:
    for key, value in values.items():
        if key not in types:
            raise ReportError(f"{path}: [{table}] has no key '{key}'.{did_you_mean(key, list(types))}")
        wanted = types[key]
        accepted = (int, float) if wanted is float else wanted
        # bool is a kind of int in Python, but `epochs = true` is a mistake.
        if isinstance(value, bool) or not isinstance(value, accepted):
            raise ReportError(f"{path}: {key} in [{table}] must be {_WORDS[wanted]}, "
                              f"but is {value!r}.")
        if wanted is str and len(value) > LONGEST_TEXT:
            raise ReportError(f"{path}: {key} in [{table}] has {len(value):,} characters; at most "
                              f"{LONGEST_TEXT:,} are taken.")
