"""A run, notes and settings from a stranger: one message each, and nothing of theirs runs.

What a damaged file of a run says is tested in tests/digits/test_run.py.
"""

import json
import os
import shutil

import numpy as np
import pytest

from report import cli
from report.figures.drawing_cache import DrawingCache

MEMBER = "members/seed-333"


@pytest.fixture
def place(make_run, tmp_path, monkeypatch):
    """A folder with a run, in which the command line is called."""
    make_run("runs/stranger")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capsys) -> str:
    assert cli.main(["render", "--run", "stranger"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1 and len(message) < 600
    return message


def change_record(place, **changes) -> None:
    path = place / "runs" / "stranger" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("key, value, says", [
    ("versions", {"python": 3}, "versions.python is '3'"), ("members", ["../../.ssh"], "members.0 is '../../.ssh'"),
    ("id", "$(touch pwned)", "id is '$(touch pwned)'"), ("error", "\x1b[31m", "error is '\\x1b[31m'")])
def test_what_a_record_may_not_hold_is_told_in_one_line(place, capsys, key, value, says):
    change_record(place, **{key: value})
    assert f"run.json: damaged ({says}" in refusal(capsys)


@pytest.mark.parametrize("name", ["run.json", "data.npz", "submission.csv", f"{MEMBER}/weights.npz"])
@pytest.mark.parametrize("made", [lambda path: path.symlink_to("/dev/zero"), os.mkfifo])
def test_a_link_or_a_pipe_in_a_run_is_not_followed(place, capsys, name, made):
    path = place / "runs" / "stranger" / name
    path.unlink()
    made(path)
    assert f"{name}: damaged (it is a link, a folder or a device" in refusal(capsys)
    assert sorted(path.name for path in place.iterdir()) == ["runs"]


@pytest.mark.parametrize("name, keys, says", [
    ("misclassified.npz", ["rows", "images"], "misclassified"),
    ("label_issues.npz", ["suspected_rows"], "misclassified"), ("handwriting.npz", ["rows", "traits"], "judged")])
def test_rows_that_do_not_belong_there_are_told_in_one_line(place, capsys, name, keys, says):
    path = place / "runs" / "stranger" / name
    with np.load(path) as arrays:
        changed = {**arrays, **{key: arrays[key] + 1 if len(keys) == 1 else arrays[key][1:] for key in keys}}
    np.savez(path, **changed)
    assert f"{name}: damaged (its rows are not those that are {says})" in refusal(capsys)


@pytest.mark.parametrize("text", [
    b"", b"<script>\n", b"ImageId,Label\n" + b"1,1\n" * 6_000_000, b"\0" * 99, b"x" * 1000,
    b"\n" * 19_000_000 + b"\xff"])
def test_a_strange_submission_is_shown_as_failing_or_refused(place, capsys, text):
    (place / "runs" / "stranger" / "submission.csv").write_bytes(text)
    if cli.main(["render"]) == 1:
        assert "submission.csv: damaged" in capsys.readouterr().err
    else:
        page = (place / "site" / "submission.html").read_text()
        assert 'class="fails"' in page and "<script>" not in page.lower().replace('src="', "")


def test_activations_beyond_all_bounds_and_an_embedding_of_one_place_are_shown(place):
    for name, key, value, kind in (("predictions.npz", "tsne_embedding", 0, "f2"),
                                   ("activations.npz", "conv1", 6e4, "f2"),
                                   ("activations.npz", "norm1", -1e300, "f8")):
        path = place / "runs" / "stranger" / MEMBER / name
        with np.load(path) as arrays:
            changed = {**arrays, key: np.full_like(arrays[key], value, kind)}
        np.savez(path, **changed)
    assert cli.main(["render"]) == 0


@pytest.mark.slow
def test_drawings_of_a_stranger_come_into_no_page(place, capsys, monkeypatch):
    """They lie beside the site; what lies beside the run was never drawn here."""
    monkeypatch.setattr("report.pages.study.DrawingCache", DrawingCache)
    assert cli.main(["render"]) == 0
    drawings = [path.name for path in (place / ".site.drawings").iterdir()]
    for folder in (place / "runs" / ".drawings" / "stranger", place / "runs" / ".site.drawings"):
        folder.mkdir(parents=True)
        for name in drawings:
            (folder / name).write_text("<svg>hacked</svg>")
    shutil.copytree(place / ".site.drawings", place / ".other.drawings")
    assert cli.main(["render", "--output", "other"]) == 0
    for path in (place / "other").rglob("*"):
        assert path.is_dir() or b"hacked" not in path.read_bytes()


def test_markup_in_a_record_is_shown_as_text(place):
    path = place / "runs" / "stranger" / MEMBER / "member.json"
    record = json.loads(path.read_text())
    record["device"]["description"] = "<script>alert(1)</script>{{ 7 * 7 }}"
    path.write_text(json.dumps(record))
    assert cli.main(["render", "--run", "stranger"]) == 0
    for page in (place / "site").glob("*.html"):
        assert "<script>alert" not in page.read_text(), page
    assert "{{ 7 * 7 }}" in (place / "site" / "submission.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("note, says", [
    ("{{ (" + "(" * 3000 + "1" + ")" * 3000 + ") }}", "data.md: cannot be filled in"),
    ("One.\n{{ ''.__class__.__mro__ }}", "data.md, line 2: a text may hold {{ figures }}"),
    ("{% include '/etc/passwd' %}", "what it calls Include"),
    ("{% for a in [1] %}{% endfor %}", "what it calls For"), ("{{ 'a' * 10 ** 10 }}", "calls Mul"),
    ("{{ accuracy | center(10 ** 10) }}", "calls Filter"), ("{{ range(10 ** 9) }}", "calls Call"),
    ("{% set a = 1 %}", "calls Assign"), ("{% macro a() %}{% endmacro %}", "calls Macro"),
    ("{% if errors %}" * 200 + "{% endif %}" * 200, "cannot be filled in"),
    ("{% if errors < 1 %}{% endif %}", "cannot be filled in"),
    ("[x](javascript:alert(1))", "links to 'javascript:alert(1)', which is no web address"),
    ("[x](java&#115;cript:alert(1))", "which is no web address"),
    ("[x](  JAVAscript:alert(1))", "which is no web address"),
    ("[x]: vbscript:x\n\n[x]", "links to 'vbscript:x', which is no web address"),
    ("[x](data:text/html,<script>alert(1)</script>)", "which is no web address"),
    ("![x](//example.org/x.png)", "fetches '//example.org/x.png' from elsewhere"),
    ("[" * 1000, "has 1,000 brackets '['; at most 500"),
    ("{{ '[' }}" * 600, "has 600 brackets"), ("{{ " + "9" * 5000 + " }}", "cannot be filled in"),
    ("One.\nTwo \u202eevil.", "data.md, line 2: holds U+202E, a character that hides"),
    ("\0", "line 1: holds U+0000"), ("\u200e", "U+200E"), ("\u061c", "U+061C"),
    ("\U000e0041", "U+E0041"), ("\ufffa", "U+FFFA"),
    ("&#x202e;", "data.md, in an escape: holds U+202E"),
    ('{{ "\\u202eevil" }}', "data.md, in an escape: holds U+202E"), ('{{ "\\0" }}', "U+0000"),
    ('{{ "\\x1b[31m" }}', "U+001B"), ('{{ "\\ud800" }}', "U+D800"),
    ("- " * 3000 + "x", "nested too deep"),
    ("x" * 10_000_000, "has 10,000,000 characters; at most 20,000")])
def test_a_hostile_note_is_refused(place, capsys, note, says):
    (place / "notes").mkdir()
    (place / "notes" / "data.md").write_text(note)
    assert says in refusal(capsys)


@pytest.mark.parametrize("text, says", [
    ("a = " + "[" * 60_000, "report.toml: not valid TOML: maximum recursion depth exceeded"),
    ('[report]\ntitle = "' + "x" * 50_000 + '"', "report.title is 'xxx"),
    ("[report]\ntitle" + ".a" * 1000 + " = 1", "report.title is 'a value too long to show'"),
    ("[recipe]\nepochs = 0o" + "7" * 9000, "recipe.epochs is 'a value too long to show'; expected"),
    ('[report]\nauthor = "\\u202Elive"', "expected a text without line ends and without characters"),
    ('[report]\nbase_url = "https://a/\\"><script>"', "expected an address"),
    ("[recipe]\nepochs = " + "9" * 5000, "not valid TOML: Exceeds the limit (4300 digits)"),
    ("[report]\n" + "x" * 50_000 + " = 1", "[report] has no key 'xxx")])
def test_hostile_settings_are_refused(place, capsys, text, says):
    (place / "report.toml").write_text(text)
    assert says in refusal(capsys)
