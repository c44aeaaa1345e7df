"""Gathers a site in memory, then puts it in place whole."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from digits.files import locked, read_bytes
from report.errors import ReportError

MARKER = "build.json"


class Bundle:
    """The files of a site, by path. Nothing reaches the disk before `write`."""

    def __init__(self):
        self.files: dict[str, bytes] = {}

    def add(self, path: str, content: bytes | str) -> str:
        """Adds one file and returns its path. Several pages may add the same; none may add another."""
        content = content.encode() if isinstance(content, str) else content
        if self.files.setdefault(path, content) != content:
            raise ReportError(f"{path}: two parts of the site want to write this file.")
        return path

    def write(self, output: Path, made_from: dict[str, str] | None = None) -> None:
        """Replaces the site in `output`, which stays as it was until the new one is whole.

        Files in it that an earlier build did not write, such as a CNAME, are kept. made_from:
        fingerprints by name, kept in the marker.
        """
        output = output.resolve()
        ours = files_of_earlier_build(output)
        hashes = {path: hashlib.sha256(self.files[path]).hexdigest() for path in sorted(self.files)}
        marker = json.dumps({"generator": "plaidml-report", "made_from": made_from or {}, "files": hashes},
                            indent=1).encode() + b"\n"
        lock = beside(output, "lock")
        with locked(output, lock, ReportError, "another build is writing this site; wait for its end, or choose "
                    "another folder with --output.", "--output"):
            partial, previous = beside(output, "partial"), beside(output, "previous")
            for folder in (partial, previous):
                shutil.rmtree(folder, ignore_errors=True)
            try:
                for path, content in {**self.files, MARKER: marker}.items():
                    (partial / path).parent.mkdir(parents=True, exist_ok=True)
                    (partial / path).write_bytes(content)
                if output.exists():
                    _copy_others(output, partial, ours)
                    output.rename(previous)
                partial.rename(output)
            finally:
                put_back(output)
                for folder in (partial, previous):
                    shutil.rmtree(folder, ignore_errors=True)
                lock.unlink(missing_ok=True)


def put_back(output: Path) -> None:
    """Undoes the first of two renames where the second did not happen: a build was stopped there."""
    previous = beside(output.resolve(), "previous")
    if previous.exists() and not output.exists():
        previous.rename(output)


def read_marker(site: Path) -> dict:
    """What the marker of a site says: `made_from` and `files`, texts by name. Raises ReportError."""
    try:
        put_back(site)
        marker = json.loads(read_bytes(site / MARKER))
        if not all(isinstance(text, str) for part in ("made_from", "files") for text in marker[part].values()):
            raise TypeError
        return marker
    except (FileNotFoundError, NotADirectoryError):
        raise ReportError(f"{site}: holds no site yet. Make one with: python -m report build") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReportError(f"{site / MARKER}: damaged, or of an older version. Build the site again "
                          "with: python -m report build") from None


def files_of_earlier_build(output: Path) -> set[str]:
    """The paths that an earlier build wrote. Refuses a folder that no build has made."""
    put_back(output)
    if output.exists() and not output.is_dir():
        raise ReportError(f"{output}: is a file, but the site needs a folder. Choose another with --output.")
    if not output.exists() or not any(output.iterdir()):
        return set()
    try:
        return {MARKER, *read_marker(output)["files"]}
    except (ReportError, OSError):
        raise ReportError(f"{output}: is not empty and holds no site of this program (no valid {MARKER}), so it "
                          "is left alone. Choose another folder with --output.") from None


def beside(output: Path, what: str) -> Path:
    return output.parent / f".{output.name}.{what}"  # of / too, which has no name


def _copy_others(output: Path, partial: Path, ours: set[str]) -> None:
    for path in output.rglob("*"):
        target = partial / path.relative_to(output)
        if (path.is_file() or path.is_symlink()) and not os.path.lexists(target) \
                and path.relative_to(output).as_posix() not in ours:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)  # `check` names links
