"""Which rows each member of a run learns from and is judged on."""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split

from digits.recipe import Recipe, RecipeError
from digits.run import MemberRows


@dataclass(frozen=True)
class MemberPlan:
    """A member before it is trained: one network from one seed on one set of rows."""

    name: str
    seed: int
    fold: int | None
    rows: MemberRows


def plan_members(labels: np.ndarray, recipe: Recipe) -> list[MemberPlan]:
    """The members of a run, in order: for each split of the rows one for each seed.

    labels: (n,) in 0..9. Raises RecipeError if a split leaves no rows to train on or to judge by.
    """
    plans = []
    for fold, (training, validation) in _splits(labels, recipe):
        rows = MemberRows(training, validation, *_refit_rows(len(labels), recipe))
        for seed in range(recipe.seed, recipe.seed + recipe.seeds):
            name = f"seed-{seed}" if fold is None else f"fold-{fold}"
            plans.append(MemberPlan(name if fold is None or recipe.seeds == 1 else f"{name}-seed-{seed}",
                                    seed, fold, rows))
    return plans


def _splits(labels: np.ndarray, recipe: Recipe) -> list[tuple[int | None, tuple]]:
    count, chosen = len(labels), recipe.validation
    if chosen.folds:
        rarest = np.bincount(labels, minlength=10).min()
        if rarest < chosen.folds:
            raise RecipeError(f"validation.folds is {chosen.folds}, but the rarest digit has only "
                              f"{rarest} rows; expected at most that many folds")
        folds = StratifiedKFold(chosen.folds, shuffle=True, random_state=chosen.seed)
        return list(enumerate(folds.split(np.empty((count, 0)), labels), start=1))
    _rows_left(count, chosen.fraction, "validation.fraction")
    return [(None, train_test_split(np.arange(count), test_size=chosen.fraction, random_state=chosen.seed))]


def _refit_rows(count: int, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Keras's validation_split keeps the last rows of the file to validate on."""
    if not recipe.refit.epochs:
        return np.empty(0, int), np.empty(0, int)
    training = _rows_left(count, recipe.refit.validation_fraction, "refit.validation_fraction")
    return np.arange(training), np.arange(training, count)


def _rows_left(count: int, fraction: float, key: str) -> int:
    training = int(count * (1 - fraction))
    if training < 1:
        raise RecipeError(f"{key} is {fraction!r}, which leaves none of {count} rows to train on; expected a "
                          "smaller one")
    return training
