"""The formulas of digits.evaluation against the libraries that are too slow to load for them."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from digits.evaluation import coverage, evaluate, reliability, wilson


@pytest.fixture(scope="module")
def judged(made_run):
    return evaluate(made_run)


def test_the_confusion_matrix_and_the_scores_are_scikit_learns(judged):
    expected = confusion_matrix(judged.truth, judged.predicted, labels=range(10))
    np.testing.assert_array_equal(judged.confusion, expected)
    scores = precision_recall_fscore_support(judged.truth, judged.predicted, labels=range(10))
    ours = [(one.precision, one.recall, one.f1, one.support) for one in judged.classes]
    np.testing.assert_allclose(np.array(ours).T, scores)


@pytest.mark.parametrize("right, count", [(0, 5), (5, 5), (1, 2), (4170, 4200), (1, 1)])
def test_the_interval_is_scipys(right, count):
    expected = binomtest(right, count).proportion_ci(0.95, "wilson")
    assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


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


def test_leaving_out_the_least_sure_leaves_out_mistakes(judged):
    whole, *_, half = coverage(judged)
    assert (whole.read, whole.errors) == (60, 5) and whole.accuracy == judged.accuracy
    assert (half.read, half.errors) == (30, 0) and half.threshold > 0.9
