"""The parent's side of a training: finds or makes a run, with PlaidML kept in a child process.

PlaidML is native code that can crash, and it changes the process that loads it. So it gets one
of its own, and this side turns whatever happens there into progress or one clear error.
"""

import hashlib
import json
import platform
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Callable, Dict, Optional, Union

import numpy as np
from filelock import FileLock, Timeout

from digits import checkpoint
from digits.data import DEFAULT_FOLDER, SAMPLE, Dataset, load, split
from digits.progress import Progress
from digits.recipe import SAMPLE_RECIPE, Recipe
from digits.run import (FAILED, FINISHED, TRAINING, DataFacts, Record, Run, RunError, RunWriter)

# Counted up when a change of the code makes a training come out otherwise: old runs are then
# trained anew rather than taken for what the present code would do.
CODE_VERSION = 3

Report = Callable[[Union[str, Progress]], None]


class TrainingError(Exception):
    """A training that did not come to its end; the message says why and what to do."""


def train(data: Optional[Path], recipe_changes: dict, runs: Path, device: Optional[str],
          force: bool, report: Report, insist: bool = False) -> Run:
    """The finished run for this data and recipe: an existing one, unless `force`, or a new one.

    data: a folder or zip file; None for the default folder and, if that holds no CSVs, the
    bundled sample. recipe_changes: fields of Recipe that differ from the defaults. runs: the
    folder of all runs. device: a PlaidML device id; None lets plaidkeras choose. report is
    called with a line for people or a Progress. insist: finish a training that goes wrong.

    A training that was interrupted, however it was, goes on from its last finished epoch. It is
    kept beside the finished runs, as ID.unfinished, and takes its place among them at the end.

    Raises DataError, RecipeError, TrainingError.
    """
    dataset = load(data or DEFAULT_FOLDER, explicit=data is not None)
    if dataset.facts.source == SAMPLE:
        report(f"No train.csv in {DEFAULT_FOLDER}/: using the 1,797 digits that come with "
               f"scikit-learn. Put Kaggle's train.csv and test.csv there for the real thing.")
    for remark in dataset.remarks:
        report(remark)
    defaults = SAMPLE_RECIPE if dataset.facts.source == SAMPLE else Recipe()
    recipe = defaults.changed(**recipe_changes)
    split(dataset.train_labels, recipe)  # says so if it leaves no rows to train on
    fingerprint = _fingerprint(dataset.facts, recipe)
    folder = Path(runs) / f"{dataset.facts.source}-{fingerprint[:10]}"
    unfinished = folder.with_name(f"{folder.name}.unfinished")

    with _only_training(Path(runs)):
        if not _is(FINISHED, unfinished, fingerprint):
            begun = checkpoint.load(unfinished) if _is(None, unfinished, fingerprint) else None
            if begun:
                last = begun.history[-1]
                report(f"Going on after epoch {last.epoch} of the {last.stage}, where an earlier "
                       f"training was interrupted. Delete {unfinished} to start afresh.")
            elif not force and _is(FINISHED, folder, fingerprint):
                report(f"Already trained with this data and recipe: {folder}")
                return Run(folder)
            _prepare(unfinished, folder.name, dataset, recipe, fingerprint, afresh=not begun)
            report(f"Training in {unfinished}")
            _train_in_child(unfinished, device, insist, report)
        _put_in_place(unfinished, folder)
    run = Run(folder)
    for warning in run.record.warnings:
        report(f"Warning: {warning}")
    return run


@contextmanager
def _only_training(runs: Path):
    """Holds the lock of a folder of runs, which the system takes back however a process ends."""
    runs.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(runs / ".lock", timeout=0):
            yield
    except Timeout:
        raise TrainingError(f"{runs}: another training is going on there; wait for its end, or "
                            f"give this one another folder with --runs") from None


def _fingerprint(facts: DataFacts, recipe: Recipe) -> str:
    parts = {"data": facts.fingerprint, "recipe": asdict(recipe), "code": CODE_VERSION}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _is(status: Optional[str], folder: Path, fingerprint: str) -> bool:
    """Whether a folder holds a run of this fingerprint, and of this status unless it is None."""
    try:
        record = Run(folder).record
    except RunError:
        return False
    return record.fingerprint == fingerprint and status in (None, record.status)


def _prepare(folder: Path, run_id: str, dataset: Dataset, recipe: Recipe, fingerprint: str,
             afresh: bool) -> None:
    """The run folder with all that the child needs: the record, and the data as arrays."""
    if afresh and folder.exists():
        shutil.rmtree(folder)
    try:
        RunWriter(folder).record(Record(
            id=run_id, status=TRAINING, data=dataset.facts, recipe=recipe,
            fingerprint=fingerprint, versions=_versions(),
            started=datetime.now(timezone.utc).isoformat(timespec="seconds")))
        np.savez(_dataset_file(folder), train_images=dataset.train_images,
                 train_labels=dataset.train_labels, test_images=dataset.test_images)
    except OSError as error:
        _dataset_file(folder).unlink(missing_ok=True)
        if afresh:
            shutil.rmtree(folder)
        raise TrainingError(f"{folder}: cannot be written ({error.strerror or error}); free some "
                            f"space there, or choose another folder with --runs") from None


def _put_in_place(unfinished: Path, folder: Path) -> None:
    """Makes an unfinished run that has been finished the run, in place of an earlier one."""
    for leftover in (_dataset_file(unfinished), unfinished / checkpoint.NAME,
                     *unfinished.glob("*.partial")):
        leftover.unlink(missing_ok=True)
    previous = folder.with_name(f"{folder.name}.previous")
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    unfinished.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)


def _dataset_file(folder: Path) -> Path:
    return folder / "dataset.npz"


def _versions() -> Dict[str, str]:
    packages = "plaidml", "plaidml-keras", "keras", "numpy", "pandas", "scikit-learn"
    return {"python": platform.python_version(),
            **{package: metadata.version(package) for package in packages}}


def _train_in_child(folder: Path, device: Optional[str], insist: bool, report: Report) -> None:
    log_file = folder / "log.txt"
    # faulthandler writes where it was to the log, should the native code crash.
    command = [sys.executable, "-X", "faulthandler", "-m", "digits.training", str(folder)]
    if device:
        command += ["--device", device]
    if insist:
        command += ["--insist"]
    # Standard input carries nothing: its end tells the child that this process has ended.
    with _marked_if_failed(folder), open(log_file, "wb") as log, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            encoding="utf-8") as child:
        try:
            error = _follow(child.stdout, report)
        except BaseException:  # above all Ctrl-C
            child.kill()
            raise
        exit_code = child.wait()
        # The record is finished last of all: a crash of PlaidML on its way out does no harm.
        if Run(folder).record.status != FINISHED:
            raise TrainingError(error or _crash(exit_code, folder, device, log_file))


def _follow(lines, report: Report) -> Optional[str]:
    """Passes on what the child says until it ends; the error, if it told one."""
    error = None
    for line in lines:
        if not line.endswith("\n"):  # it died while writing
            break
        said = json.loads(line)
        if "progress" in said:
            report(Progress(**said["progress"]))
        elif "message" in said:
            report(said["message"])
        else:
            error = said["error"]
    return error


def _crash(exit_code: int, folder: Path, device: Optional[str], log_file: Path) -> str:
    used = Run(folder).record.device
    place = used.id if used else device or "the default device"
    if exit_code < 0:
        how = f"was ended by {signal.Signals(-exit_code).name}"
    else:
        how = f"ended with exit code {exit_code}"
    advice = ("try again, which goes on from the last finished epoch, or on another device, or with "
              "another batch size")
    if exit_code == -getattr(signal, "SIGKILL", 9):
        advice = ("if nobody ended it, memory ran out: close other programs or use smaller batches. "
                  "The same command goes on from the last finished epoch")
    return f"the training process on {place} {how}; {advice}. Its log is {log_file}"


@contextmanager
def _marked_if_failed(folder: Path):
    """Whatever ends the training early is noted in the record, and the arrays are cleared away."""
    try:
        yield
    except BaseException as error:
        _dataset_file(folder).unlink(missing_ok=True)  # first: the disk may be full
        with suppress(OSError):
            RunWriter(folder).record(replace(
                Run(folder).record, status=FAILED, error=str(error) or type(error).__name__))
        raise
