"""The recipe: every number that decides what a training run does."""

import math
from dataclasses import dataclass, replace


MOST_EPOCHS = 100_000  # years


class RecipeError(ValueError):
    """A number in the recipe that cannot be trained with; the message names it and its range."""


@dataclass(frozen=True)
class Recipe:
    """How the network is trained. The defaults are the notebook's. Raises RecipeError.

    The network is first fitted on `1 - validation_fraction` of the labelled rows and judged on
    the rest, which it has never seen; then the same weights are refitted on all labelled rows.
    `refit_epochs = 0` leaves the second step out.
    """

    epochs: int = 20
    refit_epochs: int = 10
    batch_size: int = 128
    validation_fraction: float = 0.10
    refit_validation_fraction: float = 0.20
    seed: int = 333
    split_seed: int = 42

    def __post_init__(self):
        def expect(name, holds, expected):
            if not holds:
                raise RecipeError(f"{name} is {shown(getattr(self, name))}; expected {expected}")

        expect("epochs", 1 <= self.epochs <= MOST_EPOCHS, f"1 to {MOST_EPOCHS}")
        expect("refit_epochs", 0 <= self.refit_epochs <= MOST_EPOCHS, f"0 to {MOST_EPOCHS}")
        # PlaidML 0.7 can corrupt its memory on batch sizes that are not multiples of 8.
        expect("batch_size", self.batch_size in range(8, 1025, 8), "a multiple of 8 from 8 to 1024")
        for name in ("validation_fraction", "refit_validation_fraction"):
            expect(name, 0 < getattr(self, name) < 1, "a fraction between 0 and 1")
        for name in ("seed", "split_seed"):
            expect(name, 0 <= getattr(self, name) < 2 ** 32, "a number from 0 to 4294967295")

    def changed(self, **changes) -> "Recipe":
        """This recipe with other numbers. Where only `epochs` is given, the refit keeps its
        proportion to the fit: a quick look at the whole is quick. Raises RecipeError."""
        changed = replace(self, **changes)
        if "epochs" in changes and "refit_epochs" not in changes:
            return replace(changed, refit_epochs=math.ceil(
                changed.epochs * self.refit_epochs / self.epochs))
        return changed


def shown(value) -> str:
    """A value for a message: short, whatever it is."""
    try:
        return str(value)[:40]
    except (ValueError, RecursionError):  # of integers Python writes no more than 4,300 digits
        return "a value too long to show"


# The bundled sample is small: fewer epochs of smaller batches show the same picture in minutes,
# and a larger share to judge by shows a mistake or two.
SAMPLE_RECIPE = Recipe(epochs=8, refit_epochs=2, batch_size=64, validation_fraction=0.25)
