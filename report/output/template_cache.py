"""Templates translated to Python, kept for the next render: to translate them takes a quarter of its time."""

import marshal
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from jinja2 import BytecodeCache

from digits.files import atomic_write


class TemplateCache(BytecodeCache):
    """A file for each template in `folder`, as Python keeps its own modules. Jinja2's cache on disk would
    read pickles."""

    def __init__(self, folder: Path, code: str):
        """`code`: a fingerprint of that which makes the environment, for a translation depends on it too."""
        self.folder = folder
        self._versions = f"{sys.version} {metadata.version('jinja2')} {code}"

    def load_bytecode(self, bucket) -> None:
        with suppress(OSError, EOFError, ValueError, TypeError):  # none, or not whole
            source, code = marshal.loads((self.folder / bucket.key).read_bytes())
            if source == self._source(bucket):
                bucket.code = code

    def dump_bytecode(self, bucket) -> None:
        with suppress(OSError):  # the next render takes a little longer
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.folder / bucket.key, is_lasting=False) as file:
                marshal.dump((self._source(bucket), bucket.code), file)

    def _source(self, bucket) -> str:
        return f"{bucket.checksum} {self._versions}"
