"""Killed at any moment, nothing is lost: runs and site stay whole, and the next build ends as one
that was never interrupted, bit for bit."""

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits.run import Run, finished_runs

MOMENTS = int(os.environ.get("REPORT_KILLS", "60"))  # a quarter of an hour; CI takes fewer
# The recipe of the tiny run, which nobody has interrupted: one half as options, the other as settings.
RECIPE = ["--recipe", "best", "--epochs", "6", "--refit-epochs", "2", "--batch-size", "8"]
SETTINGS = """
[recipe]
averaged_fraction = 0.3
test_time_augmentation = 2

[recipe.validation]
fraction = 0.25
"""


class Workplace:
    """A folder in which `python -m report` is run, and killed."""

    def __init__(self, folder: Path, data: Path):
        self.folder, self.data = folder, data
        folder.mkdir(exist_ok=True)
        (folder / "report.toml").write_text(SETTINGS)

    def start(self, command="build", *options, **popen) -> subprocess.Popen:
        given = [] if command == "render" else [
            "--data", str(self.data), *RECIPE, "--device", "llvm_cpu.0"]
        return subprocess.Popen(
            [sys.executable, "-m", "report", command, *given, *options], cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            **popen)

    def finish(self, command="build", *options) -> str:
        process = self.start(command, *options)
        said, complained = process.communicate(timeout=300)
        assert process.returncode == 0, complained
        return said

    def kill(self, process: subprocess.Popen, how: str) -> str:
        """Ends a started command in a certain way, and waits until nothing of it is left; what it
        has said."""
        if how == "its child":
            for child in children(process.pid):
                os.kill(child, signal.SIGKILL)
        elif how == "Ctrl-C":  # a terminal sends it to all
            os.killpg(process.pid, signal.SIGINT)
        else:
            os.kill(process.pid, {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM}[how])
        said, complained = process.communicate(timeout=300)
        if process.returncode == 1:
            assert complained.startswith("error: ") and complained.count("\n") == 1, complained
        for _ in range(100):
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return said
            time.sleep(0.05)
        pytest.fail("the training went on without its parent")

    def expect_all_whole(self, site_made: bool) -> None:
        for run in finished_runs(self.folder / "runs"):
            read_everything(run)
        site = self.folder / "site"
        assert site.exists() or not site_made
        if site.exists():
            for path, expected in json.loads((site / "build.json").read_text())["files"].items():
                assert hashlib.sha256((site / path).read_bytes()).hexdigest() == expected, path


def children(pid: int):
    return map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def read_everything(run: Run) -> dict:
    """What a run has learned, all of it; what depends on the clock left out."""
    run.read()
    [member] = run.members
    arrays = {**member.weights, **{f"layer {name}": array for name, array in member.activations.layers.items()}}
    for group in (run.data, run.augmentation, run.misclassified, member.rows, member.predictions):
        arrays.update({f"{type(group).__name__}.{field.name}": getattr(group, field.name) for field in fields(group)})
    history = np.array([(epoch.learning_rate, epoch.loss, epoch.acc, epoch.val_loss, epoch.val_acc)
                        for epoch in member.history])
    return {**arrays, "history": history, "submission": np.frombuffer(run.submitted, np.uint8)}


def expect_same(one: Run, other: Run) -> None:
    ours, theirs = read_everything(one), read_everything(other)
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.slow
def test_killed_after_its_second_epoch_a_build_goes_on_to_the_same_result(tmp_path, tiny):
    workplace = Workplace(tmp_path / "place", tiny.data)
    process = workplace.start()
    for line in process.stdout:
        if line.startswith("Fit, epoch 2 of 6"):
            break
    second = workplace.start()  # while the first one is at work
    _, complained = second.communicate(timeout=300)
    assert second.returncode == 1
    assert complained == (f"error: runs/{tiny.run.record.id}: another training of this run is going on; wait for "
                          "its end, or give this one another folder with --runs\n")
    workplace.kill(process, "kill -9")
    workplace.expect_all_whole(site_made=False)
    assert not finished_runs(workplace.folder / "runs")

    said = workplace.finish()
    # The third epoch may have been finished before the signal came.
    assert "Going on after epoch" in said and "Fit, epoch 1" not in said
    [run] = finished_runs(workplace.folder / "runs")
    expect_same(run, tiny.run)
    assert sorted(path.relative_to(run.folder) for path in run.folder.rglob("*")) == sorted(
        path.relative_to(tiny.run.folder) for path in tiny.run.folder.rglob("*"))


@pytest.mark.slow
def test_a_device_that_vanishes_is_told_and_the_next_build_goes_on(tmp_path, tiny):
    """PlaidML's native code aborts when its device is lost."""
    workplace = Workplace(tmp_path / "place", tiny.data)
    process = workplace.start()
    for line in process.stdout:
        if line.startswith("Device: "):
            break
    child, = children(process.pid)
    with suppress(ProcessLookupError):
        for _ in range(2):  # LLVM takes the first to put back the handlers that it found, no more
            os.kill(child, signal.SIGABRT)
            time.sleep(0.5)
    _, complained = process.communicate(timeout=300)
    assert process.returncode == 1 and complained.count("\n") == 1
    assert complained.startswith("error: the training process on llvm_cpu.0 was ended by SIGABRT; try")
    [run] = map(Run, (workplace.folder / "runs").glob("*.unfinished"))
    assert run.record.status == "failed" and "SIGABRT" in run.record.error
    assert "Going on with an interrupted training" in workplace.finish()
    expect_same(finished_runs(workplace.folder / "runs")[0], tiny.run)


@pytest.mark.slow
def test_a_training_at_chance_fails_and_who_insists_has_it_told_on_every_page(tmp_path, write_csvs):
    data = write_csvs(tmp_path / "data", train_rows=160)
    table = pd.read_csv(data / "train.csv")
    table.iloc[:, 1:] = 0  # blank images have nothing to be learned from
    table.to_csv(data / "train.csv", index=False)
    workplace = Workplace(tmp_path / "place", data)
    given = ["--epochs", "3", "--refit-epochs", "0", "--batch-size", "16"]
    process = workplace.start("build", *given)
    _, complained = process.communicate(timeout=300)
    assert process.returncode == 1 and complained.count("\n") == 1
    assert "no better than guessing" in complained and "--insist" in complained
    [run] = map(Run, (workplace.folder / "runs").glob("*.unfinished"))
    assert run.record.status == "failed" and not (workplace.folder / "site").exists()

    assert "Warning: the training accuracy is" in workplace.finish("build", *given, "--insist")
    [run] = finished_runs(workplace.folder / "runs")
    assert any("no better than guessing" in warning for warning in run.members[0].record.warnings)
    for page in (workplace.folder / "site").glob("*.html"):
        assert "This training went wrong:" in page.read_text(), page


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can mount")
def test_a_full_disk_is_one_message_and_the_next_build_goes_on(tmp_path, tiny):
    runs = tmp_path / "place" / "runs"
    workplace = Workplace(tmp_path / "place", tiny.data)
    runs.mkdir()
    # A checkpoint has 3 MB: there is room for one, not for the one that is to replace it.
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", runs]).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        process = workplace.start()
        _, complained = process.communicate(timeout=300)
        assert process.returncode == 1
        assert "cannot be written (No space left on device); free some space" in complained
        assert complained.count("\n") == 1 and "Traceback" not in complained
        assert not finished_runs(runs) and not (workplace.folder / "site").exists()
        subprocess.run(["mount", "-o", "remount,size=500m", runs], check=True)
        assert "Going on after epoch 1 of the fit" in workplace.finish()
        expect_same(finished_runs(runs)[0], tiny.run)
    finally:
        subprocess.run(["umount", runs], check=True)


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost(tmp_path, tiny):
    unbroken = Workplace(tmp_path / "unbroken", tiny.data)
    started = time.perf_counter()
    unbroken.finish()
    seconds = time.perf_counter() - started
    [expected] = finished_runs(unbroken.folder / "runs")
    expect_same(expected, tiny.run)

    chance = random.Random(0)
    workplace = Workplace(tmp_path / "place", tiny.data)
    site_made, options, ended, resumed = False, [], 0, 0
    for _ in range(MOMENTS):
        command = chance.choice(["build"] * 3 + ["train", "render" if site_made else "build"])
        # One in six finds a disk that is full at some file, small or large.
        room = int(10 ** chance.uniform(2, 6.8)) if chance.random() < 1 / 6 else -1
        process = workplace.start(
            command, *([] if command == "render" else options), preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY)))
        try:
            said, complained = process.communicate(
                timeout=chance.uniform(0, 4 if command == "render" else seconds * 1.1))
            assert process.returncode == 0 or room > 0 and process.returncode == 1, complained
            assert complained.count("\n") == process.returncode, complained
        except subprocess.TimeoutExpired:
            said = workplace.kill(
                process, chance.choice(["kill -9", "its child", "Ctrl-C", "SIGTERM"]))
        resumed += "Going on after" in said
        if process.returncode == 0 and command != "render":
            ended, site_made = ended + 1, site_made or command == "build"
            options = ["--force"]  # and all over again
            expect_same(Run(expected.folder), finished_runs(workplace.folder / "runs")[-1])
        workplace.expect_all_whole(site_made)
    workplace.finish("build", "--force")
    expect_same(finished_runs(workplace.folder / "runs")[-1], expected)
    assert MOMENTS < 60 or resumed and ended, (ended, resumed)
