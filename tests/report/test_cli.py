"""The command line as a user meets it: a process, its output and its exit code."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from digits.recipes import RECIPES
from report import cli
from report.commands.options import Duration
from report.figures.drawing_cache import DrawingCache

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
    assert "Accuracy: 100.00% (95% interval: 60.97% to 100.00%) of the 6 digits" in done.stdout
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
    (["biuld"], 2, ["No such command 'biuld'", "Did you mean 'build'?"]),
    (["build", "--epoch", "3"], 2, ["No such option '--epoch'", "Did you mean", "'--epochs'"]),
    (["build", "--epochs", "0"], 2, ["--epochs", "0 is not in the range"]),
    (["build", "--epochs", "many"], 2, ["--epochs", "'many' is not a valid integer"]),
    (["build", "--recipe", "deep"], 2, ["--recipe", "'deep' is not one of 'best', 'notebook', 'quick'"]),
    (["build", "--time-budget", "20"], 2, ["'20' is no time; write it as 90s, 20m or 1h30m"]),
    (["serve", "--port", "65536"], 2, ["--port", "65536 is not in the range"]),
    (["build", "--batch-size", "12"], 1, ["batch_size is '12'; expected a multiple of 8"]),
    (["build", "--folds", "1"], 1, ["validation.folds is '1'; expected 0 (a hold-out) or at least 2"]),
    (["render"], 1, ["runs"]),
    (["render", "--run", "nope"], 1, ["--run nope", "run.json"]),
    (["render", "--run", "a\x1b[31m\nb\udcff"], 1, ["--run a\\x1b[31m\\nb\\udcff", "run.json"]),
    (["render", "--run", "x" * 60_000], 1, ["xxx", "run.json"]),
    (["render", "--config", "nope.toml"], 2, ["--config", "'nope.toml' does not exist"]),
    (["build", "--data", "nowhere"], 1, ["nowhere"]),
    (["serve"], 1, ["site", "python -m report build"]),
])
def test_every_failure_is_one_message_and_an_exit_code(tmp_path, monkeypatch, capsys, arguments,
                                                       code, parts):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == code
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
    monkeypatch.setattr("report.pages.study.DrawingCache", DrawingCache)  # which would draw beside the output
    assert cli.main(["render", "--output", output]) == 1
    assert f"error: {output}: is not empty" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["here"] and os.listdir(tmp_path / "here") == ["runs"]


def test_a_run_without_its_files_is_one_message(make_run, tmp_path, monkeypatch, capsys):
    run = make_run("runs/one")
    run.submission.unlink()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["render"]) == 1
    assert "submission.csv" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_short_line_and_an_exit_code(monkeypatch, capsys, tmp_path, number):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("report.settings.load", lambda path: signal.raise_signal(number))
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests may ignore it
    try:
        assert cli.main(["train"]) == 128 + number
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    assert capsys.readouterr().err == "\nStopped.\n"


def test_closed_input_and_output_and_an_ignored_ctrl_c_do_no_harm(tmp_path):
    for redirection in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        command = f"trap '' INT; {sys.executable} -m report notes --notes mine {redirection}"
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, timeout=60, env={
            **os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])})
    assert (tmp_path / "mine" / "data.md").is_file()


@pytest.fixture
def asked(made_run, monkeypatch, tmp_path):
    """What `train` was asked for, in place of a training."""
    given = {}

    def train(location, recipe_name, changes, **options):
        given.update(options, location=location, recipe_name=recipe_name, changes=changes)
        return made_run
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("digits.training.train", train)
    return given


def test_options_win_over_report_toml_number_by_number(asked, tmp_path):
    (tmp_path / "report.toml").write_text("""
        [recipe]
        name = "notebook"
        epochs = 5
        batch_size = 64
        refit.epochs = 3
        validation.fraction = 0.2
        """)
    assert cli.main(["train", "--epochs", "1", "--folds", "5", "--device", "llvm_cpu.0", "--force"]) == 0
    assert asked["changes"] == {"epochs": 1, "batch_size": 64, "refit": {"epochs": 3},
                                "validation": {"fraction": 0.2, "folds": 5}}
    assert asked["recipe_name"] == "notebook"
    assert asked["device"] == "llvm_cpu.0" and asked["force"] is True


def test_every_option_of_a_training_reaches_it(asked):
    assert cli.main(["train", "--data", "here", "--recipe", "quick", "--refit-epochs", "0", "--seeds", "3",
                     "--time-budget", "1h30m", "--jobs", "2", "--dask", "tcp://a:1", "--insist",
                     "--runs", "there", "--batch-size", "64"]) == 0
    asked.pop("report")
    assert asked == {
        "location": Path("here"), "recipe_name": "quick", "jobs": 2, "dask": "tcp://a:1", "insist": True,
        "force": False, "device": None, "runs": Path("there"),
        "changes": {"refit": {"epochs": 0}, "seeds": 3, "time_budget": 5400.0, "batch_size": 64}}


def test_without_options_and_a_file_the_data_decides_the_recipe(asked, tmp_path):
    assert cli.main(["build"]) == 0
    assert (asked["location"], asked["recipe_name"], asked["changes"]) == (None, None, {})
    assert (tmp_path / "site" / "index.html").is_file()


def test_nothing_is_trained_for_a_site_that_cannot_be_written(asked, tmp_path, capsys):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.tex").write_text("years of work")
    assert cli.main(["build"]) == 1
    assert "site: is not empty" in capsys.readouterr().err and not asked


@pytest.mark.parametrize("written, seconds", [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1h", 3600)])
def test_a_time_budget_is_written_in_hours_minutes_and_seconds(written, seconds):
    assert Duration().convert(written, None, None) == seconds


def test_the_recipes_that_can_be_named_are_those_that_there_are():
    [recipe] = [option for option in cli.commands.commands["train"].params if option.name == "recipe"]
    assert set(recipe.type.choices) == set(RECIPES)


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


@pytest.mark.parametrize("command", cli.commands.commands)
def test_every_command_explains_itself_with_examples(command, capsys):
    assert cli.main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"  python -m report {command}" in said
    assert all(len(line) < 81 for line in said.splitlines())
