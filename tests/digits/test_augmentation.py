"""How images are varied, within which limits."""

import numpy as np
import pytest

from digits.augmentation import NOTEBOOK, augment, views
from digits.recipe import Augmentation


def random(seed=1):
    return np.random.default_rng(seed)


def dot(*places):
    images = np.zeros((len(places), 28, 28), np.uint8)
    for image, (row, column) in zip(images, places):
        image[row - 1:row + 2, column - 1:column + 2] = 255
    return images


def middle(image):
    return np.average(np.argwhere(image), axis=0, weights=image[image > 0])


ALL = Augmentation(rotation=10, zoom=0.1, shift=0.1, elastic=1.0)


def test_with_all_limits_zero_nothing_changes():
    images = random().integers(0, 256, (20, 28, 28)).astype(np.uint8)
    np.testing.assert_array_equal(augment(images, Augmentation(), random()), images)
    assert not Augmentation().is_used and Augmentation(elastic=0.1).is_used


def test_the_same_seed_makes_the_same_variations_and_another_does_not():
    images = dot((8, 8), (8, 8))
    np.testing.assert_array_equal(augment(images, ALL, random()), augment(images, ALL, random()))
    assert (augment(images, ALL, random(1)) != augment(images, ALL, random(2))).any()
    assert (augment(images, ALL, random())[0] != augment(images, ALL, random())[1]).any()


def test_images_that_are_given_stay_as_they_are():
    images = dot((8, 8))
    before = images.copy()
    augment(images, ALL, random()), views(images, 9)
    np.testing.assert_array_equal(images, before)


def test_a_shift_moves_by_at_most_its_part_of_the_size():
    moved = augment(dot(*[(13, 13)] * 200), Augmentation(shift=0.1), random())
    moves = np.array([middle(image) - 13 for image in moved])
    assert (np.abs(moves) <= 2.9).all() and np.ptp(moves, axis=0).min() > 5


def test_a_turn_is_about_the_centre_and_within_its_limit():
    turned = augment(dot(*[(4, 13)] * 200), Augmentation(rotation=10), random())
    across = [middle(image) - 13.5 for image in turned]
    angles = np.degrees([np.arctan2(column, -row) for row, column in across]) + np.degrees(np.arctan2(0.5, 9.5))
    assert np.abs(angles).max() < 10.5 and np.ptp(angles) > 18


def test_a_zoom_keeps_the_centre_and_its_limit():
    squares = np.pad(np.full((200, 14, 14), 255, np.uint8), ((0, 0), (7, 7), (7, 7)))
    zoomed = augment(squares, Augmentation(zoom=0.1), random())
    sizes = zoomed.sum(axis=(1, 2)) / 255 / 14 ** 2
    assert 0.9 ** 2 - 0.02 < sizes.min() < 0.86 and 1.15 < sizes.max() < 1.1 ** 2 + 0.02
    assert np.abs([middle(image) - 13.5 for image in zoomed]).max() < 0.1


def test_an_elastic_bend_moves_each_place_by_its_deviation_and_smoothly():
    lines = np.zeros((2_000, 28, 28), np.uint8)
    lines[:, :, 12:15] = 255
    bent = augment(lines, Augmentation(elastic=1.0), random())[:, 4:24].astype(float)
    moves = (bent * np.arange(28)).sum(axis=2) / bent.sum(axis=2) - 13
    assert 0.8 < moves.std() < 1.2 and abs(moves.mean()) < 0.1
    assert np.abs(np.diff(moves, axis=1)).mean() < 0.3  # neighbours go together


def test_what_comes_in_from_outside_is_paper():
    inked = np.full((50, 28, 28), 255, np.uint8)
    moved = augment(inked, Augmentation(shift=1.0), random())
    assert 0.6 < (moved == 0).mean() < 0.9  # of each side half is left, on average


def test_the_notebooks_limits_are_the_notebooks():
    assert NOTEBOOK == Augmentation(rotation=10, zoom=0.1, shift=0.1)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_views_begin_with_the_images_themselves_and_differ(count):
    images = dot((8, 8), (14, 20))
    found = views(images, count)
    np.testing.assert_array_equal(found[0], images)
    assert len({view.tobytes() for view in found}) == len(found) == count
    assert all(view.shape == images.shape and view.dtype == np.uint8 for view in found)


def test_views_of_no_images_are_empty():
    assert [view.shape for view in views(np.empty((0, 28, 28), np.uint8), 9)] == [(0, 28, 28)] * 9
