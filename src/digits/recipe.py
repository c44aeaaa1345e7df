"""A recipe: every number that decides what a training run does. `recipes.py` has those with names.

Each part is a frozen record whose fields can be set in report.toml, under [recipe].
"""

import math
import statistics
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from digits import ExpectedError
from digits.records import Fraction, Name, Record, Seed, explain_tables

MAX_EPOCHS = 100_000  # years


class RecipeError(ExpectedError):
    """A recipe that cannot be trained with; the message names the key and what it may be."""


class Optimizer(Record):
    """Which optimizer, and its learning rate at the peak of the schedule.

    "adadelta" is Keras's (Zeiler 2012); "adamw" is Adam with decoupled weight decay (Loshchilov and
    Hutter 2019): after each step a kernel shrinks by learning rate x `weight_decay`.
    """

    name: Literal["adadelta", "adamw"] = "adadelta"
    learning_rate: Annotated[float, Field(gt=0, le=100)] = 1.0
    weight_decay: Fraction = 0.0


class Schedule(Record):
    """How the learning rate changes from batch to batch.

    "one-cycle" (Smith 2018) rises in a line over the first `warmup` of all batches, then falls to
    zero along half a cosine.
    """

    name: Literal["constant", "one-cycle"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.15


class Augmentation(Record):
    """How far the images of a batch are varied, anew in each epoch. All zero: not at all.

    `rotation` in degrees, `zoom` and `shift` as parts of the size, each drawn up to that much either
    way; `elastic` is the standard deviation, in pixels, by which places are displaced smoothly.
    """

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    shift: Fraction = 0.0
    elastic: Annotated[float, Field(ge=0, le=10)] = 0.0

    @property
    def is_used(self) -> bool:
        return any((self.rotation, self.zoom, self.shift, self.elastic))


def _no_single_fold(folds: int) -> int:
    if folds == 1:
        raise ValueError("expected 0 (a hold-out) or at least 2 folds")
    return folds


class Validation(Record):
    """Which rows judge: a random `fraction` held out, or, with `folds`, each row once.

    Folds are stratified: each has every digit in proportion.
    """

    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.10
    folds: Annotated[int, Field(ge=0, le=100), AfterValidator(_no_single_fold)] = 0
    seed: Seed = 42


class Refit(Record):
    """The notebook's second fit: the same weights go on with the first rows of the whole file.

    Keras's `validation_split` keeps the last `validation_fraction` of the rows to validate on,
    most of which the first fit has learned from. `epochs = 0` leaves the refit out.
    """

    epochs: Annotated[int, Field(ge=0, le=MAX_EPOCHS)] = 0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.20


class Recipe(Record):
    """How networks are trained and judged, and what is submitted.

    A network is trained from each of `seeds` seeds, counted up from `seed`, on each split of the
    rows; the mean of their probabilities is submitted. `averaged_fraction` of the epochs, the
    last ones, have their weights averaged, and the batch statistics computed anew for the
    average. `test_time_augmentation` averages predictions over that many views of an image.
    `time_budget` in seconds: epochs and seeds were planned to fill it, an epoch to take
    `epoch_seconds`; their number then follows the time that they take.
    """

    name: Name
    network: Literal["notebook", "compact"] = "notebook"
    epochs: Annotated[int, Field(ge=1, le=MAX_EPOCHS)] = 20
    # PlaidML 0.7 can corrupt its memory on batch sizes that are not multiples of 8.
    batch_size: Annotated[int, Field(ge=8, le=1024, multiple_of=8)] = 128
    seed: Seed = 333
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    validation: Validation = Validation()
    refit: Refit = Refit()
    averaged_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    test_time_augmentation: Annotated[int, Field(ge=1, le=9)] = 1
    time_budget: Annotated[float, Field(ge=0, le=10 ** 7)] = 0.0
    epoch_seconds: Annotated[float, Field(ge=0, le=10 ** 7)] = 0.0

    def averaged_epochs(self, epochs: int) -> int:
        """How many at the end of a fit of so many epochs have their weights averaged; 0 for none."""
        return math.ceil(epochs * self.averaged_fraction)

    def planned_epochs(self, epochs: int, done: list[float]) -> int:
        """How many epochs a stage has, planned to have `epochs`, after those that took `done` seconds.

        With a time budget the number follows the speed, which changes where others use the machine
        too, until the average of the weights begins. The first epoch does not count: it compiles.
        """
        planned = epochs
        for count in range(2, len(done) + 1 if self.epoch_seconds else 0):
            if count > planned - self.averaged_epochs(planned):
                break
            left = (epochs - 1) * self.epoch_seconds - sum(done[1:count])
            planned = count + max(0, round(left / statistics.fmean(done[1:count][-5:])))
        return planned

    def changed(self, changes: dict) -> "Recipe":
        """This recipe with other numbers, nested as in report.toml. Raises RecipeError.

        Where only `epochs` is given, the refit keeps its proportion to the fit: a quick look at
        the whole is quick.
        """
        try:
            recipe = Recipe.model_validate(merged(self.model_dump(), changes))
        except ValidationError as error:
            raise RecipeError(explain_tables(error, Recipe, "recipe")) from None
        if "epochs" in changes and self.refit.epochs and "epochs" not in changes.get("refit", {}):
            return recipe.changed({"refit": {
                "epochs": math.ceil(recipe.epochs * self.refit.epochs / self.epochs)}})
        return recipe


def merged(base: dict, changes: dict) -> dict:
    """`base` with the values of `changes`, table by table."""
    return {**base, **{key: merged(base[key], value)
                       if isinstance(value, dict) and isinstance(base.get(key), dict) else value
                       for key, value in changes.items()}}
