"""Fingerprints of what a site is made from, so that one can tell whether it is stale."""

import hashlib
from pathlib import Path
from typing import Iterable

import report
from report.files import content
from report.paths import ASSETS, TEMPLATES


def fingerprint() -> str:
    """Of this package's code, templates and assets."""
    code = Path(report.__file__).parent
    files = [*code.rglob("*.py"), *TEMPLATES.rglob("*"), *ASSETS.rglob("*")]
    return _of(path for path in files if path.is_file() and "__pycache__" not in path.parts)


def of_notes(folder: Path) -> str:
    """Of the user's own texts; the built-in ones are among the templates."""
    return _of(folder.glob("*.md"))


def _of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted({f"{path.parent.name}/{path.name}": path for path in paths}.items()):
        # Git may check texts out with other line ends; that makes no site stale.
        text = content(path).replace(b"\r\n", b"\n")
        digest.update(f"{name} {len(text)}\n".encode() + text)
    return digest.hexdigest()
