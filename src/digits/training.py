"""A whole run: finds a finished one, or plans its members, has them trained, and puts them together."""

import hashlib
import json
import platform
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Callable

import numpy as np

from digits import checkpoint, data, evaluation, recipes, submission, time_budget
from digits.arrays import write_group
from digits.files import atomic_write
from digits.handwriting import handwriting
from digits.label_issues import label_issues
from digits.member import is_finished, locked, train_member
from digits.preview import preview, preview_augmentation
from digits.progress import Progress, read_progress
from digits.recipe import Recipe
from digits.run import (FINISHED, FIT, REFIT, TRAINING, DataFacts, Epoch, Member, Misclassified, Run, RunError,
                        RunRecord, marked_if_failed, now, write_record)
from digits.splits import MemberPlan, plan_members

# Counted up when a change of the code makes a training come out otherwise: old runs are then
# trained anew rather than taken for what the present code would do.
CODE_VERSION = 4
SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class MemberProgress:
    """How far a member is: its last finished epoch where `epoch` is set, else what it is doing."""

    member: str
    number: int  # counted from 1
    members: int
    progress: Progress
    epoch: Epoch | None = None


Report = Callable[[str | MemberProgress], None]


def train(location: Path | None, chosen: str | Recipe | None, changes: dict, runs: Path, device: str | None,
          force: bool, report: Report, insist: bool = False, jobs: int = 1, dask: str | None = None) -> Run:
    """The finished run of this data and recipe: an existing one, unless `force`, or a new one.

    location: a folder or zip file; None for the default folder and, if that holds no CSVs, the
    bundled sample. chosen: a recipe or the name of one; None for `best`, of the sample for `quick`.
    changes: numbers of the recipe, nested as in report.toml. runs: the folder of all runs. device:
    a PlaidML device id; None lets plaidkeras choose. report is called with lines for people and
    with MemberProgress. insist: finish a training that goes wrong. jobs: members trained at a time;
    dask: the address of a cluster's scheduler that trains them instead.

    A training that was interrupted, however it was, goes on from its last finished epochs. It is
    kept beside the finished runs, as ID.unfinished, and takes its place among them at the end.

    Raises DataError, RecipeError, TrainingError.
    """
    dataset = data.load(location or data.DEFAULT_FOLDER, explicit=location is not None)
    sample = dataset.facts.source == data.SAMPLE
    if sample:
        report(f"No train.csv in {data.DEFAULT_FOLDER}/: using the 1,797 digits that come with "
               f"scikit-learn. Put Kaggle's train.csv and test.csv there for the real thing.")
    for remark in dataset.remarks:
        report(remark)
    if not isinstance(chosen, Recipe):
        chosen = recipes.named(chosen or ("quick" if sample else "best"))
    recipe = chosen.changed(changes)
    fingerprint = _fingerprint(dataset.facts, recipe)
    folder = Path(runs) / f"{dataset.facts.source}-{fingerprint[:10]}"

    with locked(folder, folder.with_name(f".{folder.name}.lock"), 0, "another training of this run is going "
                "on; wait for its end, or give this one another folder with --runs"):
        if not force and _is(FINISHED, folder, fingerprint):
            report(f"Already trained with this data and recipe: {folder}")
            return Run(folder)
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        train_members = partial(_train_members, device=device, insist=insist, jobs=jobs, dask=dask)
        if recipe.time_budget:
            recipe = _within_budget(recipe, dataset, unfinished, fingerprint, train_members, jobs, dask, report)
        plans = plan_members(dataset.train_labels, recipe)
        _prepare(unfinished, folder.name, dataset, recipe, plans, fingerprint, report)
        with marked_if_failed(unfinished / "run.json", lambda: Run(unfinished).record):
            stored = data.store(dataset, Path(runs))
            with _followed(unfinished, plans, report):
                train_members(unfinished, stored, recipe, plans)
            _finish(unfinished, dataset)
        _put_in_place(unfinished, folder)
    run = Run(folder)
    for member in run.members:
        for warning in member.record.warnings:
            report(f"Warning: {warning}")
    return run


def _fingerprint(facts: DataFacts, recipe: Recipe) -> str:
    parts = {"data": facts.fingerprint, "recipe": recipe.model_dump(), "code": CODE_VERSION}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _is(status: str | None, folder: Path, fingerprint: str) -> bool:
    """Whether a folder holds a run of this fingerprint, and of this status unless it is None."""
    try:
        record = Run(folder).record
    except RunError:
        return False
    return record.fingerprint == fingerprint and status in (None, record.status)


def _within_budget(recipe: Recipe, dataset: data.Dataset, unfinished: Path, fingerprint: str,
                   train_members: Callable, jobs: int, dask: str | None, report: Report) -> Recipe:
    """The recipe with as many epochs and seeds as fill its time budget; an interrupted training keeps
    those that were planned for it."""
    if _is(None, unfinished, fingerprint):
        return Run(unfinished).record.recipe
    from digits.workers import workers_of

    report("Measuring the speed of this device")
    started, members = time.perf_counter(), plan_members(dataset.train_labels, recipe)
    workers, rows = workers_of(jobs, dask), members[0].rows
    speed = time_budget.measure(dataset, recipe, members[0], min(workers, len(members)), unfinished.parent,
                                train_members)
    plan = time_budget.plan_training(
        recipe, speed, (len(rows.training), len(rows.validation), len(dataset.test_images)), len(members),
        workers, recipe.time_budget - (time.perf_counter() - started))
    report(str(plan))
    return plan.recipe


def _prepare(folder: Path, run_id: str, dataset: data.Dataset, recipe: Recipe, plans: list[MemberPlan],
             fingerprint: str, report: Report) -> None:
    """The run folder with its record and what the report shows of the data. An interrupted training
    of the same run is kept."""
    resumed = _is(None, folder, fingerprint)
    if resumed:
        report(f"Going on with an interrupted training in {folder}. Delete it to start afresh.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        report(f"Training in {folder}")
    record = RunRecord(
        id=run_id, status=TRAINING, fingerprint=fingerprint, data=dataset.facts, recipe=recipe,
        members=tuple(plan.name for plan in plans), versions=_versions(), started=now())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_group(folder / "data.npz", preview(dataset))
        write_group(folder / "augmentation.npz", preview_augmentation(dataset, recipe))
        write_record(folder / "run.json", record)
    except OSError:
        if not resumed:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _train_members(folder: Path, dataset: Path, recipe: Recipe, plans: list[MemberPlan], *,
                   device: str | None, insist: bool, jobs: int, dask: str | None) -> None:
    def options(plan):
        return {"dataset": dataset.resolve(), "recipe": recipe, "rows": plan.rows, "seed": plan.seed,
                "folder": (folder / "members" / plan.name).resolve(), "fold": plan.fold,
                "device": device, "insist": insist}

    if dask is None and (jobs == 1 or len(plans) == 1):
        for plan in plans:
            train_member(**options(plan))
        return
    from digits.workers import train_at_once
    train_at_once([options(plan) for plan in plans], jobs, dask)


def _finish(folder: Path, dataset: data.Dataset) -> None:
    """What is known only once all members are trained."""
    run = Run(folder)
    judged = evaluation.evaluate(run)
    rows = judged.rows[np.sort(judged.misclassified)]
    write_group(folder / "misclassified.npz", Misclassified(rows, dataset.train_images[rows]))
    write_group(folder / "label_issues.npz", label_issues(run, judged, dataset.train_images))
    write_group(folder / "handwriting.npz", handwriting(judged.rows, dataset.train_images))
    with atomic_write(folder / "submission.csv") as file:
        file.write(submission.to_csv(evaluation.submitted_probabilities(run)).encode())
    recipe = run.record.recipe
    if recipe.time_budget:  # which decided how many epochs there were
        fit, refit = (max(len(member.epochs(stage)) for member in run.members) for stage in (FIT, REFIT))
        recipe = recipe.changed({"epochs": fit, "refit": {"epochs": refit}})
    write_record(folder / "run.json", run.record.model_copy(update={
        "status": FINISHED, "finished": now(), "recipe": recipe}))


def _put_in_place(unfinished: Path, folder: Path) -> None:
    """Makes a run that has been finished the run, in place of an earlier one."""
    for leftover in (*unfinished.rglob("*.partial"), *unfinished.glob("members/*/.lock")):
        leftover.unlink(missing_ok=True)
    previous = folder.with_name(f"{folder.name}.previous")
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    unfinished.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def _followed(folder: Path, plans: list[MemberPlan], report: Report):
    """Tells what happens in the folders of the members, whoever trains them, until it is left."""
    ended = threading.Event()
    followers = [_Follower(folder / "members" / plan.name, number, len(plans), Run(folder).record.recipe)
                 for number, plan in enumerate(plans, start=1)]

    def follow():
        last = False
        while not last:
            last = ended.wait(SECONDS_BETWEEN_LOOKS)
            for follower in followers:
                for told in follower.news():
                    report(told)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Follower:
    """What is new in the folder of a member since it was last asked."""

    def __init__(self, folder: Path, number: int, members: int, recipe: Recipe):
        self.folder, self.number, self.members = folder, number, members
        self.planned = {FIT: recipe.epochs, REFIT: recipe.refit.epochs}
        # The history may be an epoch ahead of what a training goes on from.
        self.epochs_told = len(self._history()) if is_finished(folder) else checkpoint.finished_epochs(folder)
        self.device_told, self.progress_told = is_finished(folder), read_progress(folder)
        self.resumed = 0 < self.epochs_told and not is_finished(folder)

    def news(self) -> list[str | MemberProgress]:
        return [*self._device(), *self._epochs(), *self._progress()]

    def _device(self):
        if not self.device_told:
            with suppress(RunError):
                device = Member(self.folder).record.device
                if device:
                    self.device_told = True
                    if self.number == 1:
                        yield f"Device: {device.id} ({device.description}); {device.reason}"
                    if self.resumed:
                        last = self._history()[self.epochs_told - 1]
                        yield (f"Going on after epoch {last.epoch} of the {last.stage}"
                               + (f" of {self.folder.name}" if self.members > 1 else ""))

    def _epochs(self):
        history = self._history() if self.device_told else []
        left = self.progress_told.seconds_left if self.progress_told else None
        for epoch in history[self.epochs_told:]:
            progress = Progress(stage=epoch.stage, epoch=epoch.epoch, epochs=self.planned[epoch.stage],
                                batch=0, batches=0, seconds_left=left)
            yield MemberProgress(self.folder.name, self.number, self.members, progress, epoch)
        self.epochs_told = max(self.epochs_told, len(history))

    def _progress(self):
        progress = read_progress(self.folder)
        if progress is not None and progress != self.progress_told:
            self.progress_told = progress
            yield MemberProgress(self.folder.name, self.number, self.members, progress)

    def _history(self) -> list[Epoch]:
        try:
            return Member(self.folder).history
        except RunError:
            return []


def _versions() -> dict[str, str]:
    packages = "plaidml", "plaidml-keras", "keras", "numpy", "pandas", "scikit-learn"
    return {"python": platform.python_version(),
            **{package: metadata.version(package) for package in packages}}
