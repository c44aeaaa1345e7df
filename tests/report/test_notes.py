from dataclasses import fields

import pytest

from report import notes
from report.errors import ReportError
from report.facts import Facts, facts
from report.pages import NOT_FOUND, PAGES
from report.paths import BUILT_IN_NOTES
from report.study import study


@pytest.fixture(scope="module")
def known(made_run):
    return facts(study(made_run))


def render(tmp_path, text, known):
    (tmp_path / "data.md").write_text(text, encoding="utf-8")
    return str(notes.render("data", known, tmp_path))


def test_figures_are_filled_in(tmp_path, known):
    assert render(tmp_path, "Right: **{{ accuracy }}**", known) == \
        "<p>Right: <strong>91.67%</strong></p>"


def test_the_users_note_wins_over_the_built_in_one(tmp_path, known):
    built_in = notes.render("data", known, tmp_path)
    assert render(tmp_path, "Mine.", known) != built_in


def test_every_page_has_a_built_in_note_that_renders(tmp_path, known):
    for plan in (*PAGES, NOT_FOUND):
        assert "<p>" in notes.render(plan.key, known, tmp_path)
    assert {path.stem for path in BUILT_IN_NOTES.glob("*.md")} == \
        {plan.key for plan in (*PAGES, NOT_FOUND)}


def test_an_unknown_figure_is_refused_with_file_line_and_suggestion(tmp_path, known):
    with pytest.raises(ReportError) as caught:
        render(tmp_path, "One.\n\nTwo {{ acuracy }}.", known)
    for part in ["data.md, line 3", "'acuracy'", "Did you mean 'accuracy'?", "--names"]:
        assert part in str(caught.value)


def test_broken_braces_are_refused_with_file_and_line(tmp_path, known):
    with pytest.raises(ReportError, match="data.md, line 2"):
        render(tmp_path, "One.\nTwo {{ accuracy.", known)


def test_html_in_a_note_comes_out_as_text(tmp_path, known):
    html = render(tmp_path, "<script>alert(1)</script>\n\nand <b onclick=x>bold</b>", known)
    assert "<script" not in html and "<b" not in html
    assert "&lt;script&gt;" in html


def test_a_figure_cannot_bring_in_markup(tmp_path, known):
    from dataclasses import replace
    hostile = replace(known, device="[x](javascript:alert(1)) <img src=x> _a_")
    html = render(tmp_path, "{{ device }}", hostile)
    assert "<img" not in html and "<a" not in html and "<em>" not in html


@pytest.mark.parametrize("text", ["{{ accuracy.__class__.__mro__ }}", "{{ accuracy / 2 }}"])
def test_a_note_reaches_nothing_but_the_figures(tmp_path, known, text):
    with pytest.raises(ReportError, match="data.md, line 1: a text may hold"):
        render(tmp_path, text, known)


def test_every_figure_is_documented_text(known):
    for item in fields(Facts):
        assert item.metadata["about"]
        assert isinstance(getattr(known, item.name), str), item.name
