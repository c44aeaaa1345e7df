"""Fingerprints of what a site is made from, so that one can tell whether it is stale."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import report
from digits import comparison, evaluation, recipe, recipes
from report.paths import ASSETS, TEMPLATES
from report.settings import SiteSettings


def fingerprints(notes: Path, settings: SiteSettings) -> dict[str, str]:
    """Of all that a site is made from besides its run; the built-in notes are among the sources."""
    return {"sources": fingerprint(), "notes": _of(notes.glob("*.md")),
            "settings": hashlib.sha256(settings.model_dump_json().encode()).hexdigest()}


def fingerprint() -> str:
    """Of the code that renders and evaluates, the templates and the assets."""
    learned = (Path(module.__file__) for module in (comparison, evaluation, recipe, recipes))
    files = [*Path(report.__file__).parent.rglob("*.py"), *learned, *TEMPLATES.rglob("*"), *ASSETS.rglob("*")]
    return _of(path for path in files if path.is_file())


def _of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted({f"{path.parent.name}/{path.name}": path for path in paths}.items()):
        # Git may check texts out with other line ends; that makes no site stale.
        text = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name} {len(text)}\n".encode() + text)
    return digest.hexdigest()
