"""What the report shows of the data and of augmentation, taken from the dataset before training."""

import numpy as np

from digits import augmentation
from digits.data import Dataset
from digits.duplicates import duplicates, leaks
from digits.recipe import Recipe
from digits.run import CLASSES, AugmentationPreview, DataPreview

HEAD, FIRST, EXAMPLES = 5, 64, 10
VARIED, VARIATIONS = range(3, 9), 10  # the six rows of the notebook


def preview(dataset: Dataset) -> DataPreview:
    images, labels, test_images = dataset.train_images, dataset.train_labels, dataset.test_images
    of_class = [images[labels == label] for label in CLASSES]
    examples = min(EXAMPLES, *map(len, of_class))
    return DataPreview(
        train_head=np.column_stack([labels[:HEAD], images[:HEAD].reshape(-1, 28 * 28)]),
        test_head=test_images[:HEAD].reshape(-1, 28 * 28),
        first_images=images[:FIRST], first_labels=labels[:FIRST],
        class_images=np.stack([group[:examples] for group in of_class]),
        class_means=np.stack([group.mean(axis=0) for group in of_class]).round().astype(np.uint8),
        train_labels=labels,
        pixel_range=np.array([(table.min(), table.max()) for table in (images, test_images)]),
        duplicates=duplicates(images), leaks=leaks(images, test_images))


def preview_augmentation(dataset: Dataset, recipe: Recipe) -> AugmentationPreview:
    """The first images as the first seed's first epoch might vary them."""
    limits = recipe.augmentation if recipe.augmentation.is_used else augmentation.NOTEBOOK
    random = np.random.default_rng(recipe.seed)
    images = dataset.train_images[:FIRST]
    varied_rows = np.array([row for row in VARIED if row < len(images)], int)
    repeated = np.repeat(images[varied_rows], VARIATIONS, axis=0)
    return AugmentationPreview(
        used=np.array([recipe.augmentation.is_used], int),
        limits=np.array([limits.rotation, limits.zoom, limits.shift, limits.elastic]),
        images=images, varied_rows=varied_rows,
        augmented=augmentation.augment(images, limits, random),
        variations=augmentation.augment(repeated, limits, random).reshape(-1, VARIATIONS, 28, 28))
