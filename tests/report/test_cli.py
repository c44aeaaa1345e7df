"""The command line as a user meets it: a process, its output and its exit code."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from report import cli
from report.figures.drawings import Drawings

ROOT = Path(__file__).parents[2]


def report(folder: Path, *arguments, stdout=subprocess.PIPE,
           **environment) -> subprocess.CompletedProcess:
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    return subprocess.run([sys.executable, "-m", "report", *arguments], cwd=folder,
                          env={**os.environ, "PYTHONPATH": python_path, **environment},
                          stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)


def test_render_writes_the_site_and_says_where_it_is(make_run, tmp_path):
    make_run("runs/kaggle-01")
    done = report(tmp_path, "render")
    assert done.returncode == 0 and done.stderr == ""
    assert "Accuracy: 91.67% (5 mistakes in 60 digits" in done.stdout
    for part in ("site/index.html", "submission.csv", "python -m report serve"):
        assert part in done.stdout
    assert (tmp_path / "site" / "index.html").is_file()


def test_render_takes_a_run_by_its_id_or_its_folder(make_run, tmp_path, monkeypatch):
    make_run("runs/first")
    make_run("elsewhere/second")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["render", "--run", "first"]) == 0
    assert "first" in (tmp_path / "site" / "submission.html").read_text()
    assert cli.main(["render", "--run", "elsewhere/second"]) == 0
    assert "second" in (tmp_path / "site" / "submission.html").read_text()


@pytest.mark.parametrize("arguments, code, parts", [
    ([], 2, ["COMMAND"]),
    (["biuld"], 2, ["biuld"]),
    (["build", "--epochs", "0"], 2, ["--epochs", "at least 1", "'0'"]),
    (["render"], 1, ["runs"]),
    (["render", "--run", "nope"], 1, ["--run nope", "run.json"]),
    (["render", "--run", "a\x1b[31m\nb\udcff"], 1, ["--run a\\x1b[31m\\nb\\udcff", "run.json"]),
    (["render", "--run", "x" * 60_000], 1, ["xxx", "File name too long."]),
    (["render", "--config", "nope.toml"], 1, ["nope.toml", "--config"]),
    (["build", "--data", "nowhere"], 1, ["nowhere"]),
    (["serve"], 1, ["site", "python -m report build"]),
])
def test_every_failure_is_one_message_and_an_exit_code(tmp_path, monkeypatch, capsys, arguments,
                                                       code, parts):
    monkeypatch.chdir(tmp_path)
    try:
        returned = cli.main(arguments)
    except SystemExit as done:
        returned = done.code
    assert returned == code
    message = capsys.readouterr().err
    for part in parts:
        assert part in message
    if code == 1:
        assert message.startswith("error: ") and message.count("\n") == 1
        assert message[:-1].isprintable() and len(message) < 2100


def test_what_the_terminal_cannot_show_is_shown_escaped(tmp_path):
    done = report(tmp_path, "notes", "--notes", "d\xe9", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "") and "d\\xe9/data.md  written" in done.stdout


def test_output_that_nobody_reads_any_more_ends_the_command_without_a_word(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = report(tmp_path, "notes", "--names", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_is_told_with_what_to_do(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.copyfile", full)
    assert cli.main(["notes"]) == 1
    assert "No space left on device. Free space where" in capsys.readouterr().err


def test_a_failure_shows_no_traceback(tmp_path):
    done = report(tmp_path, "render")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: runs: ") and "Traceback" not in done.stderr


def test_an_unfinished_run_is_not_rendered(make_run, tmp_path, monkeypatch, capsys):
    make_run("runs/half", status="training")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["render", "--run", "half"]) == 1
    assert "not finished but training" in capsys.readouterr().err


@pytest.mark.parametrize("output", [".", "runs", "/"])
def test_a_foreign_folder_is_not_replaced(make_run, tmp_path, monkeypatch, capsys, output):
    make_run("here/runs/one")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("report.pages.study.Drawings", Drawings)  # which would draw beside the output
    assert cli.main(["render", "--output", output]) == 1
    assert f"error: {output}: is not empty" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["here"] and os.listdir(tmp_path / "here") == ["runs"]


def test_a_run_without_its_files_is_one_message(make_run, tmp_path, monkeypatch, capsys):
    run = make_run("runs/one")
    run.submission.unlink()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["render"]) == 1
    assert "submission.csv" in capsys.readouterr().err


def test_ctrl_c_is_a_short_line(monkeypatch, capsys, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("report.settings.load", interrupted)
    assert cli.main(["train"]) == 130
    assert capsys.readouterr().err == "\nStopped.\n"


def test_options_of_the_command_line_win_over_report_toml(made_run, tmp_path, monkeypatch):
    asked = {}

    def train(**options):
        asked.update(options)
        return made_run
    (tmp_path / "report.toml").write_text("[training]\nepochs = 5\nbatch_size = 64\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("digits.launch.train", train)
    assert cli.main(["build", "--epochs", "1", "--device", "llvm_cpu.0", "--force"]) == 0
    assert asked["recipe_changes"] == {"epochs": 1, "batch_size": 64}
    assert asked["device"] == "llvm_cpu.0" and asked["force"] is True
    assert (tmp_path / "site" / "index.html").is_file()


def test_notes_copies_the_texts_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["notes"]) == 0
    (tmp_path / "notes" / "data.md").write_text("Mine.")
    assert cli.main(["notes"]) == 0
    assert (tmp_path / "notes" / "data.md").read_text() == "Mine."
    assert "data.md  kept as it is" in capsys.readouterr().out


def test_notes_lists_the_figures(capsys):
    assert cli.main(["notes", "--names"]) == 0
    assert "accuracy on the validation rows" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["build", "train", "render", "serve", "notes"])
def test_every_command_explains_itself_with_examples(command, capsys):
    with pytest.raises(SystemExit) as done:
        cli.main([command, "--help"])
    assert done.value.code == 0
    assert f"python -m report {command}" in capsys.readouterr().out


def test_an_interrupt_that_meets_a_finalizer_is_not_lost():
    program = """
import signal, time
from report import cli

signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests may ignore it

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def run(options):
    Finalized()
    time.sleep(20)

cli.import_module = lambda name: type("command", (), {"run": run})
raise SystemExit(cli.main(["doctor"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stderr) == (130, "\nStopped.\n")
