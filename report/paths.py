"""Where the templates and assets are."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _resource(name: str) -> Path:
    # The wheel carries them inside the package; a checkout has them at the top level.
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


TEMPLATES = _resource("templates")
ASSETS = _resource("assets")
BUILT_IN_NOTES = TEMPLATES / "notes"
