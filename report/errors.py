"""What this package raises on purpose, and how a message is shown."""

import errno

from digits import ExpectedError


class ReportError(ExpectedError):
    """The message stands alone: it names the file, key or device and says what to do next."""


def one_line(text: str, most: int = 2_000) -> str:
    """A text as a terminal may show it: names in it may be a stranger's, and bring control
    characters or be as long as a book. What stands at the end says what to do."""
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1]
                    for character in text)
    return shown if len(shown) <= most else f"{shown[:most - 500]} ... {shown[-490:]}"


def message(error: Exception) -> str:
    """One line for an expected failure: an ExpectedError or an OSError."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}."
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = f"{error.strerror}. Free space where this command writes, or name another folder."
    return f"error: {one_line(text)}"
