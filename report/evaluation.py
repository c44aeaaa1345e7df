"""How good the network is, judged on the validation rows that it had not seen."""

from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from digits.run import Run

CLASSES = range(10)


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
    confusion = confusion_matrix(truth, predicted, labels=list(CLASSES))
    right = binomtest(len(truth) - len(wrong), len(truth))
    interval = right.proportion_ci(confidence_level=0.95, method="wilson")
    return Evaluation(run.preview.validation_rows.astype(int), truth, predicted, confidence,
                      probabilities, mistakes, confusion, _classes(truth, predicted),
                      _pairs(confusion), (interval.low, interval.high))


def pair_anchor(true: int, predicted: int) -> str:
    return f"true-{true}-as-{predicted}"


def _classes(truth, predicted) -> List[ClassScore]:
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=list(CLASSES), zero_division=0)
    claimed = np.bincount(predicted, minlength=len(CLASSES))
    return [ClassScore(label, int(support[label]),
                       float(precision[label]) if claimed[label] else None,
                       float(recall[label]) if support[label] else None,
                       float(f1[label]) if claimed[label] + support[label] else None)
            for label in CLASSES]


def _pairs(confusion) -> List[Pair]:
    pairs = [Pair(true, predicted, int(confusion[true, predicted]), pair_anchor(true, predicted))
             for true in CLASSES for predicted in CLASSES
             if true != predicted and confusion[true, predicted]]
    return sorted(pairs, key=lambda pair: -pair.count)
