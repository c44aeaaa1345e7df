"""Is what a run holds of the types, shapes and sizes that run.py says? A run may come from a
stranger: what passes here can be shown, what does not ends in a ValueError that names it."""

import math
import os
import re
import zipfile
from collections import Counter
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Dict, List, Union, get_args, get_origin, get_type_hints

import numpy as np

# Far beyond what training writes: texts of 600 characters, 30 entries, JSON of 10 kB, arrays of
# 12 MB (100 MB for ten times Kaggle's rows). Each validation row may be a mistake, with an image.
MOST_CHARACTERS, MOST_ENTRIES, MOST_BYTES, MOST_ARRAY_BYTES = 10_000, 1_000, 20_000_000, 200_000_000
MOST_NUMBER, MOST_VALUES, MOST_WATCHED, MOST_EXAMPLES = 10 ** 12, 1_000_000, 10, 100
MOST_ROWS, MOST_JUDGED, LEAST_SECONDS = 1_000_000, 50_000, 1e-6
# A layer's name becomes a file's, a run's id stands in a command that readers copy.
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


def file(path: Path) -> Path:
    """A file of a run: a plain one, for a link may lead to what is nobody's business, and a pipe
    or a device never ends."""
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise ValueError("it is a link, a folder or a device, not a file")
    return path


def content(path: Path) -> bytes:
    """The bytes of a file of a run."""
    with open(file(path), "rb") as opened:
        found = opened.read(MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    return found


def arrays(opened: BinaryIO) -> None:
    """An npz file: small enough once it is unpacked. Its entries' own claims are checked as they
    are read: what is shorter or longer than it says is damaged."""
    with zipfile.ZipFile(opened) as archive:
        entries = archive.infolist()
    _expect(len(entries) <= MOST_ENTRIES, "number of arrays", len(entries))
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MOST_ARRAY_BYTES:
        raise ValueError(f"its arrays have {unpacked:,} bytes, at most {MOST_ARRAY_BYTES:,} are read")
    opened.seek(0)


def record(record) -> None:
    """What run.json holds, beyond the recipe's own checks."""
    types(record)
    _expect(NAME.fullmatch(record.id), "id", record.id)
    for name in ("started", "finished"):
        if getattr(record, name) is not None:
            datetime.fromisoformat(getattr(record, name))
    for name in ("train_rows", "test_rows"):
        rows = getattr(record.data, name)
        _expect(0 < rows <= MOST_ROWS, name, rows)
    if record.status == "finished" and None in (record.device, record.seconds, record.finished):
        raise ValueError("it is finished without a device or a time")


def history(epochs: List, planned: Dict[str, int]) -> None:
    """Epochs that count from 1 in each stage, at most as many as planned, the first stage first."""
    seen = Counter()
    for epoch in epochs:
        types(epoch)
        _expect(epoch.stage in planned, "stage", epoch.stage)
        seen[epoch.stage] += 1
        _expect(epoch.epoch == seen[epoch.stage] <= planned[epoch.stage], "epoch", epoch.epoch)
        _expect(max(epoch.acc, epoch.val_acc) <= 1, "accuracy", max(epoch.acc, epoch.val_acc))
        _expect(epoch.seconds >= LEAST_SECONDS, "time of an epoch", epoch.seconds)
    first = next(iter(planned))
    _expect(seen[first], f"number of epochs of the {first}", 0)


def layers(layers: List) -> None:
    _expect(0 < len(layers) <= MOST_ENTRIES, "number of layers", len(layers))
    for layer in layers:
        types(layer)
        _expect(NAME.fullmatch(layer.name), "name of a layer", layer.name)
        _expect(len(layer.output_shape) in (1, 2, 3)
                and 0 < math.prod(layer.output_shape) <= MOST_VALUES,
                f"shape of {layer.name}", layer.output_shape)
    _expect(sum(layer.parameters for layer in layers), "number of parameters", 0)


def submission(text: bytes, test_rows: int) -> None:
    """Short lines of plain characters, at most twice as many as are due; whether Kaggle takes them
    is for the site to say."""
    lines = text.splitlines()
    _expect(len(lines) <= 2 * (test_rows + 1), "number of lines", len(lines))
    if re.search(rb"[^ -~\r\n]", text) or max(map(len, lines), default=0) > 100:
        raise ValueError("it is no text of short lines")


def preview(arrays: Dict[str, np.ndarray], train_rows: int, test_rows: int) -> None:
    images, judged = (28, 28), len(np.atleast_1d(arrays["validation_rows"]))
    _expect(judged <= MOST_JUDGED, "number of validation rows", judged)
    first, most = len(np.atleast_1d(arrays["first_images"])), train_rows - 1
    _array(arrays, "train_head", (min(5, train_rows), 785), 255)
    _array(arrays, "test_head", (min(5, test_rows), 784), 255)
    _images(arrays, "first_images", (min(64, train_rows), *images))
    _array(arrays, "first_labels", (first,), 9)
    _images(arrays, "class_images", (10, None, *images))
    examples = arrays["class_images"].shape[1]
    _expect(examples <= MOST_EXAMPLES, "number of examples", examples)
    _images(arrays, "class_means", (10, *images))
    _array(arrays, "train_labels", (train_rows,), 9)
    _array(arrays, "validation_rows", (None,), most)
    _images(arrays, "validation_images", (judged, *images))
    _array(arrays, "validation_labels", (judged,), 9)
    _expect(len(set(arrays["validation_rows"].tolist())) == judged < train_rows,
            "number of validation rows", judged)
    if "repeats" in arrays:
        _array(arrays, "pixel_range", (2, 2), 255)
        for name, rows in (("repeats", train_rows), ("leaks", test_rows)):
            _array(arrays, name, (..., 2), max(most, rows - 1))
            _expect(len(arrays[name]) <= rows, f"number of {name}", len(arrays[name]))


def predictions(arrays: Dict[str, np.ndarray], validation_rows: int, test_rows: int) -> None:
    _array(arrays, "validation", (validation_rows, 10), 1.001, "f")
    _array(arrays, "test", (test_rows, 10), 1.001, "f")
    if "map" in arrays:
        _array(arrays, "map", (validation_rows, 2), 1e6, "f", least=-1e6)


def weights(arrays: Dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        _expect(array.dtype.kind == "f" and array.itemsize <= 8 and array.size
                and np.isfinite(array).all(), name, f"{array.dtype} {array.shape} or no number")


def activations(arrays: Dict[str, np.ndarray], shapes: Dict[str, tuple], train_rows: int) -> None:
    """`shapes`: the output shapes of the layers by name."""
    shown = len(np.atleast_1d(arrays["rows"]))
    _expect(0 < shown <= MOST_WATCHED, "number of digits", shown)
    _array(arrays, "rows", (shown,), train_rows - 1)
    _expect(len(set(arrays["rows"].tolist())) == shown, "rows", arrays["rows"])
    _array(arrays, "labels", (shown,), 9)
    _images(arrays, "images", (shown, 28, 28))
    names = [name for name in arrays if name not in ("rows", "labels", "images")]
    _expect(names, "number of layers", 0)
    for name in names:
        _expect(name in shapes, "name of a layer", name)
        _array(arrays, name, (shown, *shapes[name]), math.inf, "f", least=-math.inf)


def _images(arrays: Dict[str, np.ndarray], name: str, shape: tuple) -> None:
    _array(arrays, name, shape, 255)
    _expect(arrays[name].dtype == np.uint8, f"type of {name}", arrays[name].dtype)


def _array(arrays: Dict[str, np.ndarray], name: str, shape: tuple, most: float, kinds: str = "iu",
           least: float = 0) -> None:
    """One array of numbers from `least` to `most`. In its shape None stands for any number but 0,
    ... for any number."""
    array = arrays[name]
    fits = len(array.shape) == len(shape) and all(
        wanted is ... or (size > 0 if wanted is None else size == wanted)
        for size, wanted in zip(array.shape, shape))
    if array.dtype.kind not in kinds or array.itemsize > 8 or not fits:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {shape}")
    # NaN is neither; a float16 cannot be compared with what it cannot hold
    if array.size and not (float(array.min()) >= least and float(array.max()) <= most):
        raise ValueError(f"{name} runs from {array.min()} to {array.max()}, expected {least} to {most}")


def types(record) -> None:
    """The fields of a dataclass, and of those in it, by their annotations."""
    for name, kind in get_type_hints(type(record)).items():
        value = getattr(record, name)
        if is_dataclass(value):
            types(value)
        _expect(_is_of(value, kind), name, value)


def _is_of(value, kind) -> bool:
    outer, inner = get_origin(kind), get_args(kind)
    if outer is Union:  # Optional
        return any(_is_of(value, each) for each in inner)
    if outer is dict:
        return (isinstance(value, dict) and len(value) <= MOST_ENTRIES
                and all(_is_of(part, each) for item in value.items()
                        for part, each in zip(item, inner)))
    if outer is tuple:
        return (isinstance(value, tuple) and len(value) <= MOST_ENTRIES
                and all(_is_of(part, inner[0]) for part in value))
    if isinstance(value, bool):  # which Python takes for a number
        return False
    if kind is str:
        return isinstance(value, str) and value == printable(value)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and 0 <= value <= MOST_NUMBER
    return isinstance(value, kind)


def printable(text: str) -> str:
    """A text without what hides or turns round its neighbours, and no longer than is shown."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd"
                   for sign in text[:MOST_CHARACTERS])


def _expect(holds, name: str, found) -> None:
    if not holds:
        raise ValueError(f"{name} is {str(found)[:60]!r}")
