"""A training run on disk: the contract between learning and rendering.

A run is a folder of plain files (JSON, CSV, npz without pickle), so that rendering needs neither
the CSVs nor keras, and so that a run from a stranger can be read without executing anything:

    run.json            what was run, on what, when; its status              -> Run.record
    data.npz            what the report shows of the data                    -> Run.data
    augmentation.npz    images beside their augmented variations             -> Run.augmentation
    misclassified.npz   the validation images that were misclassified        -> Run.misclassified
    label_issues.npz    suspected label errors, untypical digits, near-duplicates -> Run.label_issues
    handwriting.npz     how the judged digits are written                    -> Run.handwriting
    submission.csv      ImageId,Label                                        -> Run.submission
    members/<name>/     one network, trained from one seed on one set of rows -> Run.members
        member.json         its seed, device, times; its status              -> Member.record
        rows.npz            the rows it learned from and was judged on       -> Member.rows
        model.json          the layers, with what each does and costs        -> Member.layers
        architecture.json   Keras's own description of the network           -> Member.architecture
        history.csv         one line an epoch                                -> Member.history
        weights.npz         one array a weight, as they are at the end       -> Member.weights
        predictions.npz     probabilities, with the ids of their rows        -> Member.predictions
        activations.npz     the activations of a few digits                  -> Member.activations
        explanations.npz    why digits were misclassified                    -> Member.explanations

Most runs have one member; `--folds` and `--seeds` make more. Rows are counted from 0 in the order
of train.csv. Types, shapes and ranges of all but the recipe are stated here and nowhere else.
"""

import csv
import io
import json
import math
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Annotated, Callable, Literal

import numpy as np
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from digits import ExpectedError
from digits.arrays import Spec, array, as_group, check, read_arrays, read_group
from digits.files import atomic_write, read_bytes
from digits.recipe import Recipe
from digits.records import (MAX_ENTRIES, Count, Fraction, Name, NonNegative, Record, Seed, Text,
                            complete, explain, printable)

SCHEMA = 3
TRAINING, FINISHED, FAILED = "training", "finished", "failed"
FIT, REFIT = "fit", "refit"
CLASSES = range(10)
MAX_ROWS = 1_000_000
MAX_ACTIVATION_VALUES, MAX_WATCHED = 1_000_000, 10


class RunError(ExpectedError):
    """A run on disk that cannot be read; the message names the file and says what to do."""




def _expect_utc(text: str) -> str:
    if datetime.fromisoformat(text).utcoffset() != timedelta(0):
        raise ValueError("expected a time in UTC")
    return text


Time = Annotated[Text, AfterValidator(_expect_utc)]  # ISO 8601
Status = Literal["training", "finished", "failed"]
Rows = Annotated[int, Field(gt=0, le=MAX_ROWS)]


class DataFacts(Record):
    """Which data a run was trained on: Kaggle's CSVs, or the bundled sample."""

    source: Literal["kaggle", "sample"]
    train_file: Text
    test_file: Text
    train_rows: Rows
    test_rows: Rows
    fingerprint: Text


class DeviceFacts(Record):
    """The PlaidML device: its id ("llvm_cpu.0"), what it is, and why it was taken."""

    id: Text
    description: Text
    reason: Text


class RunRecord(Record):
    """The contents of run.json. `members` are the names of their folders, in order."""

    schema_version: Literal[3] = SCHEMA
    id: Name
    status: Status
    fingerprint: Text
    data: DataFacts
    recipe: Recipe
    members: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_ENTRIES)]
    versions: dict[Text, Text]
    started: Time
    finished: Time | None = None
    error: Text | None = None


class MemberRecord(Record):
    """The contents of member.json. `seconds` has the time of each stage; `warnings` say what went
    wrong in a training that was finished all the same. `fold` counts from 1."""

    name: Name
    status: Status
    seed: Seed
    fold: Count | None = None
    device: DeviceFacts | None = None
    started: Time | None = None
    finished: Time | None = None
    seconds: dict[Text, NonNegative] = {}
    warnings: tuple[Text, ...] = ()
    error: Text | None = None


class Epoch(Record):
    """One line of history.csv. Epochs count from 1 in each stage; accuracies are in 0..1;
    `learning_rate` is that of the last batch."""

    stage: Literal["fit", "refit"]
    epoch: Annotated[int, Field(ge=1)]
    learning_rate: NonNegative
    loss: NonNegative
    acc: Fraction
    val_loss: NonNegative
    val_acc: Fraction
    seconds: Annotated[float, Field(ge=1e-6, le=10 ** 12)]


class Layer(Record):
    """One layer of the network: what it is, what it makes of one image, and what that costs.

    `output_shape` leaves out the batch. `trainable_parameters` is how many of `parameters` training
    changes. `multiply_adds` counts those of the kernels. What a kind of layer does not have is None.
    """

    name: Name
    kind: Name
    output_shape: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1, max_length=3)]
    parameters: Count
    trainable_parameters: Count
    multiply_adds: Count
    kernel_size: tuple[Count, ...] | None = None
    strides: tuple[Count, ...] | None = None
    padding: Text | None = None
    pool_size: tuple[Count, ...] | None = None
    activation: Text | None = None
    rate: Fraction | None = None


@dataclass(frozen=True)
class DataPreview:
    """What the report shows of the data. train_head and test_head are the first rows of the CSVs;
    class_images the first examples of each digit; pixel_range the least and the greatest pixel of
    both tables; duplicates (row, the earlier row with the same image) among the labelled rows;
    leaks (test row, labelled row with the same image)."""

    train_head: np.ndarray = array("train_head", 785, kind="u1")
    test_head: np.ndarray = array("test_head", 784, kind="u1")
    first_images: np.ndarray = array("first", 28, 28, kind="u1")
    first_labels: np.ndarray = array("first", kind="u1", high=9)
    class_images: np.ndarray = array(10, "examples", 28, 28, kind="u1")
    class_means: np.ndarray = array(10, 28, 28, kind="u1")
    train_labels: np.ndarray = array("train", kind="u1", high=9)
    pixel_range: np.ndarray = array(2, 2, kind="u1")
    duplicates: np.ndarray = array("duplicates", 2, kind="i", high="train")
    leaks: np.ndarray = array("leaks", 2, kind="i", high="train_or_test")


@dataclass(frozen=True)
class AugmentationPreview:
    """The first labelled images and, in the same places, what augmentation made of them; and several
    variations of each of a few. Made with the recipe's numbers, or with the notebook's where the
    recipe does not augment (`used` is 0). `limits`: rotation, zoom, shift, elastic of Augmentation."""

    used: np.ndarray = array(1, kind="i", high=1)
    limits: np.ndarray = array(4, kind="f", high=180)
    images: np.ndarray = array("first", 28, 28, kind="u1")
    augmented: np.ndarray = array("first", 28, 28, kind="u1")
    varied_rows: np.ndarray = array("varied", kind="i", high="first")
    variations: np.ndarray = array("varied", "variations", 28, 28, kind="u1")


@dataclass(frozen=True)
class Misclassified:
    """The validation rows whose likeliest digit is not their label, and their images."""

    rows: np.ndarray = array("misclassified", kind="i", high="train")
    images: np.ndarray = array("misclassified", 28, 28, kind="u1")


@dataclass(frozen=True)
class LabelIssues:
    """Suspected label errors among the judged rows, the most likely first, `suspected_count` in all, with
    cleanlab's label quality (0..1, low is suspect); the least typical digits, with their typicality (0..1);
    and pairs of nearly the same digit: a judged row and a row that its judge learned from."""

    suspected_rows: np.ndarray = array("suspected", kind="i", high="train")
    suspected_images: np.ndarray = array("suspected", 28, 28, kind="u1")
    label_quality: np.ndarray = array("suspected", kind="f", high=1)
    suspected_count: np.ndarray = array(1, kind="i", high=MAX_ROWS)
    untypical_rows: np.ndarray = array("untypical", kind="i", high="train")
    untypical_images: np.ndarray = array("untypical", 28, 28, kind="u1")
    typicality: np.ndarray = array("untypical", kind="f", high=1)
    alike_rows: np.ndarray = array("alike", 2, kind="i", high="train")
    alike_images: np.ndarray = array("alike", 2, 28, 28, kind="u1")


@dataclass(frozen=True)
class Handwriting:
    """The traits of the judged digits, as digits.handwriting measures them, in the order of its TRAITS;
    and of each trait the `examples` that have least of it, then those that have most."""

    rows: np.ndarray = array("judged", kind="i", high="train")
    traits: np.ndarray = array("judged", 4, kind="f", low=-180, high=180)
    extreme_rows: np.ndarray = array(4, 2, "examples", kind="i", high="train")
    extreme_images: np.ndarray = array(4, 2, "examples", 28, 28, kind="u1")


@dataclass(frozen=True)
class MemberRows:
    """Rows of train.csv that a member learned from and was judged on, in its fit and its refit.
    Without a refit, the last two are empty."""

    training: np.ndarray = array("training", kind="i", high="train")
    validation: np.ndarray = array("validation", kind="i", high="train")
    refit_training: np.ndarray = array("refit_training", kind="i", high="train")
    refit_validation: np.ndarray = array("refit_validation", kind="i", high="train")

    @cached_property
    def unseen_by_both(self) -> np.ndarray:
        """The rows that the refit is judged on and that neither fit learned from."""
        return np.intersect1d(self.validation, self.refit_validation)


@dataclass(frozen=True)
class Predictions:
    """Softmax outputs, each with the ids of its rows.

    `validation` comes from the network as it was after the fit, when it had never seen these rows;
    `submitted` from the network that also made `test`: after the refit, if there was one, on rows
    that neither fit learned from; else the same as `validation`. `tsne_embedding` lays rows out by
    the activations of the last hidden layer.
    """

    validation_rows: np.ndarray = array("validation", kind="i", high="train")
    validation: np.ndarray = array("validation", 10, kind="f", high=1.001)
    submitted_rows: np.ndarray = array("submitted", kind="i", high="train")
    submitted: np.ndarray = array("submitted", 10, kind="f", high=1.001)
    test_rows: np.ndarray = array("test", kind="i", high="test")
    test: np.ndarray = array("test", 10, kind="f", high=1.001)
    tsne_rows: np.ndarray = array("tsne", kind="i", high="train")
    tsne_embedding: np.ndarray = array("tsne", 2, kind="f", low=-1e6, high=1e6)


@dataclass(frozen=True)
class Explanations:
    """What a member's last hidden layer, after the fit, says of its validation rows: how typical each is
    (0..1, cleanlab's), and the nearest training row with its cosine distance. And of the most confident
    misclassified `rows` the nearest training rows, nearest first, and what happens when a part is covered:
    `occlusion[:, 0]` is the probability of the true label, `[:, 1]` that of the predicted one, by the place
    of the cover from top to bottom and left to right."""

    validation_rows: np.ndarray = array("validation", kind="i", high="train")
    typicality: np.ndarray = array("validation", kind="f", high=1)
    nearest_rows: np.ndarray = array("validation", kind="i", high="train")
    nearest_distances: np.ndarray = array("validation", kind="f")
    rows: np.ndarray = array("explained", kind="i", high="train")
    neighbour_rows: np.ndarray = array("explained", "neighbours", kind="i", high="train")
    neighbour_images: np.ndarray = array("explained", "neighbours", 28, 28, kind="u1")
    occlusion: np.ndarray = array("explained", 2, 14, 14, kind="f", high=1.001)


@dataclass(frozen=True)
class Activations:
    """The activations of a few digits that the network learned from; `layers` maps a layer's name, in the
    order of the network, to float16 (watched, h, w, c) or (watched, n)."""

    rows: np.ndarray = array("watched", kind="i", high="train")
    labels: np.ndarray = array("watched", kind="u1", high=9)
    images: np.ndarray = array("watched", 28, 28, kind="u1")
    layers: dict[str, np.ndarray]


def _file(name: str):
    """Makes a method that is given the path of this file of its folder a property that reads it, once.
    It raises RunError, which names a file that cannot be read."""
    def decorate(read):
        def get(folder):
            path = folder.folder / name
            try:
                return read(folder, path)
            except RunError:
                raise
            except FileNotFoundError:
                raise RunError(f"{path}: not found; is {path.parent} a finished run?") from None
            except Exception as error:  # readers of a stranger's bytes raise what they like, even TokenError
                what = explain(error) if isinstance(error, ValidationError) else str(error)
                what = " ".join(printable(what).split())[:200] or type(error).__name__
                raise RunError(f"{path}: damaged ({what}); delete the run and train again") from None
        return cached_property(get)
    return decorate


def _arrays(name: str, group: type):
    return _file(name)(lambda folder, path: read_group(group, path, folder._sizes))


def _read_all(folder: "Run | Member") -> None:
    for name, file in vars(type(folder)).items():
        if isinstance(file, cached_property):
            getattr(folder, name)


class Run:
    """A run folder, read file by file as it is asked for. Raises RunError on a damaged file."""

    data = _arrays("data.npz", DataPreview)
    augmentation = _arrays("augmentation.npz", AugmentationPreview)
    misclassified = _arrays("misclassified.npz", Misclassified)
    label_issues = _arrays("label_issues.npz", LabelIssues)
    handwriting = _arrays("handwriting.npz", Handwriting)

    def __init__(self, folder):
        self.folder = Path(folder)
        train, test = self.record.data.train_rows, self.record.data.test_rows
        self._sizes = {"train": train, "test": test, "train_or_test": max(train, test),
                       "train_head": min(5, train), "test_head": min(5, test), "first": min(64, train)}

    @_file("run.json")
    def record(self, path) -> RunRecord:
        content = read_bytes(path)
        found = json.loads(content)
        version = found.get("schema_version", found.get("schema"))
        if version != SCHEMA:
            raise RunError(f"{path}: written by another version of this program (schema {version}, "
                           f"expected {SCHEMA}). Train anew with: python -m report build")
        record = complete(RunRecord.model_validate_json(content))
        if record.status == FINISHED and record.finished is None:
            raise ValueError("finished without a time")
        return record

    @cached_property
    def members(self) -> list["Member"]:
        return [Member(self.folder / "members" / name, self._sizes) for name in self.record.members]

    @property
    def submission(self) -> Path:
        return self.folder / "submission.csv"

    @_file("submission.csv")
    def submitted(self, path) -> bytes:
        """The content of the submission: short lines of plain characters. Whether Kaggle takes them
        is for the site to say."""
        content = read_bytes(path)
        lines = content.splitlines()
        if len(lines) > 2 * (self.record.data.test_rows + 1) \
                or re.search(rb"[^ -~\r\n]", content) or max(map(len, lines), default=0) > 100:
            raise ValueError("it is not a text of as many short lines as are due")
        return content

    def read(self) -> None:
        """Reads all of it, so that what is damaged is known before anything is made of it."""
        _read_all(self)
        for member in self.members:
            member.read()
            if member.record.status != FINISHED and self.record.status == FINISHED:
                raise RunError(f"{member.folder / 'member.json'}: damaged (it is not finished); delete the run "
                               "and train again")


class Member:
    """The folder of one member, read file by file as it is asked for. Raises RunError.

    sizes: how many rows there are, as the specs of arrays name them.
    """

    def __init__(self, folder: Path, sizes: dict[str, int] = {}):
        self.folder, self._sizes = Path(folder), sizes

    @_file("member.json")
    def record(self, path) -> MemberRecord:
        return complete(MemberRecord.model_validate_json(read_bytes(path)))

    @_file("rows.npz")
    def rows(self, path) -> MemberRows:
        rows = read_group(MemberRows, path, self._sizes)
        for name in ("training", "validation"):
            if not len(getattr(rows, name)):
                raise ValueError(f"there are no {name} rows")
        if len(np.unique(rows.validation)) < len(rows.validation) \
                or np.intersect1d(rows.training, rows.validation).size:
            raise ValueError("a validation row is there twice, or is a training row too")
        return rows

    @_file("model.json")
    def layers(self, path) -> list[Layer]:
        kind = Annotated[list[Layer], Field(min_length=1, max_length=MAX_ENTRIES)]
        layers = [complete(layer) for layer in TypeAdapter(kind).validate_json(read_bytes(path))]
        for cost in ("parameters", "multiply_adds"):
            if not sum(getattr(layer, cost) for layer in layers):
                raise ValueError(f"no layer has {cost}")
        return layers

    @_file("architecture.json")
    def architecture(self, path) -> dict[str, dict]:
        """How Keras made each layer, by its name: what `layers` leaves out, such as an epsilon."""
        made = [layer["config"] for layer in json.loads(read_bytes(path))["config"]["layers"]]
        return {config["name"]: config for config in made}

    @_file("history.csv")
    def history(self, path) -> list[Epoch]:
        """The epochs count from 1 in each stage, the fit first."""
        header, *rows = csv.reader(io.StringIO(read_bytes(path).decode(), newline=""))
        names = list(Epoch.model_fields)
        if header != names:
            raise ValueError(f"the header is {','.join(header)[:200]}, expected {','.join(names)}")
        epochs = [Epoch.model_validate(dict(zip(names, row, strict=True)), strict=False) for row in rows]
        found = [(epoch.stage, epoch.epoch) for epoch in epochs]
        stages = [stage for stage, _ in found]
        if FIT not in stages or found != [(stage, number) for stage in (FIT, REFIT)
                                          for number in range(1, stages.count(stage) + 1)]:
            raise ValueError("its epochs do not count from 1 in each stage, the fit first")
        return epochs

    @_file("predictions.npz")
    def predictions(self, path) -> Predictions:
        return self._of_validation_rows(read_group(Predictions, path, self._sizes), "submitted_rows", "tsne_rows")

    @_file("explanations.npz")
    def explanations(self, path) -> Explanations:
        return self._of_validation_rows(read_group(Explanations, path, self._sizes), "rows")

    def _of_validation_rows(self, found, *parts: str):
        if not np.array_equal(found.validation_rows, self.rows.validation):
            raise ValueError("its validation rows are not those of rows.npz")
        for part in parts:
            if not np.isin(getattr(found, part), found.validation_rows).all():
                raise ValueError(f"its {part} are not among the validation rows")
        return found

    @_file("weights.npz")
    def weights(self, path) -> dict[str, np.ndarray]:
        """float32 arrays by name ("conv1/kernel"), in the order of Keras's get_weights()."""
        arrays = read_arrays(path)
        for name, found in arrays.items():
            if found.dtype.kind != "f" or found.itemsize > 8 or not found.size or not np.isfinite(found).all():
                raise ValueError(f"{name} is {found.dtype} {found.shape} or not finite")
        return arrays

    @_file("activations.npz")
    def activations(self, path) -> Activations:
        layers, sizes = read_arrays(path), dict(self._sizes)
        shown = {each.name: layers.pop(each.name) for each in fields(Activations) if each.metadata}
        found = as_group(Activations, {**shown, "layers": layers}, sizes)
        if not layers or not 0 < len(set(found.rows.tolist())) == len(found.rows) <= MAX_WATCHED:
            raise ValueError(f"it shows {len(found.rows)} digits in {len(layers)} layers, or one of them twice")
        shapes = {layer.name: layer.output_shape for layer in self.layers}
        for name, values in layers.items():
            if shapes.get(name) != values.shape[1:] or math.prod(values.shape[1:]) > MAX_ACTIVATION_VALUES:
                raise ValueError(f"{name} has the shape {values.shape}: its layers are not those of model.json")
            check(name, values, Spec(("watched", *values.shape[1:]), "f", -math.inf, math.inf), sizes)
        return found

    def read(self) -> None:
        """Reads all of it."""
        _read_all(self)
        if self.record.status == FINISHED and self.record.device is None:
            raise RunError(f"{self.folder / 'member.json'}: damaged (finished without a device)")

    def epochs(self, stage: str) -> list[Epoch]:
        return [epoch for epoch in self.history if epoch.stage == stage]


def finished_runs(folder: Path) -> list[Run]:
    """All finished runs in a folder, the last to finish last. Unreadable ones are passed over."""
    runs = []
    for path in Path(folder).glob("*/"):
        with suppress(RunError):
            runs.append(Run(path))
    return sorted((run for run in runs if run.record.status == FINISHED),
                  key=lambda run: (run.record.finished, run.record.id))


def latest(folder: Path) -> Run:
    """The run that finished last. Raises RunError if there is no finished run."""
    finished = finished_runs(folder)
    if not finished:
        for path in sorted(Path(folder).glob("*/run.json")):
            Run(path.parent)  # says what is wrong with one that is damaged
        raise RunError(f"{folder}: no finished run in it. Train one with: python -m report build")
    return finished[-1]


# Writing: each file replaces its predecessor whole or not at all.

def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@contextmanager
def marked_if_failed(path: Path, read: Callable[[], RunRecord | MemberRecord]):
    """Whatever ends a training early is noted in its record: the file, and what reads it."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError, RunError):
            write_record(path, read().model_copy(update={
                "status": FAILED, "error": str(error) or type(error).__name__}))
        raise


def write_record(path: Path, record: Record | list[Record]) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(to_jsonable_python(record), indent=2).encode() + b"\n")


def write_history(path: Path, epochs: list[Epoch]) -> None:
    lines = [Epoch.model_fields, *(map(str, epoch.model_dump().values()) for epoch in epochs)]
    with atomic_write(path) as file:
        file.write("".join(",".join(line) + "\n" for line in lines).encode())
