"""The formulas of digits.evaluation against the libraries that are too slow to load for them, what is
judged of a run with several members, and whether the intervals hold what they state."""

import numpy as np
import pytest
from made_runs import MadeMember
from scipy.stats import betabinom, binomtest
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support
from sklearn.model_selection import StratifiedKFold

from digits import recipes
from digits.evaluation import (Evaluation, coverage, evaluate, predictive, promise, reliability,
                               submitted_probabilities, wilson)

LABELS = (np.arange(100) % 10).astype(np.uint8)


def probabilities(rows, seed=0, mistakes=()):
    """Of which the likeliest is the label, but in the rows that are given."""
    random = np.random.default_rng(seed)
    found = random.uniform(0, 0.2, (len(rows), 10))
    found[np.arange(len(rows)), LABELS[rows]] += random.uniform(0.3, 3, len(rows))
    for row in mistakes:
        place = np.flatnonzero(rows == row)
        found[place] = np.roll(found[place], 1, axis=1)
    return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)


# Formulas

@pytest.fixture(scope="module")
def judged():
    rows = np.arange(40, 100)
    return Evaluation(rows, LABELS[rows].astype(int), probabilities(rows, mistakes=range(40, 65, 5)))


def test_the_confusion_matrix_and_the_scores_are_scikit_learns(judged):
    expected = confusion_matrix(judged.truth, judged.predicted, labels=range(10))
    np.testing.assert_array_equal(judged.confusion, expected)
    scores = precision_recall_fscore_support(judged.truth, judged.predicted, labels=range(10))
    ours = [(one.precision, one.recall, one.f1, one.support) for one in judged.classes]
    np.testing.assert_allclose(np.array(ours).T, scores)


def test_a_score_that_would_divide_by_nothing_is_none():
    never = Evaluation(np.arange(2), np.array([0, 1]), np.eye(10)[[0, 0]])
    assert (never.classes[1].precision, never.classes[1].recall, never.classes[2].recall) == (None, 0, None)


def test_the_loss_is_scikit_learns(judged):
    assert judged.loss == pytest.approx(log_loss(judged.truth, judged.probabilities, labels=range(10)),
                                        rel=1e-5)


def test_misclassified_are_those_predicted_wrongly_the_most_confident_first(judged):
    assert sorted(judged.rows[judged.misclassified]) == [40, 45, 50, 55, 60] and judged.errors == 5
    confidence = judged.confidence[judged.misclassified]
    assert list(confidence) == sorted(confidence, reverse=True)


def test_confusions_count_what_was_taken_for_what(judged):
    assert [(one.true, one.predicted, one.count) for one in judged.confusions] == [(0, 1, 3), (5, 6, 2)]


@pytest.mark.parametrize("right, count", [(0, 5), (5, 5), (1, 2), (4170, 4200), (1, 1)])
def test_the_interval_is_scipys_wilson(right, count):
    expected = binomtest(right, count).proportion_ci(0.95, "wilson")
    assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("right, count, others", [
    (0, 5, 7), (5, 5, 7), (1, 1, 1), (355, 360, 360), (4170, 4200, 28_000), (41_870, 42_000, 28_000)])
def test_the_interval_of_a_score_is_scipys_beta_binomial(right, count, others):
    expected = betabinom(others, right + 0.5, count - right + 0.5).ppf([0.025, 0.975]) / others
    assert predictive(right, count, others) == pytest.approx(tuple(expected), abs=1.01 / others)


def test_a_score_on_other_rows_is_less_certain_than_the_accuracy(judged):
    (low, high), (score_low, score_high) = judged.interval, judged.interval_of_score(60)
    assert score_low < low < judged.accuracy < high < score_high


def test_the_bins_hold_every_digit_and_their_error_is_the_mean_distance(judged):
    bins, error = reliability(judged)
    assert sum(one.count for one in bins) == judged.count
    assert all(one.low < one.confidence <= one.high for one in bins)
    right = judged.predicted == judged.truth
    by_hand = sum(abs(right[chosen].mean() - judged.confidence[chosen].mean()) * chosen.mean()
                  for low in np.arange(10) / 10
                  for chosen in [(judged.confidence > low) & (judged.confidence <= low + 0.1)]
                  if chosen.any())
    assert error == pytest.approx(by_hand, abs=1e-6)


def test_leaving_out_the_least_confident_leaves_out_what_is_wrong():
    rows = np.arange(100)
    found = probabilities(rows)
    found[:5] = 0.1 + 0.01 * (np.arange(10) == (LABELS[:5, None] + 1) % 10)  # wrong, and hardly confident
    whole, *_, half = coverage(Evaluation(rows, LABELS.astype(int), found))
    assert (whole.classified, whole.errors, whole.accuracy) == (100, 5, 0.95)
    assert (half.classified, half.errors) == (50, 0) and half.threshold > found[:5].max()


# Runs

def test_one_member_is_judged_on_its_validation_rows_in_the_order_of_the_file(make_run):
    rows = np.array([30, 7, 50])
    found = probabilities(rows)
    judged = evaluate(make_run(LABELS, [MadeMember(rows, found)]))
    assert judged.rows.tolist() == [7, 30, 50] and judged.truth.tolist() == [7, 0, 0]
    np.testing.assert_array_equal(judged.probabilities, found[[1, 0, 2]])


def test_folds_judge_each_row_by_the_member_that_had_not_learned_from_it(make_run):
    folds = [np.arange(100)[np.arange(100) % 4 == fold] for fold in range(4)]
    members = [MadeMember(rows, probabilities(rows, seed), fold=seed + 1) for seed, rows in enumerate(folds)]
    run = make_run(LABELS, members, recipes.BEST.changed({"validation": {"folds": 4}}))
    judged = evaluate(run)
    np.testing.assert_array_equal(judged.rows, np.arange(100))
    for member in members:
        np.testing.assert_array_equal(judged.probabilities[member.validation_rows], member.validation)
    assert promise(run, judged).kind == "folds" and promise(run, judged).expected is judged
    np.testing.assert_array_equal(evaluate(run, run.members[2:3]).rows, folds[2])


def test_a_row_that_several_members_judge_is_judged_by_their_mean(make_run):
    both, first_only = np.arange(0, 20), np.arange(0, 30)
    one, other = probabilities(first_only, 1), probabilities(both, 2)
    judged = evaluate(make_run(LABELS, [MadeMember(first_only, one), MadeMember(both[::-1], other[::-1])]))
    np.testing.assert_allclose(judged.probabilities[:20], (one[:20].astype(float) + other) / 2)
    np.testing.assert_array_equal(judged.probabilities[20:], one[20:])


def test_the_mean_of_the_members_is_submitted(make_run):
    rows, tests = np.arange(10), [probabilities(np.arange(3), seed) for seed in (1, 2)]
    run = make_run(LABELS, [MadeMember(rows, probabilities(rows), test=test) for test in tests])
    np.testing.assert_allclose(submitted_probabilities(run), (tests[0].astype(float) + tests[1]) / 2)


@pytest.mark.parametrize("changes", [{}, {"seeds": 2}])
def test_without_folds_or_refit_the_judged_procedure_is_the_submitted_one(make_run, changes):
    rows = np.arange(10)
    run = make_run(LABELS, [MadeMember(rows, probabilities(rows))] * 2, recipes.BEST.changed(changes))
    found = promise(run, evaluate(run))
    assert found.kind == "same" and found.before is found.after is None
    assert found.expected is found.judged and not found.refit_made_it_worse


@pytest.mark.parametrize("worse", [True, False])
def test_after_a_refit_the_submitted_network_is_judged_on_rows_that_neither_fit_learned_from(make_run, worse):
    rows, unseen = np.arange(30)[::-1], np.arange(20, 30)
    fit, refit = (probabilities(rows, 1, mistakes=[21]), probabilities(unseen, 2, mistakes=[21, 22, 23]))
    if not worse:
        refit = (fit[np.searchsorted(-rows, -unseen)] + 9 * np.eye(10)[LABELS[unseen]]) / 10
    run = make_run(LABELS, [MadeMember(rows, fit, unseen, refit)], recipes.NOTEBOOK)
    judged = evaluate(run)
    found = promise(run, judged)
    assert found.kind == "refit" and found.judged is judged and found.expected is found.after
    assert (judged.count, judged.errors) == (30, 1)
    assert found.before.rows.tolist() == found.after.rows.tolist() == list(unseen)
    np.testing.assert_array_equal(found.before.probabilities, fit[[list(rows).index(row) for row in unseen]])
    np.testing.assert_allclose(found.after.probabilities, refit)
    assert (found.before.errors, found.after.errors) == (1, 3 if worse else 0)
    assert found.refit_made_it_worse is worse


@pytest.mark.parametrize("even, worse", [(0.9, False), (0.7, True)])
def test_a_rise_of_the_loss_that_chance_explains_makes_no_refit_worse(make_run, even, worse):
    rows = np.arange(30)

    def sure(shares):
        return np.where(np.eye(10)[LABELS[rows]] == 1, shares, (1 - shares) / 9)
    fit, refit = sure(np.full((30, 1), 0.8)), sure(np.where(rows[:, None] % 2, 0.7, even))
    found = promise(run := make_run(LABELS, [MadeMember(rows, fit, rows, refit)], recipes.NOTEBOOK), evaluate(run))
    assert found.after.loss > found.before.loss and found.after.errors == found.before.errors == 0
    assert found.refit_made_it_worse is worse


def test_a_refit_that_learned_from_all_judged_rows_leaves_nothing_known_of_it(make_run):
    rows = np.arange(10)
    run = make_run(LABELS, [MadeMember(rows, probabilities(rows), np.empty(0, int), np.empty((0, 10), np.float32))],
                   recipes.NOTEBOOK)
    found = promise(run, evaluate(run))
    assert found.kind == "refit" and found.before is found.after is None and found.expected is found.judged
    assert not found.refit_made_it_worse


# The promise: the stated 95 % interval holds the true score about 95 times in 100

def holds(interval, value) -> bool:
    return interval[0] <= value <= interval[1]


@pytest.fixture(scope="module")
def classified():
    """1,497 labelled digits that a classifier trained on 300 others never saw, and what it says of them."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    learned, unseen = order[:300], order[300:]
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1).fit(images[learned], labels[learned])
    return labels[unseen], classifier.predict_proba(images[unseen])


def judge(labels, found, rows) -> Evaluation:
    return Evaluation(rows, labels[rows], found[rows])


@pytest.mark.parametrize("judged_rows, test_rows", [(750, 747), (150, 1_200), (1_000, 400)])
def test_over_many_splits_of_labelled_digits_the_interval_holds_the_score(classified, judged_rows, test_rows):
    labels, found = classified
    random, held = np.random.default_rng(1), 0
    for _ in range(2_000):
        rows = random.permutation(len(labels))[:judged_rows + test_rows]
        judged, test = judge(labels, found, rows[:judged_rows]), judge(labels, found, rows[judged_rows:])
        held += holds(judged.interval_of_score(test_rows), test.accuracy)
    assert 0.93 <= held / 2_000 <= 0.97


def test_over_many_samples_of_labelled_digits_the_interval_holds_the_accuracy_over_all(classified):
    labels, found = classified
    whole, random = judge(labels, found, np.arange(len(labels))), np.random.default_rng(2)
    held = sum(holds(judge(labels, found, random.integers(0, len(labels), 300)).interval, whole.accuracy)
               for _ in range(2_000))
    assert 0.93 <= held / 2_000 <= 0.97


@pytest.mark.parametrize("accuracy", [0.97, 0.985, 0.99, 0.995, 0.997])
@pytest.mark.parametrize("judged_rows, test_rows", [
    (4_200, 28_000), (42_000, 28_000), (4_200, 4_200), (842, 28_000), (360, 360), (360, 28_000), (10, 12)])
def test_near_no_mistakes_at_all_the_interval_of_the_score_still_holds(accuracy, judged_rows, test_rows):
    """Where few mistakes are possible, an interval cannot hold 95 % exactly: then it holds more."""
    random = np.random.default_rng(3)
    judged, scored = random.binomial(judged_rows, accuracy, 4_000), random.binomial(test_rows, accuracy, 4_000)
    intervals = {right: predictive(int(right), judged_rows, test_rows) for right in set(judged)}
    held = np.mean([holds(intervals[right], score / test_rows) for right, score in zip(judged, scored)])
    many_mistakes_expected = (1 - accuracy) * min(judged_rows, test_rows) > 20
    assert 0.935 <= held and (held <= 0.97 or not many_mistakes_expected)


@pytest.mark.parametrize("accuracy", [0.97, 0.99, 0.995])
@pytest.mark.parametrize("judged_rows", [4_200, 42_000])
def test_near_no_mistakes_at_all_the_interval_of_the_accuracy_still_holds(accuracy, judged_rows):
    judged = np.random.default_rng(4).binomial(judged_rows, accuracy, 4_000)
    assert 0.93 <= np.mean([holds(wilson(int(right), judged_rows), accuracy) for right in judged]) <= 0.97


def test_with_folds_the_out_of_fold_figure_is_a_lower_bound_of_the_means_score():
    """The members' mean has learned from all rows, each judge from four fifths of them."""
    images, labels = load_digits(return_X_y=True)
    random, below, above = np.random.default_rng(5), 0, 0
    for _ in range(30):
        order = random.permutation(len(labels))
        own, test = order[:600], order[600:]
        out_of_fold, mean = np.zeros((600, 10)), np.zeros((len(test), 10))
        for learned, judged in StratifiedKFold(5, shuffle=True, random_state=0).split(own, labels[own]):
            classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
            classifier.fit(images[own[learned]], labels[own[learned]])
            out_of_fold[judged] = classifier.predict_proba(images[own[judged]])
            mean += classifier.predict_proba(images[test]) / 5
        low, high = Evaluation(own, labels[own], out_of_fold).interval_of_score(len(test))
        score = (mean.argmax(axis=1) == labels[test]).mean()
        below, above = below + (score < low), above + (score > high)
    assert below <= 2 and below + above <= 4  # of 30: 0.75 and 1.5 are due
