"""Errors that are messages for people: they name the file, key or device and say what to do."""


class ReportError(Exception):
    """The root of what this package raises on purpose. The message stands alone."""


def errors_for_people() -> tuple:
    """The error classes of others whose messages can be read without a traceback.

    A function, so that the command line loads `digits` only once something has gone wrong.
    """
    from digits.data import DataError
    from digits.launch import TrainingError
    from digits.recipe import RecipeError
    from digits.run import RunError
    return DataError, RecipeError, RunError, TrainingError, OSError


def one_line(text: str, most: int = 2_000) -> str:
    """A text as a terminal may show it: names in it may be a stranger's, and bring control
    characters or be as long as a book. What stands at the end says what to do."""
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1]
                    for character in text)
    return shown if len(shown) <= most else f"{shown[:most - 500]} ... {shown[-490:]}"


def did_you_mean(word: str, known) -> str:
    """" Did you mean 'epochs'?" where a known word is close, else a list of the known ones."""
    from difflib import get_close_matches
    close = get_close_matches(word, known, n=1)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known are: {', '.join(known)}."
