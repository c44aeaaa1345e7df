"""A member as a job: one function that trains or resumes one member in its folder.

It needs nothing but what it is given, and leaves everything in the folder: a loop can call it, or
joblib, or a Dask cluster whose machines share the folder. PlaidML is native code that can crash,
and it changes the process that loads it. So it gets a process of its own, and whatever happens
there becomes a finished member or one clear error.
"""

import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from digits import ExpectedError, checkpoint
from digits.arrays import write_group
from digits.files import locked
from digits.progress import NAME as PROGRESS
from digits.recipe import Recipe
from digits.run import (FINISHED, TRAINING, Member, MemberRecord, MemberRows, RunError, marked_if_failed,
                        write_record)

LOCK, LOG = ".lock", "log.txt"
SECONDS_FOR_A_DEAD_WORKER = 30  # its child needs a moment to end, the system to take the lock back

_children: set[subprocess.Popen] = set()
_turns = itertools.count()


class TrainingError(ExpectedError):
    """A training that did not come to its end; the message says why and what to do."""


class TrainingFault(ExpectedError):
    """A training that goes wrong; the message says how, and what to do."""


def train_member(dataset: Path, recipe: Recipe, rows: MemberRows, seed: int, folder: Path, *,
                 fold: int | None = None, device: str | None = None, insist: bool = False,
                 cores: int | None = None) -> Path:
    """Trains one member in `folder`, or goes on where an interrupted training of it stopped.

    dataset: the file of `digits.data.store`. fold: its number, if the rows are those of a fold.
    device: a PlaidML device id; None lets plaidkeras choose. insist: finish a training that goes
    wrong. cores: how many of the machine's to use. A member that is finished is left as it is.

    Returns the folder. Raises TrainingError.
    """
    folder = Path(folder)
    with locked(folder, folder / LOCK, TrainingError, "another training of this member is going on; wait for "
                "its end", "--runs", SECONDS_FOR_A_DEAD_WORKER):
        if is_finished(folder):
            return folder
        write_group(folder / "rows.npz", rows)
        write_record(folder / "member.json", MemberRecord(
            name=folder.name, status=TRAINING, seed=seed, fold=fold))
        with marked_if_failed(folder / "member.json", lambda: Member(folder).record):
            _train_in_child(folder, dataset, recipe, device, insist, cores)
        for leftover in (checkpoint.NAME, checkpoint.AFTER_FIT, PROGRESS):
            (folder / leftover).unlink(missing_ok=True)
    return folder


def is_finished(folder: Path) -> bool:
    with suppress(RunError):
        return Member(folder).record.status == FINISHED
    return False


def kill_children() -> None:
    """Ends the trainings that this process has started, and waits until they are gone."""
    children = list(_children)
    for child in children:
        child.kill()
    for child in children:
        child.wait()


def _train_in_child(folder: Path, dataset: Path, recipe: Recipe, device: str | None, insist: bool,
                    cores: int | None) -> None:
    # faulthandler writes where it was to the log, should the native code crash.
    command = [sys.executable, "-X", "faulthandler", "-m", "digits.member_process", str(folder),
               "--dataset", str(dataset), "--recipe", recipe.model_dump_json(),
               *(["--device", device] if device else []), *(["--insist"] if insist else [])]
    # Standard input carries nothing: its end tells the child that this process has ended.
    with open(folder / LOG, "wb") as log, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, encoding="utf-8",
            errors="replace") as child:
        _children.add(child)
        try:
            if cores and hasattr(os, "sched_setaffinity"):
                with suppress(OSError):  # it may have ended already
                    os.sched_setaffinity(child.pid, _take_cores(cores))
            message = child.stdout.read()
        except BaseException:  # above all Ctrl-C
            child.kill()
            raise
        finally:
            _children.discard(child)
        exit_code = child.wait()
    # The record is finished last of all: a crash of PlaidML on its way out does no harm.
    if not is_finished(folder):
        raise TrainingError(message or _crash(exit_code, folder, device))


def _take_cores(count: int) -> set[int]:
    """The next `count` of the cores that this process may use, in turn."""
    allowed = sorted(os.sched_getaffinity(0))
    first = next(_turns) * count
    return {allowed[(first + core) % len(allowed)] for core in range(count)}


def _crash(exit_code: int, folder: Path, device: str | None) -> str:
    used = Member(folder).record.device
    place = used.id if used else device or "the default device"
    how = (f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0
           else f"ended with exit code {exit_code}")
    advice = ("try again, which goes on from the last finished epoch, or on another device, or with "
              "another batch size")
    if exit_code == -getattr(signal, "SIGKILL", 9):
        advice = ("if nobody ended it, memory ran out: close other programs or use smaller batches. "
                  "The same command goes on from the last finished epoch")
    return f"the training process on {place} {how}; {advice}. Its log is {folder / LOG}"
