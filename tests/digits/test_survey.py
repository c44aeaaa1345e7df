import numpy as np

from digits import survey


def images(*values):
    return np.stack([np.full((28, 28), value, np.uint8) for value in values])


def test_a_repeat_is_told_with_the_first_row_that_has_its_image():
    assert survey.repeats(images(1, 2, 1, 3, 1)).tolist() == [[2, 0], [4, 0]]


def test_rows_that_differ_in_one_pixel_are_no_repeats():
    almost = images(1, 1)
    almost[1, 27, 27] = 2
    assert survey.repeats(almost).shape == (0, 2)


def test_a_leak_is_a_test_row_that_is_labelled_too():
    assert survey.leaks(images(5, 6, 6), images(7, 6)).tolist() == [[1, 1]]
    assert survey.leaks(images(5), images(7)).shape == (0, 2)


def test_the_pixel_range_of_both_tables():
    assert survey.pixel_range(images(0, 200), images(3, 4)).tolist() == [[0, 200], [3, 4]]
