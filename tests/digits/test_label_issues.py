"""Label errors that were put in are suspected."""

import numpy as np

from digits.evaluation import Evaluation
from digits.label_issues import ALIKE, MAX_SUSPECTED, label_issues
from digits.run import Explanations


class Judged:
    """As much of a run as its members' explanations."""

    def __init__(self, *explanations):
        self.members = [type("Member", (), {"explanations": each}) for each in explanations]


def explained(rows, typicality=None, nearest=None, distances=None) -> Explanations:
    count, empty = len(rows), np.empty((0, 1), int)
    return Explanations(rows, np.full(count, 0.5) if typicality is None else typicality,
                        np.zeros(count, int) if nearest is None else nearest,
                        np.ones(count) if distances is None else distances, empty[:, 0], empty,
                        np.empty((0, 1, 28, 28), np.uint8), np.empty((0, 2, 1, 1)))


def confident(labels, probability=0.95) -> np.ndarray:
    found = np.full((len(labels), 10), (1 - probability) / 9)
    found[np.arange(len(labels)), labels] = probability
    return found


def test_labels_that_were_exchanged_come_first_and_nothing_else():
    rows, truth = np.arange(500, 1500), np.arange(1000) % 10
    wrong = np.array([3, 77, 401, 998])
    probabilities, labels = confident(truth), truth.copy()
    labels[wrong] = (truth[wrong] + 5) % 10
    images = np.arange(1500, dtype=np.uint32).view(np.uint8).reshape(1500, 4)[:, :1, None].repeat(28, 1).repeat(28, 2)
    found = label_issues(Judged(explained(rows)), Evaluation(rows, labels, probabilities), images)
    assert set(found.suspected_rows) == set(rows[wrong]) and found.suspected_count == len(wrong)
    np.testing.assert_array_equal(found.suspected_images, images[found.suspected_rows])
    assert (found.label_quality < 0.1).all()


def test_few_digits_and_absent_classes_are_no_error():
    for count in (1, 4, 12):
        rows, truth = np.arange(count), np.arange(count) % 3
        found = label_issues(Judged(explained(rows)), Evaluation(rows, truth, confident(truth)),
                             np.zeros((count, 28, 28), np.uint8))
        assert not len(found.suspected_rows) and not found.suspected_count[0]


def test_what_is_shown_of_thousands_is_bounded():
    random = np.random.default_rng(0)
    rows, truth = np.arange(3000), random.integers(0, 10, 3000)
    found = label_issues(Judged(explained(rows)), Evaluation(rows, random.permutation(truth), confident(truth)),
                         np.zeros((3000, 28, 28), np.uint8))
    assert len(found.suspected_rows) == MAX_SUSPECTED < found.suspected_count[0]


def test_the_least_typical_and_near_duplicates_come_from_all_members():
    first = explained(np.arange(0, 50), np.linspace(0.5, 0.9, 50))
    distances = np.ones(50)
    distances[7], distances[8] = ALIKE / 2, 2 * ALIKE
    second = explained(np.arange(50, 100), np.linspace(0.1, 0.4, 50), np.arange(50), distances)
    truth = np.arange(100) % 10
    found = label_issues(Judged(first, second), Evaluation(np.arange(100), truth, confident(truth)),
                         np.zeros((100, 28, 28), np.uint8))
    np.testing.assert_array_equal(found.untypical_rows[:3], [50, 51, 52])
    np.testing.assert_array_equal(found.alike_rows, [[57, 7]])
