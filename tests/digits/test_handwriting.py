"""Traits of drawn strokes whose thickness, slant, size and place are known."""

import cv2
import numpy as np
import pytest

from digits.handwriting import EXAMPLES, TRAITS, handwriting, measure


def stroke(thickness=3, degrees=0.0, length=16, right=0.0, down=0.0) -> np.ndarray:
    """A straight stroke about the middle of the image, leaning to the right by so many degrees."""
    image = np.zeros((280, 280), np.uint8)  # drawn large, so that it may lean a little
    lean = np.tan(np.radians(degrees)) * length / 2
    middle = np.array([140 + 10 * right, 140 + 10 * down])
    ends = [tuple((middle + 10 * np.array(end)).round().astype(int).tolist())
            for end in ((-lean, length / 2), (lean, -length / 2))]
    cv2.line(image, *ends, 255, round(10 * thickness))
    return cv2.resize(image, (28, 28), interpolation=cv2.INTER_AREA)


def trait(name: str, **how) -> float:
    return float(measure(stroke(**how)[None])[0, TRAITS.index(name)])


def test_thicker_strokes_are_thicker():
    found = [trait("thickness", thickness=each) for each in (2, 3, 4, 5)]
    assert found == sorted(found) and found[-1] > 1.8 * found[0]


@pytest.mark.parametrize("degrees", [-30, -10, 0, 10, 30])
def test_the_slant_is_that_of_the_stroke_to_the_right_above_zero(degrees):
    assert trait("slant", degrees=degrees) == pytest.approx(degrees, abs=3)


def test_the_size_is_that_of_the_box_around_the_ink():
    assert trait("size", thickness=4, length=12) == pytest.approx(np.sqrt(4 * 16), abs=1)


def test_the_centring_is_the_distance_from_the_middle():
    assert trait("centring") < 1
    assert trait("centring", right=3, down=-4) == pytest.approx(5, abs=0.8)


def test_an_image_without_ink_has_no_traits():
    assert not measure(np.zeros((2, 28, 28), np.uint8)).any()
    assert measure(np.zeros((0, 28, 28), np.uint8)).shape == (0, 4)


def test_the_examples_of_a_trait_have_least_and_most_of_it():
    images = np.stack([stroke(thickness=1 + row / 10) for row in range(40)])
    found = handwriting(np.arange(10, 40), images)
    place = TRAITS.index("thickness")
    least, most = found.extreme_rows[place]
    order = found.rows[np.argsort(found.traits[:, place], kind="stable")]
    np.testing.assert_array_equal(least, order[:EXAMPLES])
    np.testing.assert_array_equal(most, order[::-1][:EXAMPLES])
    np.testing.assert_array_equal(found.extreme_images[place, 1], images[most])
