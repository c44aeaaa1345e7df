"""How many epochs fit into a time budget, from the speed measured on the device at hand.

`python -m digits.time_budget RECIPE_AS_JSON [DEVICE]` measures, in a process of its own.
"""

import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass

from digits.recipe import Recipe, RecipeError

BATCHES_TIMED = 24
INSPECTION_SECONDS, TSNE_SECONDS_A_ROW, TSNE_ROWS = 3.0, 0.004, 5_000


@dataclass(frozen=True)
class Speed:
    """Seconds: from the start of a process to its first trained batch, and for each batch."""

    start: float
    train: float
    predict: float


@dataclass(frozen=True)
class Plan:
    """Seconds are for one member; `in_turn` is how many members follow each other."""

    epochs: int
    epoch_seconds: float
    other_seconds: float
    in_turn: int

    @property
    def seconds(self) -> float:
        return self.in_turn * (self.epochs * self.epoch_seconds + self.other_seconds)


def plan_epochs(recipe: Recipe, speed: Speed, rows: tuple[int, int, int], members: int, jobs: int) -> Plan:
    """The most epochs that fit into `recipe.time_budget` seconds. rows: of a member's training
    and validation, and of the test set. Raises RecipeError if not even one epoch fits."""
    training, validation, test = (math.ceil(count / recipe.batch_size) for count in rows)
    in_turn = math.ceil(members / jobs)
    epoch = training * speed.train + validation * speed.predict
    views = recipe.test_time_augmentation
    other = (speed.start + views * (validation + test) * speed.predict + INSPECTION_SECONDS
             + TSNE_SECONDS_A_ROW * min(rows[1], TSNE_ROWS)
             + (training * speed.train if recipe.averaged_fraction else 0))
    refit = recipe.refit.epochs / recipe.epochs  # epochs of the refit for each of the fit
    epoch *= 1 + refit
    epochs = int((recipe.time_budget / in_turn - other) / epoch)
    if epochs < 1:
        raise RecipeError(f"the time budget of {recipe.time_budget:.0f} s is too small: one epoch for "
                          f"each of {members} networks takes about {in_turn * (epoch + other):.0f} s; "
                          f"give more time or fewer networks")
    return Plan(epochs, epoch, other, in_turn)


def measure(recipe: Recipe, device: str | None) -> Speed:
    """The speed of a recipe on a device. Raises RecipeError with what went wrong."""
    command = [sys.executable, "-m", "digits.time_budget", recipe.model_dump_json(), *([device] if device else [])]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RecipeError(f"the speed cannot be measured: {last}; train without --time-budget")
    return Speed(**json.loads(done.stdout.splitlines()[-1]))


def main(recipe: Recipe, device: str | None, started: float) -> Speed:
    import plaidkeras
    plaidkeras.install(device)
    import numpy as np

    from digits import networks
    from digits.batches import TrainingBatches

    images = np.random.default_rng(0).integers(0, 256, (recipe.batch_size, 28, 28), np.uint8)
    labels = (np.arange(recipe.batch_size) % 10).astype(np.uint8)
    batches = TrainingBatches(images, labels, np.arange(len(labels)), recipe.batch_size, (0,), recipe.augmentation)
    model = networks.compiled(recipe)
    model.train_on_batch(*batches[0])
    start = time.time() - started

    def median_seconds(step) -> float:
        times = []
        for _ in range(BATCHES_TIMED):
            before = time.perf_counter()
            step()
            times.append(time.perf_counter() - before)
        return sorted(times)[len(times) // 2]

    train = median_seconds(lambda: model.train_on_batch(*batches[0]))
    model.predict_on_batch(batches[0][0])  # compiles
    return Speed(start, train, median_seconds(lambda: model.predict_on_batch(batches[0][0])))


if __name__ == "__main__":
    measured = main(Recipe.model_validate_json(sys.argv[1]), (sys.argv[2:] or [None])[0], time.time())
    print(json.dumps(vars(measured)))
