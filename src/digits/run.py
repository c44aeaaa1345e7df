"""A training run on disk: the contract between learning and rendering.

A run is a folder of plain files (JSON, CSV, npz without pickle), so that rendering needs neither
the CSVs nor keras, and so that a run from a stranger can be read without executing anything:

    run.json          what was run, on what, where and when; its status       -> Run.record
    history.csv       stage,epoch,loss,acc,val_loss,val_acc,seconds           -> Run.history
    model.json        the layers with their shapes and parameter counts       -> Run.layers
    architecture.json Keras's own description of the network
    weights.npz       one array a weight, after the last stage
    preview.npz       what the report shows of the data                       -> Run.preview
    predictions.npz   probabilities of the validation and the test rows       -> Run.predictions
    activations.npz   what each layer answers to a few digits                 -> Run.activations
    submission.csv    ImageId,Label                                           -> Run.submission

Training writes these as it goes; `status` tells how far it came.
"""

import csv
import io
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np

from digits import verify
from digits.recipe import Recipe

SCHEMA = 1
TRAINING, FINISHED, FAILED = "training", "finished", "failed"
FIT, REFIT = "fit", "refit"


class RunError(Exception):
    """A run on disk that cannot be read; the message names the file and says what to do."""


@dataclass(frozen=True)
class DataFacts:
    """Which data a run was trained on. `source` is "kaggle" (CSVs) or "sample" (bundled)."""

    source: str
    train_file: str
    test_file: str
    train_rows: int
    test_rows: int
    fingerprint: str


@dataclass(frozen=True)
class DeviceFacts:
    """The PlaidML device: its id ("llvm_cpu.0"), what it is, and why it was taken."""

    id: str
    description: str
    reason: str


@dataclass(frozen=True)
class Record:
    """The contents of run.json. Times are ISO 8601 in UTC; `seconds` maps a stage to its time.

    `warnings` say what went wrong in a training that was finished all the same.
    """

    id: str
    status: str
    data: DataFacts
    recipe: Recipe
    fingerprint: str
    versions: Dict[str, str]
    started: str
    device: Optional[DeviceFacts] = None
    finished: Optional[str] = None
    seconds: Optional[Dict[str, float]] = None
    error: Optional[str] = None
    warnings: Tuple[str, ...] = ()
    schema: int = SCHEMA


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv; accuracies are fractions in 0..1, epochs count from 1."""

    stage: str
    epoch: int
    loss: float
    acc: float
    val_loss: float
    val_acc: float
    seconds: float


@dataclass(frozen=True)
class Layer:
    """One layer of the network as the report shows it.

    `output_shape` leaves out the batch; `detail` says in words what the layer does
    ("3 x 3, relu"); `multiply_adds` is what one image costs.
    """

    name: str
    kind: str
    detail: str
    output_shape: Tuple[int, ...]
    parameters: int
    trainable_parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Preview:
    """What the report shows of the data. Images are uint8 (n, 28, 28), labels uint8 (n,).

    train_head (5, 785) and test_head (5, 784): the first rows as they stand in the CSVs.
    first_images, first_labels: the first 64 labelled rows.
    class_images (10, k, 28, 28): the first k images of each class; class_means (10, 28, 28).
    train_labels (n_train,); validation_rows (n_val,): their row numbers in train.csv, from 0.
    validation_images (n_val, 28, 28), validation_labels (n_val,).
    pixel_range (2, 2), repeats (k, 2), leaks (k, 2): see digits.survey; None in runs that were
    made before these were kept.
    """

    train_head: np.ndarray
    test_head: np.ndarray
    first_images: np.ndarray
    first_labels: np.ndarray
    class_images: np.ndarray
    class_means: np.ndarray
    train_labels: np.ndarray
    validation_rows: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    pixel_range: Optional[np.ndarray] = None
    repeats: Optional[np.ndarray] = None
    leaks: Optional[np.ndarray] = None


@dataclass(frozen=True)
class Predictions:
    """Softmax outputs, float32 (n, 10).

    `validation` comes from the network as it was after the first fit, when it had never seen the
    validation rows; `test` from the network that was submitted. `map` (n, 2) lays the validation
    rows out flat by what that same network's last hidden layer answers to them (t-SNE); None in
    runs that were made before it was kept.
    """

    validation: np.ndarray
    test: np.ndarray
    map: Optional[np.ndarray] = None


@dataclass(frozen=True)
class Activations:
    """What the layers answer to a few digits of the training set.

    rows (k,), labels (k,), images uint8 (k, 28, 28); layers maps a layer's name, in the order of
    the network, to float16 (k, ...) without the batch dimension: (k, h, w, c) or (k, n).
    """

    rows: np.ndarray
    labels: np.ndarray
    images: np.ndarray
    layers: Dict[str, np.ndarray]


class Run:
    """A run folder, read file by file as it is asked for. Raises RunError on a damaged file."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.record = self._read_record()

    def _read_record(self) -> Record:
        with _reading(self.folder / "run.json") as path:
            raw = json.loads(verify.content(path))
            if raw["schema"] != SCHEMA:
                raise RunError(f"{path}: written by another version of this program (schema "
                               f"{raw['schema']}, expected {SCHEMA}); train again")
            raw["data"] = DataFacts(**raw["data"])
            raw["recipe"] = Recipe(**raw["recipe"])
            raw["device"] = DeviceFacts(**raw["device"]) if raw["device"] else None
            raw["warnings"] = tuple(raw.get("warnings", ()))
            record = Record(**raw)
            verify.record(record)
            return record

    @property
    def submission(self) -> Path:
        return self.folder / "submission.csv"

    @cached_property
    def submitted(self) -> bytes:
        """The content of the submission."""
        with _reading(self.submission) as path:
            content = verify.content(path)
            verify.submission(content, self.record.data.test_rows)
            return content

    @cached_property
    def history(self) -> List[Epoch]:
        names = [field.name for field in fields(Epoch)]
        planned = {FIT: self.record.recipe.epochs, REFIT: self.record.recipe.refit_epochs}
        with _reading(self.folder / "history.csv") as path:
            header, *rows = csv.reader(io.StringIO(verify.content(path).decode(), newline=""))
            if header != names:
                raise ValueError(f"the header is {','.join(header)}, expected {','.join(names)}")
            epochs = [Epoch(stage, int(epoch), *map(float, numbers))
                      for stage, epoch, *numbers in rows]
            verify.history(epochs, planned)
            return epochs

    @cached_property
    def layers(self) -> List[Layer]:
        with _reading(self.folder / "model.json") as path:
            raw = json.loads(verify.content(path))
            layers = [Layer(**{**layer, "output_shape": tuple(layer["output_shape"])})
                      for layer in raw["layers"]]
            verify.layers(layers)
            return layers

    @cached_property
    def weights(self) -> Dict[str, np.ndarray]:
        """float32 arrays by name ("conv1/kernel"), in the order of Keras's get_weights()."""
        def made(arrays):
            verify.weights(arrays)
            return arrays
        return self._arrays("weights.npz", made)

    @cached_property
    def preview(self) -> Preview:
        def made(arrays):
            verify.preview(arrays, self.record.data.train_rows, self.record.data.test_rows)
            return Preview(**arrays)
        return self._arrays("preview.npz", made)

    @cached_property
    def predictions(self) -> Predictions:
        def made(arrays):
            verify.predictions(arrays, validation_rows, self.record.data.test_rows)
            return Predictions(**arrays)
        validation_rows = len(self.preview.validation_rows)
        return self._arrays("predictions.npz", made)

    @cached_property
    def activations(self) -> Activations:
        def made(arrays):
            verify.activations(arrays, shapes, self.record.data.train_rows)
            chosen = {name: arrays.pop(name) for name in ("rows", "labels", "images")}
            return Activations(**chosen, layers=arrays)
        shapes = {layer.name: layer.output_shape for layer in self.layers}
        return self._arrays("activations.npz", made)

    def read(self) -> None:
        """Reads all of it, so that what is damaged is known before anything is made of it."""
        for part in ("history", "layers", "weights", "preview", "predictions", "activations", "submitted"):
            getattr(self, part)

    def _arrays(self, name: str, made):
        with _reading(self.folder / name) as path, open(verify.file(path), "rb") as file:
            verify.arrays(file)
            with np.load(file, allow_pickle=False) as arrays:
                return made({key: arrays[key] for key in arrays.files})


def finished_runs(folder: Path) -> List[Run]:
    """All finished runs in a folder, the last to finish last. What is no readable run is passed
    over."""
    runs = filter(None, map(_run_in, Path(folder).glob("*/")))
    return sorted((run for run in runs if run.record.status == FINISHED),
                  key=lambda run: (run.record.finished, run.record.id))


def latest(folder: Path) -> Run:
    """The run that finished last. Raises RunError if there is no finished run."""
    finished = finished_runs(folder)
    if not finished:
        for path in sorted(Path(folder).glob("*/")):
            if os.path.lexists(path / "run.json"):
                Run(path)  # says what is wrong with one that is damaged
        raise RunError(f"{folder}: no finished run in it; train one first")
    return finished[-1]


def _run_in(folder: Path) -> Optional[Run]:
    try:
        return Run(folder)
    except RunError:
        return None


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
        raise RunError(f"{path}: damaged ({_short(error)}); delete {path.parent} and train "
                       "again") from None


def _short(error: Exception) -> str:
    """What is wrong, on one line: an error may quote a stranger's file."""
    return " ".join(verify.printable(str(error)).split())[:200] or type(error).__name__


class RunWriter:
    """Writes the files of one run; each replaces its predecessor whole or not at all."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def record(self, record: Record) -> None:
        self._write("run.json", json.dumps(_printable(asdict(record)), indent=2).encode() + b"\n")

    def history(self, epochs: List[Epoch]) -> None:
        names = [field.name for field in fields(Epoch)]
        lines = [",".join(names)] + [
            ",".join(str(getattr(epoch, name)) for name in names) for epoch in epochs]
        self._write("history.csv", "\n".join(lines).encode() + b"\n")

    def model(self, layers: List[Layer], architecture: str) -> None:
        self._write("model.json", json.dumps(
            {"layers": [asdict(layer) for layer in layers]}, indent=2).encode() + b"\n")
        self._write("architecture.json", architecture.encode() + b"\n")

    def weights(self, arrays: Dict[str, np.ndarray]) -> None:
        self._write_arrays("weights.npz", arrays)

    def preview(self, preview: Preview) -> None:
        self._write_arrays("preview.npz", _kept(preview))

    def predictions(self, predictions: Predictions) -> None:
        self._write_arrays("predictions.npz", _kept(predictions))

    def activations(self, activations: Activations) -> None:
        self._write_arrays("activations.npz", {
            "rows": activations.rows, "labels": activations.labels, "images": activations.images,
            **activations.layers})

    def submission(self, text: str) -> None:
        self._write("submission.csv", text.encode())

    def _write_arrays(self, name: str, arrays: Dict[str, np.ndarray]) -> None:
        with replaced(self.folder / name) as file:
            np.savez_compressed(file, **arrays)

    def _write(self, name: str, content: bytes) -> None:
        with replaced(self.folder / name) as file:
            file.write(content)


def _printable(value):
    """What is read back is as printable as this: a driver may call its device anything."""
    if isinstance(value, dict):
        return {_printable(key): _printable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(part) for part in value]
    return verify.printable(value) if isinstance(value, str) else value


def _kept(arrays) -> Dict[str, np.ndarray]:
    return {name: array for name, array in vars(arrays).items() if array is not None}


class replaced:
    """Opens a new file beside `path` and puts it in its place only once it is whole."""

    def __init__(self, path: Path):
        self.path, self.partial = path, path.with_name(path.name + ".partial")

    def __enter__(self):
        self.file = open(self.partial, "wb")
        return self.file

    def __exit__(self, kind, error, trace):
        try:
            with self.file:
                if kind is None:
                    self.file.flush()
                    os.fsync(self.file.fileno())
            if kind is None:
                os.replace(self.partial, self.path)
        finally:
            self.partial.unlink(missing_ok=True)
