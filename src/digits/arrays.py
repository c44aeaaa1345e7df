"""Groups of arrays on disk: dataclasses whose fields say, once, of what type and shape each is.

    @dataclass(frozen=True)
    class Predictions:
        rows: np.ndarray = array("n", kind="i", high="train")
        probabilities: np.ndarray = array("n", 10, kind="f", high=1)

A name among the sizes stands for a number that is given, or that the first array with that name
has; only the first size may be 0. npz without pickle: nothing in a file is ever executed.
"""

import math
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from digits.files import atomic_write, plain_file

# Far beyond what training writes: 30 arrays, 12 MB (100 MB for ten times Kaggle's rows).
MAX_ARRAYS, MAX_BYTES = 1_000, 400_000_000


@dataclass(frozen=True)
class Spec:
    """Numbers from `low` to `high` (or below a named size); kind: "i" whole, "u1" uint8, "f" real."""

    shape: tuple
    kind: str
    low: float
    high: float | str


def array(*shape: int | str, kind: str, low: float = 0, high: float | str = math.inf):
    """A field of a group: an array of this shape, each size a number or a name."""
    return field(metadata={"array": Spec(shape, kind, low, high)})


def read_group(group: type, path: Path, sizes: dict[str, int]):
    """The arrays of a file as `group`. Raises ValueError that names what does not fit."""
    return as_group(group, read_arrays(path), dict(sizes))


def as_group(group: type, arrays: dict[str, np.ndarray], sizes: dict[str, int]):
    """Raises ValueError that names what does not fit; adds to `sizes` what the arrays tell."""
    names = [each.name for each in fields(group)]
    if set(arrays) != set(names):
        raise ValueError(f"it holds {', '.join(arrays)[:200]}, expected {', '.join(names)}")
    for each in fields(group):
        if each.metadata:
            check(each.name, arrays[each.name], each.metadata["array"], sizes)
    return group(**arrays)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file, if it is small enough once it is unpacked."""
    with open(plain_file(path), "rb") as opened:
        with zipfile.ZipFile(opened) as archive:
            entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if len(entries) > MAX_ARRAYS or unpacked > MAX_BYTES:
            raise ValueError(f"it has {len(entries)} arrays of {unpacked:,} bytes; at most "
                             f"{MAX_ARRAYS} of {MAX_BYTES:,} are read")
        opened.seek(0)
        with np.load(opened, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


def write_group(path: Path, group) -> None:
    """Replaces the file, whole or not at all."""
    write_arrays(path, {each.name: getattr(group, each.name) for each in fields(group)})


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)


def check(name: str, found: np.ndarray, spec: Spec, sizes: dict[str, int]) -> None:
    """Raises ValueError if an array is not what its spec says; adds to `sizes` what it tells."""
    if len(found.shape) == len(spec.shape):
        for size, wanted in zip(found.shape, spec.shape):
            if isinstance(wanted, str):
                sizes.setdefault(wanted, size)
    shape = tuple(sizes.get(size, size) for size in spec.shape)
    kinds = {"i": "iu", "u1": "u", "f": "f"}[spec.kind]
    if found.shape != shape or 0 in shape[1:] or found.dtype.kind not in kinds or found.itemsize > 8 \
            or spec.kind == "u1" and found.itemsize > 1:
        raise ValueError(f"{name} is {found.dtype} {found.shape}, expected {spec.kind} {shape}")
    high = sizes[spec.high] - 1 if isinstance(spec.high, str) else spec.high
    # NaN is neither; a float16 cannot be compared with what it cannot hold
    if found.size and not (float(found.min()) >= spec.low and float(found.max()) <= high):
        raise ValueError(f"{name} runs from {found.min()} to {found.max()}, expected {spec.low} "
                         f"to {high}")
