"""What can be wrong with images before anything is learned from them: duplicates and leaks."""

import numpy as np


def duplicates(images: np.ndarray) -> np.ndarray:
    """int (k, 2): each row whose image stood in an earlier row already, and that first row."""
    pairs = leaks(images, images)
    return pairs[pairs[:, 0] != pairs[:, 1]]


def leaks(train_images: np.ndarray, test_images: np.ndarray) -> np.ndarray:
    """int (k, 2): each test row whose image is also a labelled one, and the first such labelled row."""
    known = {image.tobytes(): row for row, image in reversed(list(enumerate(train_images)))}
    keys = (image.tobytes() for image in test_images)
    pairs = [(row, known[key]) for row, key in enumerate(keys) if key in known]
    return np.array(pairs, np.int64).reshape(-1, 2)
