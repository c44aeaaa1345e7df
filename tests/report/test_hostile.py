"""A run, notes and settings from a stranger: one message each, and nothing of theirs runs."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from report import cli
from report.figures.drawings import Drawings


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


@pytest.mark.parametrize("key, value", [
    ("id", {"a": 1}), ("status", 3), ("versions", [1]), ("versions", {"python": 3}), ("seconds", "abc"),
    ("finished", 5), ("finished", "yesterday"), ("device", None), ("warnings", 5), ("warnings", [5]),
    ("recipe", {"epochs": "many"}), ("data", {"source": 1}), ("fingerprint", None)])
def test_a_record_of_other_types_is_damaged(place, capsys, key, value):
    path = place / "runs" / "stranger" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    assert "run.json: damaged" in refusal(capsys)


def test_a_record_nested_without_end_is_damaged(place, capsys):
    (place / "runs" / "stranger" / "run.json").write_text("[" * 100_000)
    assert "run.json: damaged" in refusal(capsys)


def test_a_history_without_an_epoch_is_damaged(place, capsys):
    path = place / "runs" / "stranger" / "history.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert "history.csv: damaged (number of epochs of the fit is '0')" in refusal(capsys)


@pytest.mark.parametrize("name", ["run.json", "history.csv", "model.json", "preview.npz",
                                  "predictions.npz", "activations.npz", "weights.npz",
                                  "submission.csv"])
@pytest.mark.parametrize("made", [
    lambda path: path.symlink_to("/etc/passwd"), lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(path.name), os.mkfifo, Path.mkdir])
def test_a_link_or_a_pipe_in_a_run_is_not_followed(place, capsys, name, made):
    path = place / "runs" / "stranger" / name
    path.unlink()
    made(path)
    assert cli.main(["render"]) == 1
    assert f"{name}: damaged (it is a link, a folder or a device" in capsys.readouterr().err
    assert not (place / "site").exists()


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


@pytest.mark.parametrize("kernel", [np.zeros((0, 0, 1, 0), np.float32), np.full((3, 3, 1, 32), "x"),
                                    np.full((3, 3, 1, 32), np.nan), np.zeros((3, 3, 1, 32), complex)])
def test_weights_that_are_no_numbers_are_damaged_before_anything_is_drawn(place, capsys, kernel):
    np.savez(place / "runs" / "stranger" / "weights.npz", **{"conv1/kernel": kernel})
    assert "weights.npz: damaged (conv1/kernel is" in refusal(capsys)
    assert sorted(path.name for path in place.iterdir()) == ["runs"]


def test_answers_beyond_all_bounds_and_a_map_of_one_place_are_shown(place):
    folder = place / "runs" / "stranger"
    for name, key, value, kind in (("predictions.npz", "map", 0, "f2"),
                                   ("activations.npz", "conv1", np.inf, "f2"),
                                   ("activations.npz", "norm1", -1e300, "f8")):
        with np.load(folder / name) as arrays:
            changed = {**arrays, key: np.full_like(arrays[key], value, kind)}
        np.savez(folder / name, **changed)
    assert cli.main(["render"]) == 0


def test_an_id_that_a_shell_would_obey_is_refused(place, capsys):
    path = place / "runs" / "stranger" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "id": "$(touch pwned)"}))
    assert "run.json: damaged (id is '$(touch pwned)')" in refusal(capsys)


def test_drawings_of_a_stranger_come_into_no_page(place, capsys, monkeypatch):
    """They lie beside the site; what lies beside the run was never drawn here."""
    monkeypatch.setattr("report.pages.study.Drawings", Drawings)
    assert cli.main(["render"]) == 0
    drawings = [path.name for path in (place / ".site.drawings").iterdir()]
    for folder in (place / "runs" / ".drawings" / "stranger", place / "runs" / ".site.drawings"):
        folder.mkdir(parents=True)
        for name in drawings:
            (folder / name).write_text("<svg>hacked</svg>")
    assert cli.main(["render", "--output", "other"]) == 0
    for path in (place / "other").rglob("*"):
        assert path.is_dir() or b"hacked" not in path.read_bytes()


def test_an_array_that_claims_to_fill_the_memory_is_damaged(place, capsys):
    header = ("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000000, 10), }"
              .ljust(117) + "\n").encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("validation", "test"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00v\x00" + header)
    (place / "runs" / "stranger" / "predictions.npz").write_bytes(content.getvalue())
    assert "predictions.npz: damaged" in refusal(capsys)


@pytest.mark.parametrize("name, key, array, says", [
    ("preview.npz", "repeats", np.zeros((300_000, 2), int), "number of repeats is '300000'"),
    ("preview.npz", "repeats", np.zeros((13_000_000, 2), int), "its arrays have 208,"),
    ("preview.npz", "leaks", np.zeros((41, 2), int), "number of leaks is '41'"),
    ("preview.npz", "validation_rows", np.arange(500_000), "number of validation rows is '500000'"),
    ("activations.npz", "conv1", np.zeros((2, 26, 26, 32), np.longdouble), "conv1 is float"),
    ("weights.npz", "conv1/kernel", np.zeros((3, 3, 1, 32), np.longdouble), "conv1/kernel is")])
def test_more_than_a_run_can_hold_is_damaged(place, capsys, name, key, array, says):
    path = place / "runs" / "stranger" / name
    with np.load(path) as arrays:
        changed = {**arrays, key: array}
    np.savez_compressed(path, **changed)
    assert f"{name}: damaged ({says}" in refusal(capsys)


@pytest.mark.parametrize("rows", [0, 450_000_000])
def test_a_run_of_no_rows_or_of_too_many_is_damaged(place, capsys, rows):
    path = place / "runs" / "stranger" / "run.json"
    record = json.loads(path.read_text())
    record["data"]["train_rows"] = rows
    path.write_text(json.dumps(record))
    assert f"run.json: damaged (train_rows is '{rows}')" in refusal(capsys)


def test_a_thousand_arrays_are_damaged(place, capsys):
    np.savez(place / "runs" / "stranger" / "weights.npz",
             **{str(number): np.ones(1) for number in range(1001)})
    assert "weights.npz: damaged (number of arrays is '1001')" in refusal(capsys)


def test_an_epoch_that_took_no_time_is_damaged(place, capsys):
    path = place / "runs" / "stranger" / "history.csv"
    path.write_text(path.read_text().replace("20.0", "1e-320"))
    assert "history.csv: damaged (time of an epoch is '1e-320')" in refusal(capsys)


def test_predictions_of_another_shape_are_damaged(place, capsys):
    np.savez(place / "runs" / "stranger" / "predictions.npz", validation=np.zeros((3, 2)),
             test=np.zeros(5))
    assert "predictions.npz: damaged (validation is float64 (3, 2), expected (60, 10))" in refusal(capsys)


def test_markup_in_a_record_is_shown_as_text(place):
    path = place / "runs" / "stranger" / "run.json"
    record = json.loads(path.read_text())
    record["device"]["description"] = "<script>alert(1)</script>{{ 7 * 7 }}"
    path.write_text(json.dumps(record))
    assert cli.main(["render", "--run", "stranger"]) == 0
    for page in (place / "site").glob("*.html"):
        assert "<script>alert" not in page.read_text(), page
    assert "{{ 7 * 7 }}" in (place / "site" / "submission.html").read_text()


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
    ("a = " + "[" * 60_000, "report.toml: a number in it has thousands of digits, or lists"),
    ('[report]\ntitle = "' + "x" * 50_000 + '"', "title in [report] has 50,000 characters"),
    ("#" * 64_001, "report.toml: has 64,001 bytes; at most 64,000 are taken"),
    ("[report]\ntitle" + ".a" * 30_000 + " = 1", "report.toml, line 2: has 30,000 dots"),
    ("[report]\ntitle" + ".a" * 1000 + " = 1", "title in [report] must be text in quotes, but is"),
    ("[report]\ntitle = 0x" + "f" * 5000, "must be text in quotes, but is 'a value too long to show'"),
    ("[training]\nepochs = 0o" + "7" * 9000, "training.epochs is a value too long to show; expected"),
    ('[report]\nauthor = "\\u202Elive"', "holds a character that cannot be shown"),
    ('[report]\nbase_url = "https://a/\\"><script>"', "must be the site's address"),
    ("[training]\nepochs = " + "9" * 5000, "a number in it has thousands of digits"),
    ("[report]\n" + "x" * 50_000 + " = 1", "[report] has no key 'xxx"),
    ("x" * 30_000_000, "has more than 20,000,000 bytes")])
def test_hostile_settings_are_refused(place, capsys, text, says):
    (place / "report.toml").write_text(text)
    assert says in refusal(capsys)
