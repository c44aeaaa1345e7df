"""The data: Kaggle's CSVs, or the bundled sample in their place.

A row is one image of 28 x 28 pixels, 0 (paper) to 255 (ink), line by line; train.csv has the
digit's label before it. Rows are counted from 1 in messages, the header not among them.
"""

import gzip
import hashlib
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Iterator, List, Optional, Tuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from digits.recipe import Recipe
from digits.run import DataFacts

DEFAULT_FOLDER = Path("data")
KAGGLE_ZIP = "digit-recognizer.zip"
KAGGLE, SAMPLE = "kaggle", "sample"

PIXELS = [f"pixel{index}" for index in range(28 * 28)]
TRAIN_HEADER, TEST_HEADER = ["label"] + PIXELS, PIXELS
ROWS_AT_ONCE = 10_000  # a block of int64 before it becomes uint8: 63 MB

SAMPLE_TEST_ROWS, SAMPLE_SEED = 360, 42


class DataError(Exception):
    """Data that cannot be used; the message names the file, what is wrong, and what to do."""


@dataclass(frozen=True)
class Dataset:
    """All images and labels, uint8.

    train_images (n, 28, 28), train_labels (n,) in 0..9, test_images (m, 28, 28); pixels 0..255.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    facts: DataFacts


def load(location: Path = DEFAULT_FOLDER, explicit: bool = False) -> Dataset:
    """Reads train.csv and test.csv from a folder or a zip file.

    Each may be plain, .gz, .zip, or inside Kaggle's digit-recognizer.zip. A location that holds
    neither is an error if it was asked for (`explicit`), and means the bundled sample if it was
    not. Raises DataError.
    """
    location = Path(location)
    if explicit and not location.exists():
        raise DataError(f"{location}: not found; give the folder that holds train.csv and test.csv")
    train_file, test_file = _find(location, "train.csv"), _find(location, "test.csv")
    if train_file is None and test_file is None:
        if explicit:
            raise DataError(f"{location}: holds neither train.csv nor test.csv (nor either as .gz "
                            f"or .zip, nor {KAGGLE_ZIP}); {_GET_THEM}")
        return _sample()
    if train_file is None or test_file is None:
        missing = "train.csv" if train_file is None else "test.csv"
        raise DataError(f"{location}: {missing} is missing beside "
                        f"{(train_file or test_file).name}; {_GET_THEM}")

    train, test = _read(train_file, TRAIN_HEADER), _read(test_file, TEST_HEADER)
    labels = train[:, 0].copy()
    absent = sorted(set(range(10)) - set(labels.tolist()))
    if absent:
        raise train_file.error(f"no row has the label {absent[0]}",
                               "the network learns all ten digits and needs rows of each")
    return _dataset(train[:, 1:], labels, test, KAGGLE, train_file.name, test_file.name)


def split(labels: np.ndarray, recipe: Recipe) -> Tuple[np.ndarray, np.ndarray]:
    """The row numbers to train on and to validate on, in the order in which scikit-learn
    shuffles them: int (n_train,), int (n_validation,)."""
    return tuple(train_test_split(np.arange(len(labels)), test_size=recipe.validation_fraction,
                                  random_state=recipe.split_seed))


def _dataset(train_pixels, labels, test_pixels, source, train_name, test_name) -> Dataset:
    train_images = np.ascontiguousarray(train_pixels).reshape(-1, 28, 28)
    test_images = np.ascontiguousarray(test_pixels).reshape(-1, 28, 28)
    arrays = train_images, labels, test_images
    return Dataset(*arrays, DataFacts(source, train_name, test_name, len(train_images),
                                      len(test_images), _fingerprint(*arrays)))


def _fingerprint(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


# Kaggle's CSVs

_GET_THEM = "download both from https://www.kaggle.com/c/digit-recognizer/data"


@dataclass(frozen=True)
class _File:
    """A CSV on disk: `path`, and its name inside if `path` is a zip file."""

    path: Path
    member: Optional[str] = None

    @property
    def name(self) -> str:
        return f"{self.path.name}/{self.member}" if self.member else self.path.name

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        if self.member:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                yield file
        else:
            opener = gzip.open if self.path.suffix == ".gz" else open
            with opener(self.path, "rb") as file:
                yield file

    def error(self, what: str, advice: str = _GET_THEM) -> DataError:
        return DataError(f"{self.path.parent / self.name}: {what}; {advice}")


def _find(location: Path, name: str) -> Optional[_File]:
    if location.is_file():
        if location.suffix != ".zip":
            raise DataError(f"{location}: is a file; give the folder (or Kaggle's {KAGGLE_ZIP}) "
                            f"that holds train.csv and test.csv")
        return _find_in_zip(location, name)
    for path in (location / name, location / f"{name}.gz"):
        if path.is_file():
            return _File(path)
    for path in (location / f"{name}.zip", location / KAGGLE_ZIP):
        if path.is_file():
            return _find_in_zip(path, name)
    return None


def _find_in_zip(path: Path, name: str) -> Optional[_File]:
    with _reading(_File(path)), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if Path(member).name == name]
    return _File(path, members[0]) if members else None


def _read(file: _File, header: List[str]) -> np.ndarray:
    """uint8 (rows, columns). Raises DataError."""
    with _reading(file), file.open() as stream:
        _check_header(file, stream, header)
        stream.seek(0)
        with pd.read_csv(stream, chunksize=ROWS_AT_ONCE, low_memory=False,
                         encoding_errors="replace") as frames:
            blocks = [_block(file, frame, header) for frame in frames]
    rows = np.concatenate(blocks) if blocks else ()
    if not len(rows):
        raise file.error("has a header and no rows")
    return rows


@contextmanager
def _reading(file: _File) -> Iterator[None]:
    """Says in a DataError which file could not be read."""
    try:
        yield
    except pd.errors.ParserError as error:  # "... C error: Expected 785 fields in line 3, saw 786"
        raise file.error(str(error).strip().split("C error: ")[-1]) from None
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise file.error(f"damaged or only half downloaded ({error})",
                         "download it again") from None
    except OSError as error:
        raise file.error(f"cannot be read ({error.strerror})", "check its permissions") from None


def _check_header(file: _File, stream: BinaryIO, header: List[str]) -> None:
    line = stream.readline(100_000).decode("utf-8-sig", errors="replace").strip()
    if not line:
        raise file.error("is empty")
    if line.startswith("<"):
        raise file.error("is a web page, not a CSV (Kaggle shows one to who is not logged in)")
    found = [name.strip().strip('"') for name in line.split(",")]
    whole = f"the header is {header[0]} to {header[-1]}, {len(header)} columns"
    for column, (expected, name) in enumerate(zip(header, found), start=1):
        if name != expected:
            raise file.error(f"column {column} of the header is {name[:40]!r}, "
                             f"expected {expected!r} ({whole})")
    if len(found) != len(header):
        raise file.error(f"the header has {len(found)} columns, expected {len(header)} ({whole})")


def _block(file: _File, frame: pd.DataFrame, header: List[str]) -> np.ndarray:
    # pandas takes what is too much in the first row for the names of the rows.
    if len(frame) and not isinstance(frame.index, pd.RangeIndex):
        raise file.error(f"row 1 has more values than the {len(header)} columns of the header")
    numbers = frame.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    highest = np.array([9 if name == "label" else 255 for name in header])
    right = (numbers >= 0) & (numbers <= highest) & (numbers == np.floor(numbers))  # NaN is not
    if not right.all():
        row, column = np.argwhere(~right)[0]
        value = frame.iat[row, column]
        found = "is empty" if pd.isna(value) else f"is {str(value)[:40]!r}"
        raise file.error(f"row {frame.index[row] + 1}, column {header[column]} {found}, "
                         f"expected a whole number from 0 to {highest[column]}")
    return numbers.astype(np.uint8)


# The bundled sample

def _sample() -> Dataset:
    """scikit-learn's 1,797 digits (8 x 8, 0..16), drawn as MNIST's are: 20 x 20 in a frame."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    small = load_digits()
    framed = np.pad(small.images * (255 / 16), ((0, 0), (2, 2), (2, 2)))             # 12 x 12
    large = zoom(framed, (1, 2.5, 2.5), order=3, mode="nearest", grid_mode=True)     # 30 x 30
    images = large[:, 1:-1, 1:-1].round().clip(0, 255).astype(np.uint8)              # 28 x 28
    train_images, test_images, labels, _ = train_test_split(
        images, small.target.astype(np.uint8), test_size=SAMPLE_TEST_ROWS,
        random_state=SAMPLE_SEED)
    return _dataset(train_images, labels, test_images, SAMPLE,
                    "sklearn.datasets.load_digits", "sklearn.datasets.load_digits")
