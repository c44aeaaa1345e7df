"""The data: Kaggle's CSVs, or the bundled sample in their place.

A row is one image of 28 x 28 pixels, 0 (paper) to 255 (ink), line by line; train.csv has the
digit's label before it. Rows are counted from 1 in messages, the header not among them.
"""

import csv
import gzip
import hashlib
import io
import lzma
import os
import re
import zipfile
import zlib
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Iterator

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from digits import ExpectedError
from digits.arrays import write_arrays
from digits.run import DataFacts

DEFAULT_FOLDER = Path("data")
KAGGLE_ZIP = "digit-recognizer.zip"
KAGGLE, SAMPLE = "kaggle", "sample"

LABEL = "label"
PIXELS = [f"pixel{index}" for index in range(28 * 28)]
PIXELS_FROM_1 = [f"pixel{index}" for index in range(1, 28 * 28 + 1)]  # as other sets count them
ROWS_AT_ONCE = 10_000  # a block of int64 before it becomes uint8: 63 MB

# What a file may hold, so that a zip bomb or a file of something else ends in a message while
# there is still memory. Kaggle's have 42,000 rows, 77 MB, and lines of 3,000 bytes.
MAX_ROWS, MAX_BYTES, MAX_LINE = 500_000, 1_000_000_000, 100_000

# How files begin that are packed by gzip, zip (and new spreadsheets), bzip2, xz, zstd, 7z and rar,
# and Parquet and old spreadsheets.
PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf",
          b"Rar!", b"PAR1", b"\xd0\xcf\x11\xe0")

SAMPLE_TEST_ROWS, SAMPLE_SEED = 360, 42


class DataError(ExpectedError):
    """Data that cannot be used; the message names the file, what is wrong, and what to do."""


@dataclass(frozen=True)
class Dataset:
    """All images and labels, uint8.

    train_images (n, 28, 28), train_labels (n,) in 0..9, test_images (m, 28, 28); pixels 0..255.
    `remarks` are lines for people on what was put right in reading.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    facts: DataFacts
    remarks: tuple[str, ...] = ()


def load(location: Path = DEFAULT_FOLDER, explicit: bool = False) -> Dataset:
    """Reads train.csv and test.csv from a folder or a zip file.

    Each may be plain, .gz, .zip, or inside Kaggle's digit-recognizer.zip. A location that holds
    neither is an error if it was asked for (`explicit`), and means the bundled sample if it was
    not. Raises DataError.
    """
    location = Path(location)
    try:
        files = _find_both(location, explicit)
    except OSError as error:
        raise DataError(f"{location}: cannot be read ({error.strerror}); check its permissions") from None
    if not files:
        return _sample()
    (train_file, test_file), remarks = files, []
    train, test = _read(train_file, True, remarks), _read(test_file, False, remarks)
    absent = np.setdiff1d(range(10), train[:, 0])
    if absent.size:
        raise train_file.error(f"no row has the label {absent[0]}",
                               "the network learns all ten digits and needs rows of each")
    return _dataset(train[:, 1:], train[:, 0], test, KAGGLE, train_file.name, test_file.name, tuple(remarks))


def store(dataset: Dataset, runs: Path) -> Path:
    """The file of a dataset's arrays that every member reads: kept once for all runs, under its
    fingerprint. Raises OSError."""
    path = Path(runs) / "datasets" / f"{dataset.facts.fingerprint}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, {"train_images": dataset.train_images, "train_labels": dataset.train_labels,
                            "test_images": dataset.test_images})
    return path


def _dataset(train_pixels, labels, test_pixels, source, train_name, test_name, remarks=()) -> Dataset:
    arrays = [np.ascontiguousarray(array) for array in (
        train_pixels.reshape(-1, 28, 28), labels, test_pixels.reshape(-1, 28, 28))]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    facts = DataFacts(source=source, train_file=train_name, test_file=test_name, train_rows=len(labels),
                      test_rows=len(test_pixels), fingerprint=digest.hexdigest())
    return Dataset(*arrays, facts, remarks)


# Kaggle's CSVs

_GET_THEM = "download both from https://www.kaggle.com/c/digit-recognizer/data"


@dataclass(frozen=True)
class _File:
    """A CSV on disk: `path`, and its name inside if `path` is a zip file."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        return f"{self.path.name}/{self.member}" if self.member else self.path.name

    def read(self) -> bytes:
        """All of it, unpacked, if that is no more than is read. Raises DataError, OSError."""
        with ExitStack() as opened:
            if self.member:
                archive = opened.enter_context(zipfile.ZipFile(self.path))
                size, stream = archive.getinfo(self.member).file_size, archive.open(self.member)
            else:
                size = self.path.stat().st_size
                stream = (gzip.open if self.path.suffix == ".gz" else open)(self.path, "rb")
            opened.enter_context(stream)
            if size > MAX_BYTES:
                raise self.too_large(f"has {size:,} bytes")
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise self.too_large(f"has more than {MAX_BYTES:,} bytes")
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
        if np.diff(ends, prepend=-1, append=len(content)).max() > MAX_LINE:
            raise self.error(f"has a line of more than {MAX_LINE:,} bytes, Kaggle's have 3,000",
                             "save it as CSV with one line for each image")
        return content

    def error(self, what: str, advice: str = _GET_THEM) -> DataError:
        return DataError(f"{self.path.parent / self.name}: {what}; {advice}")

    def too_large(self, what: str) -> DataError:
        return self.error(what, f"at most {MAX_ROWS:,} rows and {MAX_BYTES:,} bytes are read: "
                                "give fewer rows")


def _find_both(location: Path, explicit: bool) -> list[_File]:
    """Both files, or none if that was not asked for. Raises DataError, OSError."""
    if (explicit or os.path.lexists(location)) and not location.exists():
        raise DataError(f"{location}: not found; give the folder that holds train.csv and test.csv")
    found = {name: _find(location, name) for name in ("train.csv", "test.csv")}
    missing, present = [name for name in found if not found[name]], [*filter(None, found.values())]
    if len(missing) == 1:
        raise DataError(f"{location}: {missing[0]} is missing beside {present[0].name}; {_GET_THEM}")
    if missing:
        others = [path.name for path in sorted(location.glob("*"))
                  if path.suffix.lower() in (".csv", ".gz", ".zip")]
        if explicit or others:  # someone who has put files there does not want the sample
            rather = f", but {', '.join(map(repr, others[:3]))[:200]}" if others else ""
            raise DataError(f"{location}: holds neither train.csv nor test.csv (nor either as .gz "
                            f"or .zip, nor {KAGGLE_ZIP} with both){rather}; {_GET_THEM}")
    return present


def _find(location: Path, name: str) -> _File | None:
    if location.is_file():
        if location.suffix != ".zip":
            raise DataError(f"{location}: is a file; give the folder (or Kaggle's {KAGGLE_ZIP}) "
                            f"that holds train.csv and test.csv")
        return _find_in_zip(location, name)
    for path in (location / each for each in (name, f"{name}.gz", f"{name}.zip", KAGGLE_ZIP)):
        if path.is_file():
            return _find_in_zip(path, name) if path.suffix == ".zip" else _File(path)
        if os.path.lexists(path):
            raise _File(path).error("is no file, but a folder, a pipe or a link that leads nowhere",
                                    "put the file in its place")
    return None


def _find_in_zip(path: Path, name: str) -> _File | None:
    archive_file = _File(path)
    with _reading(archive_file), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if not member.endswith("/")]
    for member in members:  # nothing is ever unpacked to disk, but such a file is no honest one
        if PureWindowsPath(member).anchor or ".." in PureWindowsPath(member).parts:
            raise archive_file.error(f"holds {member[:80]!r}, a path that leads out of it")
    found = [member for member in members if PurePosixPath(member).name == name]
    if len(found) > 1:
        raise archive_file.error(f"holds {name} twice, as {found[0][:80]!r} and {found[1][:80]!r}",
                                 "leave one of them")
    return _File(path, found[0]) if found else None


def _read(file: _File, labelled: bool, remarks: list[str]) -> np.ndarray:
    """uint8 (rows, columns): the label first, if it has any, then the pixels. Raises DataError.

    Columns in another order are put in order, which is added to the remarks.
    """
    blocks, rows = [], 0
    with _reading(file):
        stream = io.BytesIO(file.read())
        header, order = _header(file, stream, labelled)
        if order != sorted(order):
            remarks.append(f"{file.path.parent / file.name}: its columns were in another order "
                           f"and have been put in order")
        _check_first_row(file, stream, len(header))
        with pd.read_csv(stream, header=None, names=header, chunksize=ROWS_AT_ONCE,
                         low_memory=False, keep_default_na=False, na_values=[""],
                         encoding_errors="replace") as frames:
            for frame in frames:
                blocks.append(_block(file, frame, header)[:, order])
                rows += len(frame)
                if rows > MAX_ROWS:
                    raise file.too_large(f"has more than {MAX_ROWS:,} rows")
    if not rows:
        raise file.error("has a header and no rows")
    return np.concatenate(blocks)


@contextmanager
def _reading(file: _File) -> Iterator[None]:
    """Says in a DataError which file could not be read."""
    try:
        yield
    except pd.errors.ParserError as error:
        raise file.error(_of_a_row(str(error))) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile,
            ValueError) as error:  # ValueError: names or offsets in a damaged zip
        raise file.error(f"damaged or only half downloaded ({error})", "download it again") from None
    except RuntimeError as error:  # a password, or a compression that Python does not know
        raise file.error(f"cannot be unpacked ({error})",
                         "pack it again as a plain zip without a password") from None
    except MemoryError:
        raise file.error("is too large for this machine's memory", "give fewer rows") from None
    except OSError as error:
        raise file.error(f"cannot be read ({error.strerror or error})",
                         "check its permissions and the disk") from None


def _of_a_row(message: str) -> str:
    """What pandas says of a line, said of a row of ours; it counts from the line after the header."""
    if extra := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message):
        return f"row {extra[2]} has {extra[3]} values, expected {extra[1]}"
    if open_quote := re.search(r"EOF inside string starting at row (\d+)", message):
        return f"row {int(open_quote[1]) + 1} opens a quotation mark that is never closed"
    return f"is no CSV ({message.strip().split('C error: ')[-1]})"


def _header(file: _File, stream: BinaryIO, labelled: bool) -> tuple[list[str], list[int]]:
    """The names of the columns as they stand, and for each column in our order (the label first,
    if there is one) where it stands."""
    line, text = b"\n", ""
    while line and not text:  # blank lines before the header do no harm
        line = stream.readline(MAX_LINE)
        text = line.decode("utf-8-sig", errors="replace").strip()
    if not text:
        raise file.error("is empty")
    if text.startswith("<"):
        raise file.error("is a web page, not a CSV (Kaggle shows one to anyone who is not logged in)")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line[:4]:
        raise file.error("is UTF-16 or UTF-32 text", "save it as CSV in UTF-8")
    if line.startswith(PACKED) or "\ufffd" in text:
        raise file.error("is no text: it is packed, or a spreadsheet, or damaged",
                         "unpack it, or save it as CSV")
    found = [name.strip().strip('"').strip() for name in text.split(",")]
    from_1 = PIXELS_FROM_1[-1] in found and PIXELS[0] not in found
    expected = [LABEL] * labelled + (PIXELS_FROM_1 if from_1 else PIXELS)
    _check_header(file, found, expected, labelled)
    return found, [found.index(name) for name in expected]


def _check_header(file: _File, found: list[str], expected: list[str], labelled: bool) -> None:
    whole = f"the header is {expected[0]} to {expected[-1]}, {len(expected)} columns"
    if labelled != (LABEL in found) and set(found) - {LABEL} == set(expected) - {LABEL}:
        has = "has no column 'label'" if labelled else "has a column 'label'"
        raise file.error(f"{has} ({whole})", "have train.csv and test.csv been exchanged?")
    if len(found) == 1 and (";" in found[0] or "\t" in found[0]):
        raise file.error(f"has no commas between its columns ({whole})", "save it as CSV with commas")
    for column, name in enumerate(found[:len(expected)], start=1):
        again = name in found[:column - 1]
        if again or name not in expected:
            wrong = "for a second time" if again else f"expected {expected[column - 1]!r}"
            raise file.error(f"column {column} of the header is {name[:40]!r}, {wrong} ({whole})")
    if len(found) != len(expected):
        missing = [f" ({name!r} is missing)" for name in expected if name not in found][:1]
        raise file.error(f"the header has {len(found)} columns, expected {len(expected)}{''.join(missing)} "
                         f"({whole})")


def _check_first_row(file: _File, stream: BinaryIO, columns: int) -> None:
    """pandas takes what is too much in the first row for the names of all rows."""
    start, found = stream.tell(), 0
    with suppress(csv.Error):  # a quotation mark that is never closed
        lines = (line.decode("utf-8", "replace") for line in stream if line.strip())
        found = len(next(csv.reader(lines), []))
    stream.seek(start)
    if found > columns:
        raise file.error(f"row 1 has {found} values, expected {columns}")


def _block(file: _File, frame: pd.DataFrame, header: list[str]) -> np.ndarray:
    # As text, because pandas reads True and False as 1 and 0.
    numbers = frame.assign(**{
        name: pd.to_numeric(frame[name].astype(str), errors="coerce")
        for name, kind in frame.dtypes.items() if kind.kind not in "iuf"}).to_numpy(np.float64)
    highest = np.array([9 if name == LABEL else 255 for name in header])
    right = (numbers >= 0) & (numbers <= highest) & (numbers == np.floor(numbers))  # NaN is not
    if not right.all():
        row, column = np.argwhere(~right)[0]
        row_number, empty = frame.index[row] + 1, frame.iloc[row].isna().to_numpy()
        if column and empty[column:].all():
            raise file.error(f"row {row_number} ends after {column} of {len(header)} values: "
                             f"column {header[column]} is empty")
        value = frame.iat[row, column]
        is_found = "is empty" if empty[column] else f"is {str(value)[:40]!r}"
        raise file.error(f"row {row_number}, column {header[column]} {is_found}, "
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
