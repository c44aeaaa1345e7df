"""Templates translated to Python, kept for the next render: to translate them takes a quarter of its time."""

import marshal
import os
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from jinja2 import BytecodeCache

from report.output import sources


class TemplateCache(BytecodeCache):
    """A file for each template in `folder`, as Python keeps its own modules. Jinja2's cache on disk would
    read pickles."""

    def __init__(self, folder: Path):
        self.folder = folder
        # What becomes of a template depends on its text, and on the code that makes the environment.
        self._versions = f"{sys.version} {metadata.version('jinja2')} {sources.fingerprint()}"

    def load_bytecode(self, bucket) -> None:
        with suppress(OSError, EOFError, ValueError, TypeError):  # none, or not whole
            source, code = marshal.loads((self.folder / bucket.key).read_bytes())
            if source == self._source(bucket):
                bucket.code = code

    def dump_bytecode(self, bucket) -> None:
        with suppress(OSError):  # the next render takes a little longer
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / f"{bucket.key}.{os.getpid()}.partial"
            partial.write_bytes(marshal.dumps((self._source(bucket), bucket.code)))
            os.replace(partial, self.folder / bucket.key)  # whole or not at all

    def _source(self, bucket) -> str:
        return f"{bucket.checksum} {self._versions}"
