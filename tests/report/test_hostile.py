"""A run, notes and settings from a stranger: one message each, and nothing of theirs runs."""

import io
import json
import zipfile

import numpy as np
import pytest

from report import cli


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
    assert "history.csv: damaged (it holds no epoch)" in refusal(capsys)


def test_an_array_that_claims_to_fill_the_memory_is_damaged(place, capsys):
    header = ("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000000, 10), }"
              .ljust(117) + "\n").encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("validation", "test"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00v\x00" + header)
    (place / "runs" / "stranger" / "predictions.npz").write_bytes(content.getvalue())
    assert "predictions.npz: damaged" in refusal(capsys)


def test_predictions_of_another_shape_are_damaged(place, capsys):
    np.savez(place / "runs" / "stranger" / "predictions.npz", validation=np.zeros((3, 2)),
             test=np.zeros(5))
    assert "predictions.npz: damaged (validation is (3, 2), expected (60, 10))" in refusal(capsys)


def test_markup_in_a_record_is_shown_as_text(place):
    path = place / "runs" / "stranger" / "run.json"
    record = json.loads(path.read_text())
    record["device"]["description"] = record["id"] = "<script>alert(1)</script>{{ 7 * 7 }}"
    path.write_text(json.dumps(record))
    assert cli.main(["render", "--run", "stranger"]) == 0
    for page in (place / "site").glob("*.html"):
        assert "<script>alert" not in page.read_text(), page
    assert "{{ 7 * 7 }}" in (place / "site" / "submission.html").read_text()


@pytest.mark.parametrize("note, says", [
    ("{{ (" + "(" * 3000 + "1" + ")" * 3000 + ") }}", "data.md: cannot be filled in"),
    ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__'"),
    ("{% include '/etc/passwd' %}", "cannot be filled in"),
    ("- " * 3000 + "x", "nested too deep"),
    ("x" * 10_000_000, "has 10,000,000 characters; at most 100,000")])
def test_a_hostile_note_is_refused(place, capsys, note, says):
    (place / "notes").mkdir()
    (place / "notes" / "data.md").write_text(note)
    assert says in refusal(capsys)


@pytest.mark.parametrize("text, says", [
    ("a = " + "[" * 100_000, "report.toml: not valid TOML"),
    ('[report]\ntitle = "' + "x" * 10_000_000 + '"', "title in [report] has 10,000,000 characters")])
def test_hostile_settings_are_refused(place, capsys, text, says):
    (place / "report.toml").write_text(text)
    assert says in refusal(capsys)
