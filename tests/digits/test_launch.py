"""The parent's side: runs are found again, and a child that dies is explained."""

import os
import shutil
import subprocess
import sys

import pytest

from digits import launch
from digits.data import DataError
from digits.launch import TrainingError
from digits.recipe import RecipeError
from digits.run import Run, RunError, latest


@pytest.fixture
def runs(tiny, tmp_path):
    """A copy of the finished run, to be spoilt."""
    return shutil.copytree(tiny.runs, tmp_path / "runs")


@pytest.fixture
def train(tiny, runs):
    def train(force=False, device="llvm_cpu.0", report=lambda said: None, data=tiny.data,
              **changes):
        recipe = {name: getattr(tiny.run.record.recipe, name) for name in (
            "epochs", "refit_epochs", "batch_size", "validation_fraction")}
        return launch.train(data, {**recipe, **changes}, runs, device, force, report)
    return train


@pytest.fixture
def child_dies(tmp_path, monkeypatch):
    """In place of Python, a program that ends as it is told."""
    def dies(command):
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{command}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
    return dies


def test_the_parent_loads_neither_keras_nor_plaidml():
    code = ("import sys, digits.launch; "
            "print([name for name in sys.modules if 'keras' in name or 'plaidml' in name])")
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_finished_run_of_the_same_data_and_recipe_is_taken(tiny, train, child_dies):
    child_dies("exit 3")  # and not needed
    said = []
    run = train(report=said.append)
    assert run.record == tiny.run.record
    assert said == [f"Already trained with this data and recipe: {run.folder}"]


def test_another_recipe_is_another_run(tiny, train, child_dies):
    child_dies("exit 3")
    with pytest.raises(TrainingError):
        train(seed=1)


def test_force_trains_anew(train, child_dies):
    child_dies("exit 3")
    with pytest.raises(TrainingError):
        train(force=True)


def test_what_training_needs_in_between_is_cleared_away(tiny):
    assert sorted(path.name for path in tiny.run.folder.iterdir()) == [
        "activations.npz", "architecture.json", "history.csv", "log.txt", "model.json",
        "predictions.npz", "preview.npz", "run.json", "submission.csv", "weights.npz"]


def test_a_device_that_is_not_there_is_an_error_for_people(train, runs):
    with pytest.raises(TrainingError, match="opencl_nothing.7") as caught:
        train(force=True, device="opencl_nothing.7")
    [run] = map(Run, runs.glob("*.unfinished"))
    assert run.record.status == "failed"
    assert run.record.error == str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("command, says", [
    ("kill -SEGV $$", "on llvm_cpu.0 was ended by SIGSEGV; try again"),
    ("kill -KILL $$", "was ended by SIGKILL; if nobody ended it, memory ran out"),
    ("exit 3", "ended with exit code 3"),
    ("exit 0", "ended with exit code 0"),
    ("printf '{\"progress\": {\"st'; kill -ABRT $$", "was ended by SIGABRT")])
def test_a_crash_is_explained_and_its_log_named(train, child_dies, runs, command, says):
    child_dies(f"echo last words >&2; {command}")
    with pytest.raises(TrainingError, match=says) as caught:
        train(force=True)
    [run] = map(Run, runs.glob("*.unfinished"))
    assert run.record.status == "failed" and run.record.error == str(caught.value)
    log = run.folder / "log.txt"
    assert str(log) in str(caught.value) and log.read_text() == "last words\n"
    assert not (run.folder / "dataset.npz").exists()


def test_after_ctrl_c_the_child_is_gone_and_the_run_is_no_finished_one(train, child_dies, runs):
    child_dies("echo $$ > \"$0.pid\"; echo '{\"message\": \"started\"}'; exec sleep 60")

    def interrupt(said):
        if said == "started":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(force=True, report=interrupt)
    with open(sys.executable + ".pid") as file, pytest.raises(ProcessLookupError):
        os.kill(int(file.read()), 0)
    [run] = map(Run, runs.glob("*.unfinished"))
    assert (run.record.status, run.record.error) == ("failed", "KeyboardInterrupt")


def test_without_data_the_sample_is_taken_and_said_so(tmp_path, monkeypatch, child_dies):
    monkeypatch.chdir(tmp_path)
    child_dies("exit 3")
    said = []
    with pytest.raises(TrainingError):
        launch.train(None, {"epochs": 1}, tmp_path / "runs", None, False, said.append)
    assert said[0].startswith("No train.csv in data/: using the 1,797 digits")
    [run] = map(Run, (tmp_path / "runs").glob("*.unfinished"))
    assert run.record.id.startswith("sample-") and run.record.data.source == "sample"
    assert (run.record.recipe.epochs, run.record.recipe.batch_size) == (1, 64)


def test_data_that_was_asked_for_must_be_there(train, tmp_path):
    with pytest.raises(DataError, match="not found"):
        train(data=tmp_path / "gone")


def test_an_impossible_recipe_is_refused_before_anything_is_written(train, runs):
    before = sorted(runs.iterdir())
    with pytest.raises(RecipeError, match="batch_size is 37"):
        train(batch_size=37)
    assert sorted(runs.iterdir()) == before


def test_the_latest_run_is_the_one_that_finished_last(tiny, runs):
    older = shutil.copytree(tiny.run.folder, runs / "older")
    record = (older / "run.json").read_text()
    (older / "run.json").write_text(record.replace(tiny.run.record.finished,
                                                   "2001-01-01T00:00:00+00:00"))
    (runs / "unfinished").mkdir()
    (runs / "unfinished" / "run.json").write_text(record.replace('"finished",', '"training",', 1))
    (runs / "damaged").mkdir()
    (runs / "damaged" / "run.json").write_text("{")
    (runs / "note.txt").write_text("not a run")
    assert latest(runs).record.id == latest(runs).folder.name == tiny.run.record.id


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_no_finished_run_is_said_so(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=f"{folder}: no finished run"):
        latest(tmp_path / folder)
