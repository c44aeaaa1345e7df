"""Where the templates and assets are."""

from pathlib import Path


def _resource(name: str) -> Path:
    # The wheel carries them inside the package; a checkout has them at the top level.
    inside = Path(__file__).resolve().parent / name
    return inside if inside.is_dir() else inside.parents[1] / name


TEMPLATES = _resource("templates")
ASSETS = _resource("assets")
BUILT_IN_NOTES = TEMPLATES / "notes"
