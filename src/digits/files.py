"""Files: read only if they are plain ones, replaced whole or not at all; and the lock of a folder."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterator

from filelock import FileLock, Timeout

from digits import ExpectedError

MAX_BYTES = 20_000_000  # of a text


def plain_file(path: Path) -> Path:
    """The path of a plain file, for a link may lead to what is nobody's business, and a pipe or a
    device never ends. Raises ValueError."""
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise ValueError("it is a link, a folder or a device, not a file")
    return path


def read_bytes(path: Path) -> bytes:
    """The content of a plain file. Raises ValueError if it has more than MAX_BYTES, OSError."""
    with open(plain_file(path), "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    return content


@contextmanager
def atomic_write(path: Path, is_lasting: bool = True) -> Iterator[BinaryIO]:
    """Opens a new file beside `path` that takes its place once it is whole, and on the disk unless it can
    be made again."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            if is_lasting:
                os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def locked(place: Path, lock: Path, error: type[ExpectedError], busy: str, option: str,
           timeout: float = 0) -> Iterator[None]:
    """Holds the lock of a folder that is written, which the system takes back however a process ends.

    Raises `error`: `busy` where another process holds it for longer than `timeout` seconds; and where
    something cannot be written, with the option that names another place.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()  # FileLock takes a file that it cannot make for one that another process holds
        with FileLock(lock, timeout=timeout):
            yield
    except Timeout:
        raise error(f"{place}: {busy}") from None
    except OSError as failed:
        raise error(f"{place}: cannot be written ({failed.strerror or failed}); free some space there, or "
                    f"choose another folder with {option}.") from None
