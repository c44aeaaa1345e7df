"""Runs and data that tests are made of: trained on a few of the bundled digits, or made by hand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from digits import recipes, training
from digits.arrays import write_arrays, write_group
from digits.data import PIXELS
from digits.files import atomic_write
from digits.handwriting import handwriting
from digits.recipe import Recipe
from digits.run import (FINISHED, FIT, AugmentationPreview, DataFacts, DataPreview, DeviceFacts, Epoch, Explanations,
                        LabelIssues, Layer, MemberRecord, MemberRows, Misclassified, Predictions, Run, RunRecord,
                        write_history, write_record)
from digits.submission import to_csv


def write_csvs(sample, folder: Path, train_rows=40, test_rows=12, suffix="") -> Path:
    """Writes train.csv and test.csv of the sample's first digits into a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    train = _table(sample.train_images[:train_rows])
    train.insert(0, "label", sample.train_labels[:train_rows])
    train.to_csv(folder / f"train.csv{suffix}", index=False)
    _table(sample.test_images[:test_rows]).to_csv(folder / f"test.csv{suffix}", index=False)
    return folder


def _table(images: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(images.reshape(-1, 28 * 28), columns=PIXELS)


# Everything that a recipe can ask for, on 40 digits: augmentation, schedule, average, views, refit.
TINY = {"epochs": 6, "batch_size": 8, "averaged_fraction": 0.3, "test_time_augmentation": 2,
        "validation": {"fraction": 0.25}, "refit": {"epochs": 2}}


@dataclass(frozen=True)
class Tiny:
    data: Path
    runs: Path
    run: Run
    reports: list

    def train(self, runs: Path, changes: dict = {}, force=False, device="llvm_cpu.0",
              report=lambda told: None, data: Path | None = None, **options) -> Run:
        """Trains as the tiny run was trained, or otherwise."""
        return training.train(data or self.data, "best", {**TINY, **changes}, runs, device, force, report,
                              **options)


# Runs made by hand, file by file

@dataclass
class MadeMember:
    validation_rows: np.ndarray
    validation: np.ndarray
    submitted_rows: np.ndarray | None = None
    submitted: np.ndarray | None = None
    test: np.ndarray | None = None
    fold: int | None = None


MADE_HISTORY = [
    Epoch(stage=FIT, epoch=1, learning_rate=1.0, loss=0.123456789012345, acc=0.5, val_loss=0.25, val_acc=0.75,
          seconds=12.5),
    Epoch(stage=FIT, epoch=2, learning_rate=0.5, loss=1e-05, acc=1.0, val_loss=0.2, val_acc=0.8, seconds=11.0)]
MADE_LAYERS = [
    Layer(name="conv1", kind="Conv2D", output_shape=(26, 26, 2), parameters=20, trainable_parameters=20,
          multiply_adds=12_168, kernel_size=(3, 3), strides=(1, 1), padding="valid", activation="relu"),
    Layer(name="dense1", kind="Dense", output_shape=(10,), parameters=13_530, trainable_parameters=13_530,
          multiply_adds=13_520, activation="softmax")]


def make_run(folder: Path, labels: np.ndarray, members: list[MadeMember], recipe: Recipe | None = None,
              test_rows: int = 3) -> Run:
    """A finished run on as many blank images as there are labels, with the members' predictions."""
    recipe, images = recipe or recipes.BEST, np.zeros((len(labels), 28, 28), np.uint8)
    names = tuple(f"member-{number}" for number in range(1, len(members) + 1))
    (folder / "members").mkdir(parents=True)
    write_record(folder / "run.json", RunRecord(
        id="kaggle-0123456789", status=FINISHED, fingerprint="01" * 32, recipe=recipe, members=names,
        data=DataFacts(source="kaggle", train_file="train.csv", test_file="test.csv.gz",
                       train_rows=len(labels), test_rows=test_rows, fingerprint="ab" * 32),
        versions={"keras": "2.2.4"}, started="2020-01-01T00:00:00+00:00",
        finished="2020-01-01T01:00:00+00:00"))
    write_group(folder / "data.npz", DataPreview(
        train_head=np.zeros((5, 785), np.uint8), test_head=np.zeros((min(5, test_rows), 784), np.uint8),
        first_images=images[:64], first_labels=labels[:64], class_images=np.zeros((10, 1, 28, 28), np.uint8),
        class_means=np.zeros((10, 28, 28), np.uint8), train_labels=labels,
        pixel_range=np.zeros((2, 2), np.uint8), duplicates=np.empty((0, 2), int), leaks=np.array([[2, 7]])))
    write_group(folder / "augmentation.npz", AugmentationPreview(
        used=np.array([1]), limits=np.array([10.0, 0.1, 0.1, 0]), images=images[:64], augmented=images[:64],
        varied_rows=np.array([3, 4]), variations=np.zeros((2, 4, 28, 28), np.uint8)))
    write_group(folder / "misclassified.npz", Misclassified(np.array([1]), images[:1]))
    write_group(folder / "handwriting.npz", handwriting(np.arange(len(labels)), images))
    write_group(folder / "label_issues.npz", LabelIssues(
        np.array([1]), images[:1], np.array([0.1], np.float32), np.array([1]), np.array([2]), images[:1],
        np.array([0.3], np.float32), np.array([[1, 2]]), images[None, :2]))
    (folder / "submission.csv").write_text(to_csv(np.eye(10)[:test_rows]))
    for name, member in zip(names, members):
        _make_member(folder / "members" / name, member, labels, images, test_rows)
    return Run(folder)


def _make_member(folder: Path, member: MadeMember, labels, images, test_rows: int) -> None:
    folder.mkdir()
    rows, given = member.validation_rows, member.submitted_rows is not None
    write_record(folder / "member.json", MemberRecord(
        name=folder.name, status=FINISHED, seed=333, fold=member.fold,
        device=DeviceFacts(id="llvm_cpu.0", description="a processor", reason="no GPU"),
        started="2020-01-01T00:00:00+00:00", finished="2020-01-01T01:00:00+00:00", seconds={"fit": 1.5}))
    write_group(folder / "rows.npz", MemberRows(
        np.setdiff1d(np.arange(len(labels)), rows), rows, np.empty(0, int), np.empty(0, int)))
    write_record(folder / "model.json", MADE_LAYERS)
    with atomic_write(folder / "architecture.json") as file:
        file.write(b'{"config": {"layers": [{"config": {"name": "conv1", "epsilon": 0.001}}]}}')
    write_history(folder / "history.csv", MADE_HISTORY)
    write_arrays(folder / "weights.npz", {
        "conv1/kernel": np.ones((3, 3), np.float32), "conv1/bias": np.zeros(3, np.float32)})
    write_group(folder / "predictions.npz", Predictions(
        rows, member.validation, member.submitted_rows if given else rows,
        member.submitted if given else member.validation, np.arange(test_rows),
        np.full((test_rows, 10), 0.1, np.float32) if member.test is None else member.test,
        rows, np.zeros((len(rows), 2), np.float32)))
    count, nearest = len(rows), np.resize(np.setdiff1d(np.arange(len(labels)), rows), len(rows))
    write_group(folder / "explanations.npz", Explanations(
        rows, np.full(count, 0.5, np.float32), nearest, np.ones(count, np.float32), rows[:1], nearest[:1, None],
        images[nearest[:1, None]], np.full((1, 2, 14, 14), 0.5, np.float32)))
    write_arrays(folder / "activations.npz", {
        "rows": np.array([4]), "labels": labels[4:5], "images": images[4:5],
        "conv1": np.ones((1, 26, 26, 2), np.float16), "dense1": np.ones((1, 10), np.float16)})
