"""What the report shows of the data, taken before training; `test_training.py` has that of a run."""

import numpy as np
import pytest

from digits import augmentation, recipes
from digits.preview import preview, preview_augmentation
from digits.recipe import Augmentation


def test_the_sample_is_shown_as_it_is(sample):
    shown = preview(sample)
    assert shown.class_images.shape == (10, 10, 28, 28) and shown.first_images.shape == (64, 28, 28)
    for pairs, first, second in ((shown.duplicates, sample.train_images, sample.train_images),
                                 (shown.leaks, sample.test_images, sample.train_images)):
        for row, other in pairs:
            np.testing.assert_array_equal(first[row], second[other])
    assert shown.pixel_range.tolist() == [[0, 255], [0, 255]]


@pytest.mark.parametrize("recipe, used, limits", [
    (recipes.NOTEBOOK, 0, augmentation.NOTEBOOK),
    (recipes.NOTEBOOK.changed({"augmentation": {"rotation": 5}}), 1, Augmentation(rotation=5))])
def test_a_recipe_without_augmentation_shows_the_notebooks_and_says_so(sample, recipe, used, limits):
    shown = preview_augmentation(sample, recipe)
    assert shown.used.tolist() == [used]
    assert shown.limits.tolist() == [limits.rotation, limits.zoom, limits.shift, limits.elastic]
    np.testing.assert_array_equal(
        shown.augmented, augmentation.augment(sample.train_images[:64], limits, np.random.default_rng(333)))


def test_each_row_of_variations_is_of_the_notebooks_digits(sample):
    shown = preview_augmentation(sample, recipes.BEST)
    assert shown.varied_rows.tolist() == [3, 4, 5, 6, 7, 8] and shown.variations.shape == (6, 10, 28, 28)
    assert len({image.tobytes() for image in shown.variations.reshape(-1, 28 * 28)}) == 60
