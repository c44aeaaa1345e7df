"""Files that people bring: read only if they are files, and only as far as one of them goes."""

import errno
from pathlib import Path

MOST_BYTES = 20_000_000  # of a text; images and archives are not read here


def content(path: Path) -> bytes:
    """The bytes of a file. Raises OSError on what is none, such as a pipe, which never ends."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is a folder, a pipe or a device, not a file", str(path))
    with open(path, "rb") as file:
        found = file.read(MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"has more than {MOST_BYTES:,} bytes", str(path))
    return found
