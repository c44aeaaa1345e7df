"""How many epochs, of how many networks, fill a time budget: planned from the speed measured in the first
seconds, and kept to as the training goes on."""

import math
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np

from digits import data
from digits.recipe import Recipe, RecipeError
from digits.run import Member, MemberRows
from digits.splits import MemberPlan

TRAINED, VALIDATED, PREDICTED = 32, 4, 8  # batches that the speed is measured on
TSNE_SECONDS_A_ROW, TSNE_ROWS = 0.004, 5_000
MAX_SEEDS = 100


@dataclass(frozen=True)
class Speed:
    """Seconds: of a batch that is trained or predicted, and of what a network takes besides."""

    train: float
    predict: float
    rest: float


@dataclass(frozen=True)
class Plan:
    """`recipe` has the planned epochs and seeds; `epoch_seconds` has the refit's share in it; `in_turn` is
    how many networks follow one another, `other_seconds` what each takes besides its epochs."""

    recipe: Recipe
    epoch_seconds: float
    other_seconds: float
    in_turn: int

    @property
    def seconds(self) -> float:
        return self.in_turn * (self.recipe.epochs * self.epoch_seconds + self.other_seconds)

    def __str__(self) -> str:
        networks = f", {self.in_turn} networks in turn" if self.in_turn > 1 else ""
        return (f"Plan for {self.recipe.time_budget:.0f} s: {self.recipe.epochs} epochs of {self.epoch_seconds:.1f} s "
                f"and {self.other_seconds:.0f} s for all else{networks}; {self.seconds:.0f} s in all")


def measure(dataset: data.Dataset, recipe: Recipe, plan: MemberPlan, at_once: int, runs: Path,
            train_members: Callable[[Path, Path, Recipe, list[MemberPlan]], None]) -> Speed:
    """The speed at which `train_members` trains `at_once` members: two epochs of a part of the rows."""
    batch, empty = recipe.batch_size, np.empty(0, int)
    kept = [plan.rows.training[:TRAINED * batch], plan.rows.validation[:VALIDATED * batch]]
    places = np.split(np.arange(len(kept[0]) + len(kept[1])), [len(kept[0])])
    part = replace(dataset, test_images=dataset.test_images[:PREDICTED * batch],
                   **{name: getattr(dataset, name)[np.concatenate(kept)] for name in ("train_images", "train_labels")})
    plans = [replace(plan, name=f"network-{number}", rows=MemberRows(*places, empty, empty))
             for number in range(at_once)]
    trained, validated, predicted = (math.ceil(len(each) / batch) for each in (*kept, part.test_images))

    Path(runs).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".speed-", dir=runs) as folder:
        started = time.perf_counter()
        train_members(Path(folder), data.store(part, Path(folder)),
                      recipe.changed({"epochs": 2, "refit": {"epochs": 0}}), plans)
        seconds = time.perf_counter() - started
        members = [Member(Path(folder) / "members" / each.name) for each in plans]
        epoch = statistics.fmean([member.history[-1].seconds for member in members])  # the first compiles
        test = statistics.fmean([member.record.seconds["predict"] for member in members])
    predict = test / (recipe.test_time_augmentation * predicted)
    speed = Speed(max(epoch - validated * predict, epoch / 2) / trained, predict, 0.0)
    known = 2 * epoch + _other_seconds(recipe, speed, trained, validated, predicted, len(kept[1]))
    return replace(speed, rest=max(seconds - known, 0.0))


def plan_training(recipe: Recipe, speed: Speed, rows: tuple[int, int, int], members: int, workers: int,
                  seconds: float) -> Plan:
    """As many epochs of all members as fill `seconds`; and more members, from other seeds, if each of
    them can have all the epochs of the recipe. rows: of a member's training and validation, and of the
    test set. Raises RecipeError if not even one epoch fits."""
    training, validation, test = (math.ceil(count / recipe.batch_size) for count in rows)
    epoch = training * speed.train + validation * speed.predict
    epoch_and_refit = epoch * (1 + recipe.refit.epochs / recipe.epochs)  # which keeps its proportion
    other = _other_seconds(recipe, speed, training, validation, test, rows[1])
    splits, seeds = members // recipe.seeds, recipe.seeds

    def in_turn(seeds: int) -> int:
        return math.ceil(splits * seeds / workers)

    while members >= workers and seeds < MAX_SEEDS \
            and in_turn(seeds + 1) * (recipe.epochs * epoch_and_refit + other) <= seconds:
        seeds += 1
    epochs = int((seconds / in_turn(seeds) - other) / epoch_and_refit)
    if epochs < 1:
        raise RecipeError(f"the time budget of {recipe.time_budget:.0f} s is too small: one epoch for each of "
                          f"{members} networks takes about {in_turn(seeds) * (epoch_and_refit + other):.0f} s; "
                          f"give more time or fewer networks")
    planned = recipe.changed({"epochs": epochs, "seeds": seeds, "epoch_seconds": epoch})
    return Plan(planned, epoch_and_refit, other, in_turn(seeds))


def _other_seconds(recipe: Recipe, speed: Speed, training: int, validation: int, test: int, rows: int) -> float:
    """What a network takes besides its epochs; in batches, and validation rows."""
    return (speed.rest + (training + recipe.test_time_augmentation * (validation + test)) * speed.predict
            + TSNE_SECONDS_A_ROW * min(rows, TSNE_ROWS) + (training * speed.train if recipe.averaged_fraction else 0))
