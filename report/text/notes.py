"""The Markdown texts at the head of the pages, with the run's figures filled in."""

import os
import re
from difflib import get_close_matches
from html import unescape
from pathlib import Path
from unicodedata import category

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment
from markdown import Markdown
from markupsafe import Markup

from digits.files import read_bytes
from digits.records import did_you_mean
from report.errors import ReportError
from report.output import links
from report.paths import BUILT_IN_NOTES

# A page's text has a thousand characters. Markdown takes the square of these in time: seconds.
LONGEST, BRACKETS = 20_000, 500
# Of all that is not seen: line ends and tabs, soft hyphens, and what parts and joins the signs of
# some scripts.
_UNSEEN_BUT_TAKEN = "\t\n\r\u00ad\u200b\u200c\u200d"
# All that a note may hold between braces: figures, and conditions on them. Without loops, calls,
# filters and arithmetic it ends soon, whoever wrote it.
_TAKEN = (nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr,
          nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.List, nodes.Tuple)
_AS_THEY_ARE = "To show braces as they are, write {{ '{{' }}."


def render(name: str, facts: dict[str, str], folder: Path) -> Markup:
    """The note `name` as HTML: from `folder` if it has one, else the built-in text. Raises ReportError."""
    path = _find(name, folder)
    try:
        text = read_bytes(path.resolve()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ReportError(f"{path}: not UTF-8 text. Save it as UTF-8.") from None
    except ValueError as error:
        raise ReportError(f"{path}: {error}.") from None
    _refuse_too_long(text, path)
    for number, line in enumerate(text.split("\n"), start=1):
        _refuse_hidden(line, f"{path}, line {number}")
    filled = _fill_in(text, facts, path)
    _refuse_too_long(filled, path)
    _refuse_hidden(unescape(filled), f"{path}, in an escape")  # {{ "\u202e" }} or &#x202e;
    try:
        html = _markdown().convert(filled)
    except RecursionError:
        raise ReportError(f"{path}: lists or quotes in it are nested too deep.") from None
    html = html.translate({2: None, 3: None})  # Markdown's own marks, left in what it cannot read
    for reference in links.Addresses(html).references:
        if reference.fault:
            raise ReportError(f"{path}: {reference.fault}.")
    return Markup(html)


def _find(name: str, folder: Path) -> Path:
    path, known = folder / f"{name}.md", [path.stem for path in BUILT_IN_NOTES.glob("*.md")]
    if os.path.lexists(folder) and not folder.is_dir():
        raise ReportError(f"{folder}: is no folder; your own texts lie in a folder of that name.")
    if os.path.lexists(path):
        # What is linked from elsewhere may be nothing that its owner wants published.
        if Path(os.path.realpath(folder)) not in Path(os.path.realpath(path)).parents:
            raise ReportError(f"{path}: is a link out of {folder}/, which is not followed. Put a copy of the "
                              "text in its place.")
        return path
    for other in sorted(folder.glob("*.md")):
        if get_close_matches(other.stem.lower(), known, n=1, cutoff=0.75) == [name]:
            raise ReportError(f"{other}: is the text of no page. Did you mean {name}.md? Rename it, or move it "
                              f"out of {folder}/.")
    return BUILT_IN_NOTES / f"{name}.md"


def _fill_in(text: str, facts: dict[str, str], path: Path) -> str:
    """Replaces {{ names }} by figures and chooses by {% if %}. Raises ReportError on all else."""
    env = SandboxedEnvironment(undefined=StrictUndefined, finalize=_plain, trim_blocks=True, lstrip_blocks=True)
    try:
        for node in env.parse(text).find_all(nodes.Node):
            if not isinstance(node, _TAKEN):
                raise ReportError(f"{path}, line {node.lineno}: a text may hold {{{{ figures }}}} and "
                                  "{% if figure == \"...\" %}, but no more of Jinja2 than that (here stands what "
                                  f"it calls {type(node).__name__}). {_AS_THEY_ARE}")
            if isinstance(node, nodes.Name) and node.name not in facts:
                raise ReportError(f"{path}, line {node.lineno}: there is no figure '{node.name}'."
                                  f"{did_you_mean(node.name, list(facts))} List them all with: "
                                  "python -m report notes --names")
        return env.from_string(text).render(facts)
    except TemplateSyntaxError as error:
        raise ReportError(f"{path}, line {error.lineno}: {error.message}. {_AS_THEY_ARE}") from None
    except (TemplateError, TypeError, ValueError, SyntaxError, MemoryError, RecursionError) as error:
        # 1 < figure; numbers of 5,000 digits; conditions nested deeper than Python's own may be
        raise ReportError(f"{path}: cannot be filled in: {str(error) or type(error).__name__}.") from None


def _refuse_hidden(text: str, where: str) -> None:
    for sign in text:
        if (category(sign) in ("Cc", "Cf", "Cs") or sign in "\ufffe\uffff") and sign not in _UNSEEN_BUT_TAKEN:
            raise ReportError(f"{where}: holds U+{ord(sign):04X}, a character that hides or turns round what is "
                              "beside it. Leave it out.")


def _refuse_too_long(text: str, path: Path) -> None:
    for count, most, what in (len(text), LONGEST, "characters"), (text.count("["), BRACKETS, "brackets '['"):
        if count > most:
            raise ReportError(f"{path}: has {count:,} {what}; at most {most:,} are taken.")


def _plain(value) -> str:
    """A figure as text that Markdown leaves alone: a device's name may hold an underscore."""
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", str(value))


def _markdown() -> Markdown:
    markdown = Markdown(extensions=["tables", "smarty"], output_format="html")
    # Without these two, HTML in a note is text like any other and comes out escaped.
    markdown.preprocessors.deregister("html_block")
    markdown.inlinePatterns.deregister("html")
    return markdown
