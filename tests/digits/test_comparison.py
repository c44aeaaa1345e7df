"""Runs beside one another: paired on the same rows, by McNemar's exact test."""

import numpy as np
import pytest
from scipy.stats import binomtest

from digits.comparison import compare, mcnemar
from digits.evaluation import Evaluation


def judged(rows, predicted, truth) -> Evaluation:
    return Evaluation(np.array(rows), np.array(truth), np.eye(10)[predicted])


@pytest.mark.parametrize("only_first, only_second", [(0, 0), (1, 0), (3, 11), (40, 41), (0, 25), (700, 820)])
def test_the_p_value_is_that_of_the_binomial_test(only_first, only_second):
    tosses = only_first + only_second
    expected = binomtest(only_first, tosses).pvalue if tosses else 1
    assert mcnemar(only_first, only_second) == pytest.approx(expected)


def test_only_rows_that_both_were_judged_on_count():
    first = judged([2, 4, 6, 8], [1, 1, 0, 1], [1, 1, 1, 1])
    second = judged([4, 6, 8, 9], [0, 1, 1, 0], [1, 1, 1, 1])
    paired = compare(first, second)
    assert (paired.rows, paired.only_first, paired.only_second) == (3, 1, 1)
    assert paired.p_value == 1 and paired.is_noise


def test_without_common_rows_nothing_is_compared():
    assert compare(judged([1], [1], [1]), judged([2], [1], [1])) is None


def test_a_difference_that_chance_rarely_makes_is_no_noise():
    rows, truth = np.arange(100), np.ones(100, int)
    better, worse = truth.copy(), truth.copy()
    worse[:12], better[12:14] = 0, 0
    assert not compare(judged(rows, better, truth), judged(rows, worse, truth)).is_noise
