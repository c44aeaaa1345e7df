"""How good the network is, judged on the validation rows that it had not seen."""

import math
from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np

from digits.run import Run

# The formulas here are a line each. Importing scikit-learn and SciPy for them would take longer
# than all the rest of a render; the tests hold them to what those libraries say.

CLASSES = range(10)
BINS = 10
COVERAGES = (1, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5)
Z95 = 1.959963984540054


@dataclass(frozen=True)
class ClassScore:
    """One class. A score is None where it would divide by nothing."""

    label: int
    support: int
    precision: Optional[float]
    recall: Optional[float]
    f1: Optional[float]


@dataclass(frozen=True)
class Pair:
    """A confusion: `count` digits that are `true` were read as `predicted`."""

    true: int
    predicted: int
    count: int
    anchor: str


@dataclass(frozen=True)
class Bin:
    """The digits read with a probability above `low` and up to `high`, and how many were right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    interval: Tuple[float, float]


@dataclass(frozen=True)
class Coverage:
    """What is left when only the surest `share` of the digits are read."""

    share: float
    read: int
    threshold: float
    errors: int

    @property
    def accuracy(self) -> float:
        return 1 - self.errors / self.read


@dataclass(frozen=True)
class Evaluation:
    """Arrays run along the validation rows; `confusion[true, predicted]` counts them.

    `mistakes` are positions in those arrays, the most confident first.
    """

    rows: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray
    mistakes: np.ndarray
    confusion: np.ndarray
    classes: List[ClassScore]
    pairs: List[Pair]
    interval: Tuple[float, float]

    @property
    def count(self) -> int:
        return len(self.truth)

    @property
    def errors(self) -> int:
        return len(self.mistakes)

    @property
    def accuracy(self) -> float:
        return 1 - self.errors / self.count


def evaluate(run: Run) -> Evaluation:
    """Judge the network as it was after the first fit."""
    truth = run.preview.validation_labels.astype(int)
    probabilities = run.predictions.validation
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    mistakes = wrong[np.argsort(-confidence[wrong], kind="stable")]
    confusion = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(confusion, (truth, predicted), 1)
    return Evaluation(run.preview.validation_rows.astype(int), truth, predicted, confidence,
                      probabilities, mistakes, confusion, _classes(confusion),
                      _pairs(confusion), wilson(len(truth) - len(wrong), len(truth)))


def pair_anchor(true: int, predicted: int) -> str:
    return f"true-{true}-as-{predicted}"


def wilson(right: int, count: int) -> Tuple[float, float]:
    """The 95% interval of Wilson's score for a share."""
    share, square = right / count, Z95 ** 2
    middle = share + square / (2 * count)
    reach = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count ** 2))
    low, high = ((middle + side * reach) / (1 + square / count) for side in (-1, 1))
    return max(low, 0.0), min(high, 1.0)


def reliability(judged: Evaluation) -> Tuple[List[Bin], float]:
    """Bins of like confidence, and the expected calibration error: the mean distance between what
    the network claims and what it reaches, over all digits."""
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    place = np.digitize(judged.confidence, inner, right=True)
    right = judged.predicted == judged.truth
    bins = [Bin(number / BINS, (number + 1) / BINS, int(chosen.sum()),
                float(judged.confidence[chosen].mean()), float(right[chosen].mean()),
                wilson(int(right[chosen].sum()), int(chosen.sum())))
            for number in range(BINS) for chosen in [place == number] if chosen.any()]
    error = sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / judged.count
    return bins, error


def coverage(judged: Evaluation, shares=COVERAGES) -> List[Coverage]:
    """What is left of the mistakes when the least sure digits are left out."""
    surest = np.argsort(-judged.confidence, kind="stable")
    wrong = np.cumsum((judged.predicted != judged.truth)[surest])
    reads = [max(1, round(share * judged.count)) for share in shares]
    return [Coverage(share, read, float(judged.confidence[surest[read - 1]]), int(wrong[read - 1]))
            for share, read in zip(shares, reads)]


def _classes(confusion) -> List[ClassScore]:
    def ratio(part, whole):
        return float(part / whole) if whole else None

    right, meant, claimed = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return [ClassScore(label, int(meant[label]), ratio(right[label], claimed[label]),
                       ratio(right[label], meant[label]),
                       ratio(2 * right[label], claimed[label] + meant[label]))
            for label in CLASSES]


def _pairs(confusion) -> List[Pair]:
    pairs = [Pair(true, predicted, int(confusion[true, predicted]), pair_anchor(true, predicted))
             for true in CLASSES for predicted in CLASSES
             if true != predicted and confusion[true, predicted]]
    return sorted(pairs, key=lambda pair: -pair.count)
