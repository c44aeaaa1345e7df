import pytest

from report import cli
from report.text import notes
from report.errors import ReportError
from report.text.facts import FACTS, facts
from report.pages import NOT_FOUND, PAGES
from report.paths import BUILT_IN_NOTES
from report.pages.study import Study


@pytest.fixture(scope="module")
def known(made_run):
    return facts(Study(made_run))


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
    hostile = {**known, "device": "[x](javascript:alert(1)) <img src=x> _a_"}
    html = render(tmp_path, "{{ device }}", hostile)
    assert "<img" not in html and "<a" not in html and "<em>" not in html


@pytest.mark.parametrize("text", ["{{ accuracy.__class__.__mro__ }}", "{{ accuracy / 2 }}"])
def test_a_note_reaches_nothing_but_the_figures(tmp_path, known, text):
    with pytest.raises(ReportError, match="data.md, line 1: a text may hold"):
        render(tmp_path, text, known)


def test_signs_that_scripts_and_emoji_need_are_taken(tmp_path, known):
    text = "می\u200cخواهم \U0001f469\u200d\U0001f52c\ufe0f Zei\u00adle"
    assert text in render(tmp_path, text, known)


def test_a_misspelt_note_is_refused_where_the_right_one_is_missing(tmp_path, known):
    (tmp_path / "README.md").write_text("what lies here")
    (tmp_path / "dtaa.md").write_text("Mine.")
    with pytest.raises(ReportError, match="dtaa.md: is the text of no page. Did you mean data.md?"):
        notes.render("data", known, tmp_path)
    assert notes.render("results", known, tmp_path)
    assert render(tmp_path, "Mine too.", known) == "<p>Mine too.</p>"


def test_a_link_out_of_the_folder_is_not_followed(tmp_path, known):
    folder = tmp_path / "notes"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "data.md").symlink_to("../secret")
    with pytest.raises(ReportError, match="data.md: is a link out of .*notes/"):
        notes.render("data", known, folder)
    (folder / "shared.md").write_text("Shared.")
    (folder / "results.md").symlink_to("shared.md")
    assert notes.render("results", known, folder) == "<p>Shared.</p>"


@pytest.mark.parametrize("made", [lambda path: path.write_text(""),
                                  lambda path: path.symlink_to("nowhere")])
@pytest.mark.parametrize("folder", ["notes", "notes/mine"])
def test_notes_are_not_copied_where_a_file_is(tmp_path, monkeypatch, capsys, made, folder):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "notes")
    assert cli.main(["notes", "--notes", folder]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {folder}: cannot be made") and "--notes" in said


def test_a_broken_link_among_the_notes_is_kept(tmp_path, capsys):
    (tmp_path / "data.md").symlink_to("nowhere")
    assert cli.main(["notes", "--notes", str(tmp_path)]) == 0
    assert "data.md  kept as it is" in capsys.readouterr().out
    assert not (tmp_path / "nowhere").exists()


def test_every_figure_is_documented_text(known):
    for name, (about, _) in FACTS.items():
        assert about and isinstance(known[name], str), name
