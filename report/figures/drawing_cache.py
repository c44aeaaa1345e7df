"""Charts and pictures, each drawn once: drawing takes most of the time of a render.

A drawing is kept under a name made of all that decides how it looks: the code of this folder, the
libraries, and what is drawn. So a change of a template or a note draws nothing anew.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from pathlib import Path

from markupsafe import Markup

from digits.files import atomic_write


class DrawingCache:
    """The drawings of one run, kept in `folder`; without a folder each is drawn when asked for."""

    def __init__(self, folder: Path | None = None, code: Path = Path(__file__).parent):
        self.folder, self.code, self.used = folder, code, set()

    def svg(self, draw: Callable[..., str], *arguments) -> Markup:
        """What `draw` returns as markup for a page."""
        return Markup(self.file(draw, *arguments).decode())

    def file(self, draw: Callable[..., str | bytes], *arguments) -> bytes:
        """What `draw` returns as the bytes of a file."""
        path = self.folder and self.folder / self._name(draw, arguments)
        if path:
            self.used.add(path.name)
            with suppress(OSError):
                return path.read_bytes()
        drawn = draw(*arguments)
        content = drawn.encode() if isinstance(drawn, str) else drawn
        with suppress(OSError):  # the drawing is made; one that is not kept only costs time in the next render
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path, is_lasting=False) as file:
                    file.write(content)
        return content

    def forget_unused(self) -> None:
        """Deletes what this render had no use for."""
        for path in self.folder.glob("*") if self.folder else ():
            if path.name not in self.used:
                path.unlink()

    def _name(self, draw: Callable, arguments: tuple) -> str:
        def of_array(array):
            return [str(array.dtype), array.shape, hashlib.sha256(array.tobytes()).hexdigest()]
        what = json.dumps([draw.__module__, draw.__qualname__, arguments], default=of_array)
        return hashlib.sha256(self._version + what.encode()).hexdigest()

    @cached_property
    def _version(self) -> bytes:
        """All code that draws, for a constant or a helper may stand in another file than its user."""
        versions = [metadata.version(name) for name in ("matplotlib", "numpy", "pillow")]
        sources = [path.read_bytes() for path in sorted(self.code.glob("*.py"))]
        return b"\0".join([*sources, repr((sys.version_info[:2], versions)).encode()])
