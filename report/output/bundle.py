"""Gathers a site in memory, then puts it in place whole."""

import ctypes
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, Optional, Union

from filelock import FileLock, Timeout

from report.errors import ReportError
from report.files import content

MARKER = "build.json"


class Bundle:
    """The files of a site, by path. Nothing reaches the disk before `write`."""

    def __init__(self, made_from: Optional[Dict[str, str]] = None):
        """made_from: fingerprints by name, kept in the marker."""
        self.files: Dict[str, bytes] = {}
        self.made_from = made_from or {}

    def add(self, path: str, content: Union[bytes, str]) -> str:
        """Add one file and return its path; no path may be added twice."""
        # Layer names become file names, and a run may come from a stranger.
        if PurePosixPath(path).is_absolute() or ".." in path.split("/") or "\\" in path:
            raise ReportError(f"{path}: would lie outside the site; nothing was written.")
        if path in self.files:
            raise ReportError(f"{path}: two parts of the site want to write this file.")
        self.files[path] = content.encode() if isinstance(content, str) else content
        return path

    def add_folder(self, folder: Path) -> None:
        """Add what is in `folder` as it is, at the top of the site."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.add(path.relative_to(folder).as_posix(), path.read_bytes())

    def write(self, output: Path) -> None:
        """Replace the site in `output`, which stays as it was until the new one is whole.

        Files in it that an earlier build did not write, such as a CNAME, are kept.
        """
        with _alone(output, "lock", "is writing this site"), _writing(output.resolve()):
            self._write(output.resolve())

    def _write(self, output: Path) -> None:
        partial = output.with_name(f".{output.name}.partial")
        previous = output.with_name(f".{output.name}.previous")
        if previous.exists() and not output.exists():
            previous.rename(output)  # an earlier build was stopped between the two renames below
        ours = files_of_earlier_build(output)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(previous, ignore_errors=True)
        try:
            for path, written in {**self.files, MARKER: self._marker()}.items():
                target = partial / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(written)
            if output.exists():
                _copy_others(output, partial, ours)
            if not (output.exists() and _exchanged(partial, output)):
                if output.exists():
                    output.rename(previous)
                os.replace(partial, output)
            shutil.rmtree(previous, ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # the old site, or part of one

    def _marker(self) -> bytes:
        hashes = {path: hashlib.sha256(self.files[path]).hexdigest() for path in sorted(self.files)}
        marker = {"generator": "plaidml-report", "made_from": self.made_from, "files": hashes}
        return json.dumps(marker, indent=1).encode() + b"\n"


@contextmanager
def only_build(output: Path) -> Iterator[None]:
    """Held from the first to the last of a build. A render may write the site meanwhile."""
    with _alone(output, "building", "of this site is going on"):
        yield


@contextmanager
def _alone(output: Path, name: str, does: str) -> Iterator[None]:
    output = output.resolve()
    files_of_earlier_build(output)  # a foreign folder is refused before anything is made beside it
    file = output.with_name(f".{output.name}.{name}")
    with _writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        file.touch()  # the lock takes a file that it cannot make for one that another build holds
    try:
        with FileLock(file, timeout=0):  # the system takes it back however a process ends
            try:
                yield
            finally:
                file.unlink(missing_ok=True)  # a build that is refused leaves nothing behind
    except Timeout:
        raise ReportError(f"{output}: another build {does}; wait for its end, or choose another "
                          "folder with --output.") from None


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Says which folder could not be written. Drawings of no site go: the disk may be full."""
    try:
        yield
    except OSError as error:
        if not os.path.exists(output):
            shutil.rmtree(output.with_name(f".{output.name}.drawings"), ignore_errors=True)
        raise ReportError(f"{output}: cannot be written ({error.strerror or error}); free some space "
                          "there, or choose another folder with --output.") from None


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, so that there is a site at every moment. Only Linux can."""
    here, exchange = -100, 2  # AT_FDCWD of <fcntl.h>, RENAME_EXCHANGE of <linux/fs.h>
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    return rename is not None and not rename(here, os.fsencode(one), here, os.fsencode(other),
                                             exchange)


def read_marker(site: Path) -> dict:
    """What the marker of a site says: `made_from` and `files`, texts by name. Raises ReportError."""
    try:
        marker = json.loads(content(site / MARKER))
        texts = [*marker["made_from"].values(), *marker["files"].values()]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
        return marker
    except (FileNotFoundError, NotADirectoryError):
        raise ReportError(f"{site}: holds no site yet. Make one with: python -m report build") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReportError(f"{site / MARKER}: damaged, or of an older version. Build the site again "
                          "with: python -m report build") from None


def files_of_earlier_build(output: Path) -> set:
    """The paths that an earlier build wrote. Refuses a folder that no build has made."""
    if not output.exists():
        return set()
    if not output.is_dir():
        raise ReportError(f"{output}: is a file, but the site needs a folder. "
                          "Choose another with --output.")
    try:
        return {MARKER, *read_marker(output)["files"]}
    except (ReportError, OSError):
        if any(output.iterdir()):
            raise ReportError(f"{output}: is not empty and holds no site of this program (no valid "
                              f"{MARKER}), so it is left alone. Choose another folder with "
                              "--output.") from None
        return set()


def _copy_others(output: Path, partial: Path, ours: set) -> None:
    for path in output.rglob("*"):
        relative = path.relative_to(output)
        if (path.is_file() or path.is_symlink()) and relative.as_posix() not in ours \
                and not (partial / relative).exists():
            (partial / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, partial / relative, follow_symlinks=False)  # `check` names links
