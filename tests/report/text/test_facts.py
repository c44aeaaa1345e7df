"""Figures that a note may name."""

import pytest

from report.pages.study import Study
from report.text.facts import facts


@pytest.mark.parametrize("misclassified, said", [
    ([], "none"),
    ([(4, 9, 0.9), (4, 9, 0.8), (7, 2, 0.6)], "4 predicted to be 9 (2 times)"),
    ([(4, 9, 0.9), (7, 2, 0.6)], "4 predicted to be 9 (1 time, as often as 1 other)"),
    ([(4, 9, 0.9), (7, 2, 0.6), (3, 8, 0.7)], "3 predicted to be 8 (1 time, as often as 2 others)")])
def test_the_most_frequent_confusion_says_how_many_others_are_as_frequent(make_run, misclassified, said):
    assert facts(Study(make_run(misclassified=misclassified)))["most_confused"] == said


@pytest.mark.parametrize("misclassified, said", [
    ([(4, 9, 0.9), (4, 9, 0.8), (7, 2, 0.6)], "4"), ([(4, 9, 0.9), (7, 2, 0.6)], "4 and the 7")])
def test_all_digits_that_share_the_lowest_recall_are_named(make_run, misclassified, said):
    assert facts(Study(make_run(misclassified=misclassified)))["hardest"] == said
