"""Is one run better than another, or is the difference noise?"""

import math
from dataclasses import dataclass

import numpy as np

from digits.evaluation import Evaluation, evaluate
from digits.run import Run

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class RunSummary:
    """How good the networks of a run are, each by itself, and how long they took.

    `mean` and `spread` (the standard deviation; None of one network) are of the members' accuracies;
    `judged` are the members' mean probabilities. `seconds` is the time of all epochs of all members.
    """

    run: Run
    judged: Evaluation
    accuracies: tuple[float, ...]
    seconds: float
    images_a_second: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def spread(self) -> float | None:
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None


@dataclass(frozen=True)
class Paired:
    """Two runs on the rows that both were judged on: how many only the first, and how many only the
    second got right, and how likely such a difference or a larger one is by chance alone."""

    rows: int
    only_first: int
    only_second: int
    p_value: float

    @property
    def is_noise(self) -> bool:
        return self.p_value >= SIGNIFICANT


def summarise(run: Run) -> RunSummary:
    accuracies = tuple(evaluate(run, [member]).accuracy for member in run.members)
    epochs = [(epoch, member) for member in run.members for epoch in member.history]
    seconds = sum(epoch.seconds for epoch, _ in epochs)
    images = sum(len(member.rows.training if epoch.stage == "fit" else member.rows.refit_training)
                 for epoch, member in epochs)
    return RunSummary(run, evaluate(run), accuracies, seconds, images / seconds)


def compare(first: Evaluation, second: Evaluation) -> Paired | None:
    """McNemar's exact test (1947) of two evaluations of the same data; None without common rows."""
    _, places, others = np.intersect1d(first.rows, second.rows, assume_unique=True, return_indices=True)
    if not len(places):
        return None
    right = (first.predicted == first.truth)[places]
    also = (second.predicted == second.truth)[others]
    only_first, only_second = int(np.sum(right & ~also)), int(np.sum(also & ~right))
    return Paired(len(places), only_first, only_second, mcnemar(only_first, only_second))


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value: the discordant rows are as many tosses of a fair coin."""
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(tosses, heads) for heads in range(fewer + 1))
    return min(1.0, 2 * tail / 2 ** tosses)
