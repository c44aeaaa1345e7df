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
of train.csv. Types, shapes and ranges are stated here and nowhere else.
"""

import csv
import io
import json
import math
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Annotated, Callable, Iterator, Literal

import numpy as np
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from digits import ExpectedError
from digits.arrays import Spec, array, check, read_arrays, read_group
from digits.files import atomic_write, read_bytes
from digits.recipe import Recipe
from digits.records import (MAX_ENTRIES, Count, Fraction, Loss, Name, Record, Seconds, Seed, Text,
                            complete, explain, printable)

SCHEMA = 3
TRAINING, FINISHED, FAILED = "training", "finished", "failed"
FIT, REFIT = "fit", "refit"
CLASSES = range(10)
MAX_ROWS = 1_000_000
MAX_ACTIVATION_VALUES, MAX_WATCHED = 1_000_000, 10


class RunError(ExpectedError):
    """A run on disk that cannot be read; the message names the file and says what to do."""


def _is_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Time = Annotated[Text, AfterValidator(_is_time)]  # ISO 8601, in UTC
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
    seconds: dict[Text, Seconds] = {}
    warnings: tuple[Text, ...] = ()
    error: Text | None = None


class Epoch(Record):
    """One line of history.csv. Epochs count from 1 in each stage; accuracies are in 0..1;
    `learning_rate` is that of the last batch."""

    stage: Literal["fit", "refit"]
    epoch: Annotated[int, Field(ge=1)]
    learning_rate: Seconds
    loss: Loss
    acc: Fraction
    val_loss: Loss
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
    images: np.ndarray = array("augmented", 28, 28, kind="u1")
    augmented: np.ndarray = array("augmented", 28, 28, kind="u1")
    varied_rows: np.ndarray = array("varied", kind="i", high="augmented")
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
    occlusion: np.ndarray = array("explained", 2, "places", "places", kind="f", high=1.001)


@dataclass(frozen=True)
class Activations:
    """The activations of a few digits that the network learned from. rows (k,), labels (k,), images
    uint8 (k, 28, 28); layers maps a layer's name, in the order of the network, to float16 (k, ...):
    (k, h, w, c) or (k, n)."""

    rows: np.ndarray
    labels: np.ndarray
    images: np.ndarray
    layers: dict[str, np.ndarray]


class Run:
    """A run folder, read file by file as it is asked for. Raises RunError on a damaged file."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.record = self._record()

    def _record(self) -> RunRecord:
        with _reading(self.folder / "run.json") as path:
            content = read_bytes(path)
            found = json.loads(content)
            version = found.get("schema_version", found.get("schema"))
            if version != SCHEMA:
                raise RunError(f"{path}: written by another version of this program (schema {version}, "
                               f"expected {SCHEMA}). Train anew with: python -m report build")
            return complete(RunRecord.model_validate_json(content))

    @cached_property
    def members(self) -> list["Member"]:
        return [Member(self.folder / "members" / name, self._sizes) for name in self.record.members]

    @property
    def layers(self) -> list[Layer]:
        """Of the network, which is the same in all members."""
        return self.members[0].layers

    @cached_property
    def data(self) -> DataPreview:
        return self._group(DataPreview, "data.npz")

    @cached_property
    def augmentation(self) -> AugmentationPreview:
        return self._group(AugmentationPreview, "augmentation.npz")

    @cached_property
    def misclassified(self) -> Misclassified:
        return self._group(Misclassified, "misclassified.npz")

    @cached_property
    def label_issues(self) -> LabelIssues:
        return self._group(LabelIssues, "label_issues.npz")

    @cached_property
    def handwriting(self) -> Handwriting:
        return self._group(Handwriting, "handwriting.npz")

    @property
    def submission(self) -> Path:
        return self.folder / "submission.csv"

    @cached_property
    def submitted(self) -> bytes:
        """The content of the submission: short lines of plain characters. Whether Kaggle takes them
        is for the site to say."""
        with _reading(self.submission) as path:
            content = read_bytes(path)
            lines = content.splitlines()
            if len(lines) > 2 * (self.record.data.test_rows + 1) \
                    or re.search(rb"[^ -~\r\n]", content) or max(map(len, lines), default=0) > 100:
                raise ValueError("it is not a text of as many short lines as are due")
            return content

    def read(self) -> None:
        """Reads all of it, so that what is damaged is known before anything is made of it."""
        for part in ("data", "augmentation", "misclassified", "label_issues", "handwriting", "submitted"):
            getattr(self, part)
        if self.record.status == FINISHED and self.record.finished is None:
            raise RunError(f"{self.folder / 'run.json'}: damaged (finished without a time)")
        for member in self.members:
            member.read()
            if member.record.status != FINISHED and self.record.status == FINISHED:
                raise RunError(f"{member.folder / 'member.json'}: damaged (it is not finished); delete the run "
                               "and train again")

    @property
    def _sizes(self) -> dict[str, int]:
        train, test = self.record.data.train_rows, self.record.data.test_rows
        return {"train": train, "test": test, "train_or_test": max(train, test),
                "train_head": min(5, train), "test_head": min(5, test), "first": min(64, train)}

    def _group(self, group: type, name: str):
        with _reading(self.folder / name) as path:
            return read_group(group, path, self._sizes)


class Member:
    """The folder of one member, read file by file as it is asked for. Raises RunError."""

    def __init__(self, folder: Path, sizes: dict[str, int]):
        self.folder, self._sizes = Path(folder), sizes

    @cached_property
    def record(self) -> MemberRecord:
        with _reading(self.folder / "member.json") as path:
            return complete(MemberRecord.model_validate_json(read_bytes(path)))

    @cached_property
    def rows(self) -> MemberRows:
        with _reading(self.folder / "rows.npz") as path:
            rows = read_group(MemberRows, path, self._sizes)
            for name in ("training", "validation"):
                if not len(getattr(rows, name)):
                    raise ValueError(f"there are no {name} rows")
            if len(np.unique(rows.validation)) < len(rows.validation) \
                    or np.intersect1d(rows.training, rows.validation).size:
                raise ValueError("a validation row is there twice, or is a training row too")
            return rows

    @cached_property
    def layers(self) -> list[Layer]:
        with _reading(self.folder / "model.json") as path:
            layers = TypeAdapter(Annotated[list[Layer], Field(min_length=1, max_length=MAX_ENTRIES)]) \
                .validate_json(read_bytes(path))
            for layer in layers:
                complete(layer)
            if not sum(layer.parameters for layer in layers):
                raise ValueError("no layer has parameters")
            return layers

    @cached_property
    def architecture(self) -> dict[str, dict]:
        """How Keras made each layer, by its name: what `layers` leaves out, such as an epsilon."""
        with _reading(self.folder / "architecture.json") as path:
            made = [layer["config"] for layer in json.loads(read_bytes(path))["config"]["layers"]]
            return {config["name"]: config for config in made}

    @cached_property
    def history(self) -> list[Epoch]:
        with _reading(self.folder / "history.csv") as path:
            return _epochs(read_bytes(path).decode())

    @cached_property
    def predictions(self) -> Predictions:
        with _reading(self.folder / "predictions.npz") as path:
            found = read_group(Predictions, path, self._sizes)
            if not np.array_equal(found.validation_rows, self.rows.validation):
                raise ValueError("its validation rows are not those of rows.npz")
            if not np.isin(found.submitted_rows, found.validation_rows).all():
                raise ValueError("its submitted rows are not among the validation rows")
            return found

    @cached_property
    def explanations(self) -> Explanations:
        with _reading(self.folder / "explanations.npz") as path:
            found = read_group(Explanations, path, self._sizes)
            if not np.array_equal(found.validation_rows, self.rows.validation):
                raise ValueError("its validation rows are not those of rows.npz")
            if not np.isin(found.rows, found.validation_rows).all():
                raise ValueError("its rows are not among the validation rows")
            return found

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """float32 arrays by name ("conv1/kernel"), in the order of Keras's get_weights()."""
        with _reading(self.folder / "weights.npz") as path:
            arrays = read_arrays(path)
            for name, found in arrays.items():
                if found.dtype.kind != "f" or found.itemsize > 8 or not found.size \
                        or not np.isfinite(found).all():
                    raise ValueError(f"{name} is {found.dtype} {found.shape} or not finite")
            return arrays

    def file(self, name: str) -> bytes:
        """A file as it is, of a member that has been read."""
        with _reading(self.folder / name) as path:
            return read_bytes(path)

    @cached_property
    def activations(self) -> Activations:
        with _reading(self.folder / "activations.npz") as path:
            arrays = read_arrays(path)
            sizes = dict(self._sizes)
            named = {"rows": Spec(("watched",), "i", 0, "train"),
                     "labels": Spec(("watched",), "u1", 0, 9),
                     "images": Spec(("watched", 28, 28), "u1", 0, 255)}
            for name, spec in named.items():
                check(name, arrays[name], spec, sizes)
            if not 0 < sizes["watched"] <= MAX_WATCHED or len(set(arrays["rows"].tolist())) < sizes["watched"]:
                raise ValueError(f"it shows {sizes['watched']} digits, or one of them twice")
            layers = {name: found for name, found in arrays.items() if name not in named}
            for name, found in layers.items():
                TypeAdapter(Name).validate_python(name)
                if math.prod(found.shape[1:]) > MAX_ACTIVATION_VALUES:
                    raise ValueError(f"{name} has the shape {found.shape}")
                check(name, found, Spec(("watched", *found.shape[1:]), "f", -math.inf, math.inf), sizes)
            return Activations(**{name: arrays[name] for name in named}, layers=layers)

    def read(self) -> None:
        """Reads all of it. Raises RunError also where its parts do not fit each other."""
        for part in ("record", "rows", "layers", "history", "predictions", "weights", "activations",
                     "explanations", "architecture"):
            getattr(self, part)
        if self.record.status == FINISHED and self.record.device is None:
            raise RunError(f"{self.folder / 'member.json'}: damaged (finished without a device)")
        shapes = {layer.name: layer.output_shape for layer in self.layers}
        if not self.activations.layers or not all(
                shapes.get(name) == found.shape[1:] for name, found in self.activations.layers.items()):
            raise RunError(f"{self.folder / 'activations.npz'}: damaged (its layers are not those of "
                           "model.json); delete the run and train again")

    def epochs(self, stage: str) -> list[Epoch]:
        return [epoch for epoch in self.history if epoch.stage == stage]


def finished_runs(folder: Path) -> list[Run]:
    """All finished runs in a folder, the last to finish last. Unreadable ones are passed over."""
    runs = filter(None, map(_run_in, Path(folder).glob("*/")))
    return sorted((run for run in runs if run.record.status == FINISHED and run.record.finished),
                  key=lambda run: (run.record.finished, run.record.id))


def latest(folder: Path) -> Run:
    """The run that finished last. Raises RunError if there is no finished run."""
    finished = finished_runs(folder)
    if not finished:
        for path in sorted(Path(folder).glob("*/")):
            if os.path.lexists(path / "run.json"):
                Run(path)  # says what is wrong with one that is damaged
        raise RunError(f"{folder}: no finished run in it. Train one with: python -m report build")
    return finished[-1]


def _run_in(folder: Path) -> Run | None:
    try:
        return Run(folder)
    except RunError:
        return None


def _epochs(text: str) -> list[Epoch]:
    """Epochs that count from 1 in each stage, the fit first."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    names = list(Epoch.model_fields)
    if header != names:
        raise ValueError(f"the header is {','.join(header)[:200]}, expected {','.join(names)}")
    epochs = [Epoch.model_validate(dict(zip(names, row, strict=True)), strict=False) for row in rows]
    fits = [epoch for epoch in epochs if epoch.stage == FIT]
    refits = [epoch for epoch in epochs if epoch.stage == REFIT]
    if not fits or epochs != fits + refits or any(
            epoch.epoch != number for stage in (fits, refits)
            for number, epoch in enumerate(stage, start=1)):
        raise ValueError("its epochs do not count from 1 in each stage, the fit first")
    return epochs


@contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """Says in a RunError which file could not be read."""
    try:
        yield path
    except FileNotFoundError:
        raise RunError(f"{path}: not found; is {path.parent} a finished run?") from None
    except RunError:
        raise
    except Exception as error:  # readers of a stranger's bytes raise what they like, even TokenError
        what = explain(error) if isinstance(error, ValidationError) else str(error)
        what = " ".join(printable(what).split())[:200] or type(error).__name__
        raise RunError(f"{path}: damaged ({what}); delete the run and train again") from None


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
    """A record as JSON; a driver may call its device anything, so texts are made printable."""
    dumped = [each.model_dump() for each in record] if isinstance(record, list) else record.model_dump()
    with atomic_write(path) as file:
        file.write(json.dumps(_printable(dumped), indent=2).encode() + b"\n")


def write_history(path: Path, epochs: list[Epoch]) -> None:
    names = list(Epoch.model_fields)
    lines = [names, *([str(getattr(epoch, name)) for name in names] for epoch in epochs)]
    with atomic_write(path) as file:
        file.write("".join(",".join(line) + "\n" for line in lines).encode())


def _printable(value):
    if isinstance(value, dict):
        return {_printable(key): _printable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(part) for part in value]
    return printable(value) if isinstance(value, str) else value
