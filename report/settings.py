"""report.toml: what the site is called, and where the recipe differs from one that has a name."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, ValidationError

from digits import recipes
from digits.recipe import Recipe, RecipeError, merged
from digits.records import Record, explain_tables, shown
from report.errors import ReportError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = Path("report.toml")
ADDRESS = re.compile(r"https?://\w[\w-]*(\.\w[\w-]*)*(:(?P<port>[0-9]{1,5}))?(/[^\s\"'<>\\?#\[\]]*)?")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected a text without line ends and without characters that hide others")
    return text


def _address(text: str) -> str:
    found = ADDRESS.fullmatch(text)
    if text and not (found and 0 < int(found["port"] or 443) < 2 ** 16):
        raise ValueError("expected an address, such as https://example.org/digits/, without ? and #")
    return text


# Such texts are drawn on cards and repeated on every page.
Line = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(_one_line)]


class SiteSettings(Record):
    """The [report] table. `base_url` is where the site is published, `code_url` where its code is, if anywhere."""

    title: Line = "Reading handwritten digits"
    author: Line = ""
    description: Line = "What a convolutional network learned about handwritten digits."
    base_url: Annotated[Line, AfterValidator(_address)] = ""
    code_url: Annotated[Line, AfterValidator(_address)] = ""


class Settings(Record):
    """All of report.toml: the site, the recipe's `name` if the file has one, and the numbers of
    [recipe] that change it, nested as in the file."""

    report: SiteSettings = SiteSettings()
    recipe_name: str | None = None
    recipe: dict[str, Any] = {}


class _Tables(Record):
    report: SiteSettings = SiteSettings()
    recipe: Recipe


def load(path: Path | None) -> Settings:
    """Reads report.toml; without a path, the one in this folder, or the defaults if there is none.
    Raises ReportError."""
    if path is None and not os.path.lexists(DEFAULT):
        return Settings()
    path = path or DEFAULT
    content = path.read_bytes()
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
        changes = tables.get("recipe", {})
        name = changes.get("name") if isinstance(changes, dict) else None
        named = recipes.named("best" if name is None else shown(name))
        checked = _Tables.model_validate(merged({"recipe": named.model_dump()}, tables))
    except UnicodeDecodeError as error:
        line = content[:error.start].count(b"\n") + 1
        raise ReportError(f"{path}, line {line}: not UTF-8 text. Save the file as UTF-8.") from None
    except RecipeError as error:
        raise ReportError(f"{path}: {error}") from None
    except ValidationError as error:
        told = re.sub(r"a valid dictionary or instance of \w+", "a table", explain_tables(error, _Tables))
        raise ReportError(f"{path}: {told.removesuffix('.')}.") from None
    except (ValueError, RecursionError) as error:  # RecursionError: of lists in lists
        raise ReportError(f"{path}: not valid TOML: {str(error)[:200]}. A table or key may stand once, a "
                          "text needs quotes.") from None
    return Settings(report=checked.report, recipe_name=name,
                    recipe={key: value for key, value in changes.items() if key != "name"})
