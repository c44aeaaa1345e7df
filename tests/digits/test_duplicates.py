import numpy as np

from digits.duplicates import duplicates, leaks


def images(*values):
    return np.stack([np.full((28, 28), value, np.uint8) for value in values])


def test_a_duplicate_is_told_with_the_first_row_that_has_its_image():
    assert duplicates(images(1, 2, 1, 3, 1)).tolist() == [[2, 0], [4, 0]]


def test_rows_that_differ_in_one_pixel_are_no_duplicates():
    almost = images(1, 1)
    almost[1, 27, 27] = 2
    assert duplicates(almost).shape == (0, 2)


def test_a_leak_is_a_test_row_that_is_labelled_too():
    assert leaks(images(5, 6, 6), images(7, 6)).tolist() == [[1, 1]]
    assert leaks(images(5), images(7)).shape == (0, 2)
