"""The recipe: every number that decides what a training run does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How the network is trained. The defaults are the notebook's.

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


# The bundled sample is small: fewer epochs of smaller batches show the same picture in a minute.
SAMPLE_RECIPE = Recipe(epochs=8, refit_epochs=2, batch_size=64)
