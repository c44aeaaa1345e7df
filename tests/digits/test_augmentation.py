import numpy as np

from digits.augmentation import augment


def dot(*places):
    images = np.zeros((len(places), 28, 28), np.uint8)
    for image, (row, column) in zip(images, places):
        image[row - 1:row + 2, column - 1:column + 2] = 255
    return images


def middle(image):
    return np.average(np.argwhere(image), axis=0, weights=image[image > 0])


def test_without_range_nothing_changes():
    images = dot((6, 20), (14, 14))
    np.testing.assert_array_equal(augment(images, 1, rotation=0, zoom=0, shift=0), images)


def test_the_same_seed_makes_the_same_variations_and_another_does_not():
    images = dot((8, 8), (8, 8))
    np.testing.assert_array_equal(augment(images, 1), augment(images, 1))
    assert (augment(images, 1) != augment(images, 2)).any()
    assert (augment(images, 1)[0] != augment(images, 1)[1]).any()


def test_a_shift_moves_by_at_most_its_part_of_the_size():
    moved = augment(dot(*[(13, 13)] * 50), 1, rotation=0, zoom=0)
    moves = np.array([middle(image) - 13 for image in moved])
    assert (np.abs(moves) <= 2.9).all() and np.ptp(moves, axis=0).min() > 4


def test_a_turn_is_about_the_centre_and_within_its_range():
    turned = augment(dot(*[(4, 13)] * 50), 1, zoom=0, shift=0)
    across = [middle(image) - 13.5 for image in turned]
    angles = np.degrees([np.arctan2(column, -row) for row, column in across])
    assert np.abs(angles).max() < 14 and np.ptp(angles) > 15


def test_a_zoom_keeps_the_centre():
    sizes = [(image > 127).sum() for image in augment(
        np.pad(np.full((50, 14, 14), 255, np.uint8), ((0, 0), (7, 7), (7, 7))), 1, 0, 0.1, 0)]
    assert 140 < min(sizes) < 196 < max(sizes) < 260
