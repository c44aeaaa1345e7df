"""Charts and pictures, each drawn once: drawing takes most of the time of a render.

A drawing is kept under a name made of all that decides how it looks: the code of this folder, the
libraries, and what is drawn. So a change of a template or a note draws nothing anew.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np
from markupsafe import Markup


class DrawingCache:
    """The drawings of one run, kept in `folder`; without a folder each is drawn when asked for."""

    def __init__(self, folder: Path | None = None, code: Path = Path(__file__).parent):
        self.folder, self.code, self.used = folder, code, set()

    def svg(self, draw: Callable[..., str], *arguments) -> Markup:
        """What `draw` returns as markup for a page."""
        return Markup(self._drawn(lambda: draw(*arguments).encode(), draw, arguments).decode())

    def png(self, draw: Callable[..., bytes], *arguments) -> bytes:
        """What `draw` returns as the bytes of a file."""
        return self._drawn(lambda: draw(*arguments), draw, arguments)

    def forget_unused(self) -> None:
        """Deletes what this render had no use for."""
        if self.folder and self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name not in self.used:
                    path.unlink()

    def _drawn(self, drawing: Callable[[], bytes], draw: Callable, arguments: tuple) -> bytes:
        if self.folder is None:
            return drawing()
        name = self._name(draw, arguments)
        self.used.add(name)
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError:
            content = drawing()
            _keep(path, content)
            return content

    def _name(self, draw: Callable, arguments: tuple) -> str:
        digest = hashlib.sha256(self._version + f"{draw.__module__}.{draw.__qualname__}".encode())
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                digest.update(f"{argument.dtype}{argument.shape}".encode())
                digest.update(np.ascontiguousarray(argument).tobytes())
            else:
                digest.update(repr(argument).encode())
        return digest.hexdigest()

    @cached_property
    def _version(self) -> bytes:
        """All code that draws, for a constant or a helper may stand in another file than its user."""
        versions = [metadata.version(name) for name in ("matplotlib", "numpy", "pillow")]
        sources = [path.read_bytes() for path in sorted(self.code.glob("*.py"))]
        return b"\0".join([*sources, repr((sys.version_info[:2], versions)).encode()])


def _keep(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(content)
        os.replace(partial, path)  # whole or not at all
    except OSError:
        pass  # kept or not, the drawing is made: what is lost is time in the next render
