"""Compiled programs on disk, for all processes of this user.

They lie in $PLAIDKERAS_CACHE, or else in the user's cache; set to nothing, it keeps none. A file holds
the checksum of what follows, and a program, compressed. Those used last stay, of LIMIT bytes in all.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
import zlib
from pathlib import Path

LIMIT = 512 * 2 ** 20  # bytes
SUFFIX = ".program"


def folder() -> Path | None:
    """Where programs are kept, if they are."""
    chosen = os.environ.get("PLAIDKERAS_CACHE")
    if chosen is not None:
        return Path(chosen) if chosen else None
    caches = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):  # no home
        return Path(caches or Path.home() / ".cache") / "plaidkeras"


def load(key: str) -> bytes | None:
    """The program of a key; None if it is not there, or not whole."""
    try:
        path = _path(key)
        content = path.read_bytes()
        program = zlib.decompress(content[32:])
    except (OSError, zlib.error):
        return None
    if hashlib.sha256(program).digest() != content[:32]:
        return None
    with contextlib.suppress(OSError):  # of others, it may only be read
        os.utime(path)  # it is used
    return program


def store(key: str, program: bytes) -> None:
    """Keep a program, if there is a place for it."""
    with contextlib.suppress(OSError):
        path = _path(key)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial, name = tempfile.mkstemp(prefix=key, suffix=path.suffix + ".partial", dir=path.parent)
        try:
            with os.fdopen(partial, "wb") as file:
                file.write(hashlib.sha256(program).digest() + zlib.compress(program, 1))
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
        _limit(path.parent)


def _path(key: str) -> Path:
    place = folder()
    if place is None or not is_safe(place):
        raise PermissionError("none is kept")
    return place / f"{key}{SUFFIX}"


def is_safe(place: Path) -> bool:
    """Whether nobody but this user, or root, may write there: what is loaded is run."""
    if not place.exists() or not hasattr(os, "getuid"):
        return True
    status = place.stat()
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _limit(place: Path) -> None:
    """Delete what was not used for longest, until the rest is within the limit."""
    found = sorted(((path.stat(), path) for path in place.glob(f"*{SUFFIX}*")), key=lambda one: one[0].st_mtime)
    excess = sum(status.st_size for status, _ in found) - LIMIT
    for status, path in found:
        if excess <= 0:
            break
        path.unlink()
        excess -= status.st_size
