"""A whole run: finds a finished one, or plans its members, has them trained, and puts them together."""

import hashlib
import json
import platform
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import chain, repeat
from pathlib import Path
from typing import Callable, Iterator

import numpy as np

from digits import checkpoint, data, evaluation, recipes, submission, time_budget
from digits.arrays import write_group
from digits.files import atomic_write, locked
from digits.handwriting import handwriting
from digits.label_issues import label_issues
from digits.member import TrainingError, is_finished
from digits.preview import preview, preview_augmentation
from digits.progress import Progress, read_progress
from digits.recipe import Recipe
from digits.run import (FINISHED, FIT, REFIT, TRAINING, Epoch, Member, Misclassified, Run, RunError,
                        RunRecord, marked_if_failed, now, write_record)
from digits.splits import MemberPlan, plan_members
from digits.workers import train_at_once, workers_of

# Counted up when a change of the code makes a training come out otherwise: old runs are then
# trained anew rather than taken for what the present code would do.
CODE_VERSION = 5
PACKAGES = "plaidml-report", "plaidml", "plaidml-keras", "keras", "numpy", "pandas", "scikit-learn"
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
    parts = {"data": dataset.facts.fingerprint, "recipe": recipe.model_dump(), "code": CODE_VERSION}
    fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    folder = Path(runs) / f"{dataset.facts.source}-{fingerprint[:10]}"
    plans = plan_members(dataset.train_labels, recipe)

    with locked(folder, folder.with_name(f".{folder.name}.lock"), TrainingError, "another training of this run "
                "is going on; wait for its end, or give this one another folder with --runs", "--runs"):
        found = _record(folder, fingerprint)
        if found and found.status == FINISHED and not force:
            report(f"Already trained with this data and recipe: {folder}")
            return Run(folder)
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        train_members = partial(_train_members, device=device, insist=insist, jobs=jobs, dask=dask)
        if recipe.time_budget:
            recipe = _within_budget(recipe, dataset, plans, unfinished, fingerprint, train_members,
                                    workers_of(jobs, dask), report)
            plans = plan_members(dataset.train_labels, recipe)
        _prepare(unfinished, dataset, report, RunRecord(
            id=folder.name, status=TRAINING, fingerprint=fingerprint, data=dataset.facts, recipe=recipe,
            members=tuple(plan.name for plan in plans), started=now(), versions=_versions()))
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


def _versions() -> dict[str, str]:
    """Of Python, of what the training needs, and the commit of this code where it is a git checkout."""
    versions = {"python": platform.python_version(), **{each: metadata.version(each) for each in PACKAGES}}
    with suppress(OSError, subprocess.CalledProcessError):  # no git, or another project's
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        versions["commit"] = _git("describe", "--exclude=*", "--always", "--dirty", "--abbrev=12")
    return versions


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True,
                          check=True).stdout.strip()


def _record(folder: Path, fingerprint: str) -> RunRecord | None:
    """The record of the run of this fingerprint, if it is in the folder."""
    with suppress(RunError):
        record = Run(folder).record
        return record if record.fingerprint == fingerprint else None


def _within_budget(recipe: Recipe, dataset: data.Dataset, plans: list[MemberPlan], unfinished: Path,
                   fingerprint: str, train_members: Callable, workers: int, report: Report) -> Recipe:
    """The recipe with as many epochs and seeds as fill its time budget; an interrupted training keeps
    those that were planned for it."""
    if begun := _record(unfinished, fingerprint):
        return begun.recipe
    report("Measuring the speed of this device")
    started, rows = time.perf_counter(), plans[0].rows
    speed = time_budget.measure(dataset, recipe, plans[0], min(workers, len(plans)), unfinished.parent,
                                train_members)
    plan = time_budget.plan_training(
        recipe, speed, (len(rows.training), len(rows.validation), len(dataset.test_images)), len(plans),
        workers, recipe.time_budget - (time.perf_counter() - started))
    report(str(plan))
    return plan.recipe


def _prepare(folder: Path, dataset: data.Dataset, report: Report, record: RunRecord) -> None:
    """The run folder with its record and what the report shows of the data. An interrupted training
    of the same run is kept."""
    if _record(folder, record.fingerprint):
        report(f"Going on with an interrupted training in {folder}. Delete it to start afresh.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        report(f"Training in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    write_group(folder / "data.npz", preview(dataset))
    write_group(folder / "augmentation.npz", preview_augmentation(dataset, record.recipe))
    write_record(folder / "run.json", record)


def _train_members(folder: Path, dataset: Path, recipe: Recipe, plans: list[MemberPlan], *,
                   device: str | None, insist: bool, jobs: int, dask: str | None) -> None:
    train_at_once([{"dataset": dataset.resolve(), "recipe": recipe, "rows": plan.rows, "seed": plan.seed,
                    "folder": (folder / "members" / plan.name).resolve(), "fold": plan.fold, "device": device,
                    "insist": insist} for plan in plans], jobs, dask)


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
    ended, recipe = threading.Event(), Run(folder).record.recipe
    members = [_news(folder / "members" / plan.name, number, len(plans), recipe)
               for number, plan in enumerate(plans, start=1)]

    def follow():
        last = False
        while not last:
            last = ended.wait(SECONDS_BETWEEN_LOOKS)
            for told in chain.from_iterable(map(next, members)):
                report(told)

    for news in members:
        next(news)  # what is there already is no news
    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _news(folder: Path, number: int, members: int, recipe: Recipe) -> Iterator[list[str | MemberProgress]]:
    """What is new in the folder of a member since it was last asked; nothing at first."""
    if is_finished(folder):
        yield from repeat([])
    tell = partial(MemberProgress, folder.name, number, members)
    planned, device_told = {FIT: recipe.epochs, REFIT: recipe.refit.epochs}, False
    # The history may be an epoch ahead of what a training goes on from.
    resumed = epochs = checkpoint.load(folder).finished
    progress, news = read_progress(folder), []
    while True:
        yield news
        news = []
        if not device_told and (record := _known(folder, "record")) and record.device:
            device_told = True
            if number == 1:
                news.append(f"Device: {record.device.id} ({record.device.description}); {record.device.reason}")
            if resumed:
                last = Member(folder).history[resumed - 1]
                news.append(f"Going on after epoch {last.epoch} of the {last.stage}"
                            + (f" of {folder.name}" if members > 1 else ""))
        before, progress = progress, read_progress(folder) or progress
        for epoch in (_known(folder, "history") or ())[epochs:] if device_told else ():
            epochs += 1
            if progress and progress.stage == epoch.stage:
                planned[epoch.stage] = progress.epochs  # with a time budget it follows the speed
            news.append(tell(Progress(
                stage=epoch.stage, epoch=epoch.epoch, epochs=planned[epoch.stage], batch=0, batches=0,
                seconds_left=progress and progress.seconds_left), epoch))
        if progress != before:
            news.append(tell(progress))


def _known(folder: Path, part: str):
    """A part of a member, None if it cannot be read (yet)."""
    with suppress(RunError):
        return getattr(Member(folder), part)
