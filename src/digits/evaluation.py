"""How good a run is: judged on rows that the judged networks had not seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from digits.run import CLASSES, Member, Run

# The formulas here are short. Importing scikit-learn and SciPy for them would take longer
# than all the rest of a render; the tests hold them to what those libraries say.

BINS = 10
COVERAGES = (1, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5)
Z95, Z95_ONE_SIDED = 1.959963984540054, 1.6448536269514722


@dataclass(frozen=True)
class ClassScore:
    """One class. A score is None where it would divide by nothing."""

    label: int
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Confusion:
    """`count` digits whose true label is `true` were predicted to be `predicted`."""

    true: int
    predicted: int
    count: int


@dataclass(frozen=True)
class Bin:
    """The digits with a confidence, or another measure, from `low` to `high`: their mean confidence, and how
    many were right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Coverage:
    """What is left when only the most confident `share` of the digits are classified."""

    share: float
    classified: int
    threshold: float
    errors: int

    @property
    def accuracy(self) -> float:
        return 1 - self.errors / self.classified


@dataclass(frozen=True)
class Evaluation:
    """Arrays run along the judged rows, in the order of train.csv; `confusion[true, predicted]`
    counts them. `misclassified` are positions in those arrays, the most confident first."""

    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        return self.probabilities.max(axis=1)

    @cached_property
    def misclassified(self) -> np.ndarray:
        wrong = np.flatnonzero(self.predicted != self.truth)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    @cached_property
    def confusion(self) -> np.ndarray:
        pairs = len(CLASSES) * self.truth + self.predicted
        return np.bincount(pairs, minlength=len(CLASSES) ** 2).reshape(len(CLASSES), len(CLASSES))

    @property
    def count(self) -> int:
        return len(self.truth)

    @property
    def errors(self) -> int:
        return len(self.misclassified)

    @property
    def accuracy(self) -> float:
        return 1 - self.errors / self.count

    @property
    def hardest(self) -> list[ClassScore]:
        """The classes that share the lowest recall."""
        judged = [score for score in self.classes if score.recall is not None]
        lowest = min(score.recall for score in judged)
        return [score for score in judged if score.recall == lowest]

    @property
    def losses(self) -> np.ndarray:
        """Cross-entropy of each row (natural logarithm); probabilities are kept 1e-7 away from 0."""
        return -np.log(self.probabilities[np.arange(self.count), self.truth].clip(1e-7))

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson(self.count - self.errors, self.count)

    def interval_of_score(self, test_rows: int) -> tuple[float, float]:
        """Where 95 of 100 scores on `test_rows` other rows fall: there chance plays a second time."""
        return predictive(self.count - self.errors, self.count, test_rows)

    @cached_property
    def classes(self) -> list[ClassScore]:
        def ratio(part, whole):
            return float(part / whole) if whole else None

        table = self.confusion
        return [ClassScore(label, int(true), ratio(right, predicted), ratio(right, true),
                           ratio(2 * right, predicted + true))
                for label, right, true, predicted in zip(
                    CLASSES, table.diagonal(), table.sum(axis=1), table.sum(axis=0))]

    @cached_property
    def confusions(self) -> list[Confusion]:
        """What was confused with what, the most frequent first."""
        found = [Confusion(true, predicted, int(count))
                 for (true, predicted), count in np.ndenumerate(self.confusion) if true != predicted and count]
        return sorted(found, key=lambda each: -each.count)


def evaluate(run: Run, members: Sequence[Member] = ()) -> Evaluation:
    """Each validation row by the mean probabilities of the members, all or these, that did not learn
    from it, as they were after the fit."""
    return _evaluation(run, [(member.predictions.validation_rows, member.predictions.validation)
                             for member in members or run.members])


@dataclass(frozen=True)
class Promise:
    """What is known of the submission's score.

    `kind` says how the networks that were judged relate to what was submitted:
    "same": the judged procedure made the submission;
    "folds": each row was judged by the members that had not learned from it, and the mean of all
    members was submitted, which is as good or better: the figure is a lower bound;
    "refit": the networks were trained on after they were judged. `after` then judges them as they
    were submitted on the rows that neither fit learned from, `before` the same rows before the
    refit; both are None if there are no such rows.
    """

    kind: str
    judged: Evaluation
    before: Evaluation | None = None
    after: Evaluation | None = None

    @property
    def expected(self) -> Evaluation:
        """What comes nearest to the submission's score."""
        return self.after or self.judged

    @property
    def refit_made_it_worse(self) -> bool:
        """Whether the loss on rows that neither fit learned from rose during the refit, and with it the number
        of errors; or else by more than chance explains 95 times in 100."""
        if self.after is None or self.after.loss <= self.before.loss:
            return False
        rises = self.after.losses - self.before.losses
        by_chance = Z95_ONE_SIDED * rises.std() / math.sqrt(len(rises))
        return self.after.errors > self.before.errors or bool(rises.mean() > by_chance)


def promise(run: Run, judged: Evaluation) -> Promise:
    recipe, predictions = run.record.recipe, [member.predictions for member in run.members]
    if recipe.refit.epochs:
        after = _evaluation(run, [(each.submitted_rows, each.submitted) for each in predictions])
        before = _evaluation(run, [
            (each.validation_rows[seen], each.validation[seen]) for each in predictions
            for seen in [np.isin(each.validation_rows, each.submitted_rows)]])
        return Promise("refit", judged, before, after) if after.count else Promise("refit", judged)
    return Promise("folds" if recipe.validation.folds else "same", judged)


def submitted_probabilities(run: Run) -> np.ndarray:
    """(m, 10): the mean over the members, in the order of the test rows."""
    return np.mean([member.predictions.test for member in run.members], axis=0, dtype=np.float64)


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of Wilson's score for a share."""
    share, square = right / count, Z95 ** 2
    middle = share + square / (2 * count)
    reach = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count ** 2))
    low, high = ((middle + side * reach) / (1 + square / count) for side in (-1, 1))
    return max(low, 0.0), min(high, 1.0)


def predictive(right: int, count: int, others: int) -> tuple[float, float]:
    """The central 95 % of the shares that `others` more draws may have: a beta-binomial distribution,
    from Jeffreys' prior. It stays honest where few mistakes are expected among few draws."""
    alpha, beta = right + 0.5, count - right + 0.5
    hits = np.arange(others)
    ratios = (others - hits) * (hits + alpha) / ((hits + 1) * (others - hits - 1 + beta))
    logarithms = np.concatenate([[0], np.cumsum(np.log(ratios))])  # of P(hits) / P(0)
    distribution = np.cumsum(np.exp(logarithms - logarithms.max()))
    low, high = np.searchsorted(distribution / distribution[-1], [0.025, 0.975])
    return float(low / others), float(high / others)


def by_quantile(judged: Evaluation, values: np.ndarray, parts: int = 5) -> list[Bin]:
    """The judged rows in `parts` groups of about one size by a measure (n,) of theirs; fewer where many
    rows have the same value. `low` and `high` of a group are its least and its greatest value."""
    inner = np.unique(np.quantile(values, np.linspace(0, 1, parts + 1)[1:-1]))
    place = np.digitize(values, inner, right=True)
    return [_bin(judged, place == number, float(values[place == number].min()), float(values[place == number].max()))
            for number in np.unique(place)]


def reliability(judged: Evaluation) -> tuple[list[Bin], float]:
    """Bins of like confidence, and the expected calibration error: the mean distance between
    confidence and accuracy, over all digits."""
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    place = np.digitize(judged.confidence, inner, right=True)
    bins = [_bin(judged, place == number, number / BINS, (number + 1) / BINS) for number in np.unique(place)]
    error = sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / judged.count
    return bins, error


def _bin(judged: Evaluation, chosen: np.ndarray, low: float, high: float) -> Bin:
    count, right = int(chosen.sum()), int((judged.predicted == judged.truth)[chosen].sum())
    return Bin(low, high, count, float(judged.confidence[chosen].mean()), right / count, wilson(right, count))


def coverage(judged: Evaluation, shares=COVERAGES) -> list[Coverage]:
    """What is left of the errors when the least confident predictions are left out."""
    surest = np.argsort(-judged.confidence, kind="stable")
    wrong = np.cumsum((judged.predicted != judged.truth)[surest])
    counts = [max(1, round(share * judged.count)) for share in shares]
    return [Coverage(share, count, float(judged.confidence[surest[count - 1]]), int(wrong[count - 1]))
            for share, count in zip(shares, counts)]


def _evaluation(run: Run, judged: list[tuple[np.ndarray, np.ndarray]]) -> Evaluation:
    """Of (rows, probabilities) of several networks: a row's mean over those that judged it."""
    all_rows = np.concatenate([rows for rows, _ in judged])
    rows, places, times = np.unique(all_rows, return_inverse=True, return_counts=True)
    sums = np.zeros((len(rows), len(CLASSES)))
    np.add.at(sums, places, np.concatenate([probabilities for _, probabilities in judged]))
    return Evaluation(rows.astype(int), run.data.train_labels[rows].astype(int), sums / times[:, None])
