"""Settings, notes and runs made wrong by chance: each is shown, or refused by one message."""

import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits import recipes
from digits.run import Run, RunError
from report.errors import ReportError
from report.output.render import render
from report.pages.study import Study
from report.settings import SiteSettings, load
from report.text import notes
from report.text.facts import FACTS, facts


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


def said(error) -> str:
    message = str(error)
    assert "\n" not in message and 20 < len(message) < 1200, message
    return message


# report.toml

TOML_VALUES = st.one_of(
    st.integers().map(str), st.integers(-10 ** 60, 10 ** 60).map(str), st.booleans().map(str),
    st.floats().map(repr), st.text(max_size=20).map(lambda text: json.dumps(text)),
    st.sampled_from(["true", "[]", "{}", "[[1]]", "2020-01-01", "''", "nan", "inf", "-inf", "1e999",
                     '"https://example.org/"', '"javascript:alert(1)"', '"\\u202e"', "0x10"]))
KEYS = st.sampled_from(["title", "author", "description", "base_url", "name", "epochs", "batch_size", "seed",
                        "folds", "fraction", "refit.epochs", "optimizer.name", "validation", "epoch",
                        "'<script>'", "a.b"])
TABLES = st.sampled_from(["[report]", "[recipe]", "[[recipe]]", "[recipe.validation]", "[report.title]",
                          "[other]", ""])
LINES = st.one_of(TABLES, st.tuples(KEYS, TOML_VALUES).map(" = ".join), st.text(max_size=20))


@given(table=TABLES, lines=st.lists(LINES, min_size=1, max_size=4))
def test_settings_are_taken_or_refused_by_one_message(place, table, lines):
    path = place / "report.toml"
    path.write_bytes("\n".join([table, *lines]).encode(errors="surrogatepass"))
    try:
        loaded = load(path)
    except ReportError as error:
        assert str(path) in said(error)
        return
    assert all(text.isprintable() for text in loaded.report.model_dump().values())
    recipes.named(loaded.recipe_name or "best").changed(loaded.recipe)


# Notes

FIGURES = list(FACTS)
PIECES = st.one_of(
    st.sampled_from(FIGURES).map("{{{{ {} }}}}".format),
    st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", "{% if errors %}", "{% endif %}", "{% else %}",
                     "{% for a in errors %}", "{% endfor %}", "{% raw %}", "{{ 'a' * 9 }}", "errors",
                     '{{ "\\u202e" }}', '{{ "\\ud800" }}', '{{ "\\0" }}', "&#x202e;",
                     "==", "|", "(", ")", "[", "]", "](", "javascript:alert(1)", "<script>alert(1)",
                     "</script>", "<img src=x onerror=alert(1)>", "&#106;avascript:", "http://", "\n",
                     "\n\n", "# ", "- ", "> ", "`", "```\n", "*", "**", "_", "![", '"', "'", "\\",
                     "\x02", "\x03", "\u202e", "|a|b|\n|-|-|\n", "[x]: ", "<", ">", "&", "\t", "    "]),
    st.text(max_size=8))


class Tags(HTMLParser):
    """Fails on what a note must never bring into a page."""

    TAKEN = {"p", "em", "strong", "code", "pre", "a", "img", "ul", "ol", "li", "blockquote", "h1",
             "h2", "h3", "h4", "h5", "h6", "hr", "br", "table", "thead", "tbody", "tr", "th", "td"}

    def handle_starttag(self, tag, attributes):
        assert tag in self.TAKEN, tag
        for name, value in attributes:
            assert name in ("href", "src", "alt", "title", "style"), name
            if name == "style":  # of a table's column
                assert value.startswith("text-align:")
            if name in ("href", "src"):
                assert "script" not in value.partition(":")[0].lower()

    def handle_data(self, text):
        assert text.encode() and not {"\u202e", "\0"} & set(text)


@pytest.fixture(scope="module")
def known(made_run):
    return facts(Study(made_run))


@given(pieces=st.lists(PIECES, max_size=12))
def test_notes_are_shown_without_markup_or_refused(place, known, pieces):
    (place / "data.md").write_bytes("".join(pieces).encode(errors="surrogatepass"))
    try:
        shown = notes.render("data", known, place)
    except ReportError as error:
        assert str(place / "data.md") in said(error)
        return
    Tags().feed(shown)


# The run

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.integers(-10 ** 400, 10 ** 400), st.floats(),
    st.text(max_size=5), st.lists(st.integers(-1, 1), max_size=3), st.just({}),
    st.sampled_from(["../../x", "<script>", "\u202e", "x" * 20_000, "a\nb", [None], [[1]]]))


def replaced_somewhere(draw, part):
    """A part of JSON with one of its values replaced, removed or doubled."""
    if not isinstance(part, (dict, list)) or not part or draw(st.integers(0, 5)) == 0:
        return draw(ODD)
    part = part.copy()
    key = draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(min(len(part), 3))))
    how = draw(st.sampled_from(["replaced", "replaced", "replaced", "removed", "added"]))
    if how == "replaced":
        part[key] = replaced_somewhere(draw, part[key])
    elif how == "removed":
        del part[key]
    elif isinstance(part, dict):
        part[key + "s"] = part[key]
    else:
        part.append(part[key])
    return part


def changed(draw, array: np.ndarray) -> np.ndarray:
    """An array of another shape, type or content."""
    how = draw(st.sampled_from(["shape", "fewer", "none", "type", "more", "text"]
                               + ["value"] * bool(array.size)))
    if how == "shape":
        return array.reshape(draw(st.sampled_from([(-1,), (1, -1), (*array.shape, 1)])))
    if how in ("fewer", "none"):
        return array[:len(array) // 2 if how == "fewer" else 0]
    if how == "more":
        return np.concatenate([array, array])
    if how == "type":
        return array.astype(draw(st.sampled_from(["f4", "f2", "i8", "?", "c8", "i1"])))
    if how == "text":
        return np.full(array.shape[:1], "<script>")
    array = array.astype(draw(st.sampled_from([array.dtype, "f8", "i8"])))
    value = draw(st.sampled_from([-1, 0, 1, 10, 200, 10 ** 6, np.nan, np.inf, -np.inf]))
    if array.dtype.kind != "f" and not np.isfinite(value):
        value = 127
    with np.errstate(all="ignore"):
        array.flat[draw(st.integers(0, array.size - 1))] = np.array(value).astype(array.dtype)
    return array


@st.composite
def broken_file(draw, run):
    """The name of a file of a run, and what stands in it instead."""
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    path = draw(st.sampled_from(sorted(files)))
    name = path.relative_to(run.folder).as_posix()
    if name.endswith(".json") and draw(st.integers(0, 4)):
        return name, json.dumps(replaced_somewhere(draw, json.loads(path.read_text()))).encode()
    if name.endswith(".npz") and draw(st.integers(0, 4)):
        with np.load(path) as read:
            arrays = {key: read[key] for key in read.files}
        key = draw(st.sampled_from(sorted(arrays)))
        other = {**arrays, draw(st.sampled_from([key, key, key, "x", "../x"])):
                 changed(draw, arrays[key])}
        return name, other
    if path.name == "history.csv" and draw(st.integers(0, 4)):
        lines = [line.split(",") for line in path.read_text().splitlines()]
        line = lines[draw(st.integers(0, len(lines) - 1))]
        line[draw(st.integers(0, 7))] = draw(st.sampled_from(
            ["", "nan", "inf", "-1", "0", "1e308", "9" * 400, "fit", "<script>", "2.5", "\0", '"']))
        return name, "\n".join(map(",".join, lines)).encode()
    content = path.read_bytes()
    at, junk = draw(st.integers(0, len(content) - 1)), draw(st.binary(max_size=8))
    return name, content[:at] + junk + (content[at + len(junk):] if junk else b"")


@given(data=st.data())
def test_a_broken_run_is_read_or_refused_by_one_message(made_run, place, data):
    name, content = data.draw(broken_file(made_run))
    folder = place / "runs" / "broken"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made_run.folder, folder)
    if isinstance(content, dict):
        np.savez(folder / name, **content)
    else:
        (folder / name).write_bytes(content)
    site = place / "site"
    try:
        render(Run(folder), site, place / "no-notes", SiteSettings())
    except RunError as error:
        assert f"{folder}/" in said(error)  # of two files that disagree it may name the other
        return
    assert "<script>" not in (site / "index.html").read_text()
