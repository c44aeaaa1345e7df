"""The Markdown texts at the head of the pages, with the run's figures filled in."""

import re
from dataclasses import asdict
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment
from markdown import Markdown
from markupsafe import Markup

from report.errors import ReportError, did_you_mean
from report.facts import Facts
from report.paths import BUILT_IN_NOTES


LONGEST = 100_000  # characters


def render(name: str, facts: Facts, folder: Path) -> Markup:
    """The note `name` as HTML: from `folder` if it has one, else the built-in text."""
    path = folder / f"{name}.md"
    if not path.exists():
        path = BUILT_IN_NOTES / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ReportError(f"{path}: not UTF-8 text. Save it as UTF-8.") from None
    if len(text) > LONGEST:
        raise ReportError(f"{path}: has {len(text):,} characters; at most {LONGEST:,} are taken.")
    filled = fill_in(text, facts, path)
    try:
        return Markup(_markdown().convert(filled))
    except RecursionError:
        raise ReportError(f"{path}: lists or quotes in it are nested too deep.") from None


def fill_in(text: str, facts: Facts, path: Path) -> str:
    """Replace {{ names }} by figures. Notes run sandboxed: they see the figures, nothing else."""
    env = SandboxedEnvironment(undefined=StrictUndefined, finalize=_plain, trim_blocks=True,
                               lstrip_blocks=True)
    known = asdict(facts)
    try:
        tree = env.parse(text)
        _refuse_unknown(tree, known, path)
        return env.from_string(text).render(known)
    except TemplateSyntaxError as error:
        raise ReportError(f"{path}, line {error.lineno}: {error.message}. To show braces as they "
                          "are, write {{ '{{' }}.") from None
    except (TemplateError, ArithmeticError, TypeError, ValueError, MemoryError,
            RecursionError) as error:
        raise ReportError(f"{path}: cannot be filled in: {str(error) or type(error).__name__}.") from None


def _refuse_unknown(tree: nodes.Template, known: dict, path: Path) -> None:
    unknown = meta.find_undeclared_variables(tree) - set(known)
    for name in tree.find_all(nodes.Name):
        if name.name in unknown:
            raise ReportError(f"{path}, line {name.lineno}: there is no figure '{name.name}'."
                              f"{did_you_mean(name.name, list(known))} "
                              "List them all with: python -m report notes --names")


def _plain(value) -> str:
    """A figure as text that Markdown leaves alone: a device's name may hold an underscore."""
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", str(value))


def _markdown() -> Markdown:
    markdown = Markdown(extensions=["tables", "smarty"], output_format="html")
    # Without these two, HTML in a note is text like any other and comes out escaped.
    markdown.preprocessors.deregister("html_block")
    markdown.inlinePatterns.deregister("html")
    return markdown
