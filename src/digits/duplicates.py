"""What can be wrong with images before anything is learned from them: duplicates and leaks."""

import numpy as np


def duplicates(images: np.ndarray) -> np.ndarray:
    """int (k, 2): each row whose image stood in an earlier row already, and that first row."""
    first = {}
    pairs = [(row, first.setdefault(image.tobytes(), row)) for row, image in enumerate(images)]
    return _pairs([(row, earlier) for row, earlier in pairs if row != earlier])


def leaks(train_images: np.ndarray, test_images: np.ndarray) -> np.ndarray:
    """int (k, 2): each test row whose image is also a labelled one, and that labelled row."""
    known = {image.tobytes(): row for row, image in reversed(list(enumerate(train_images)))}
    keys = (image.tobytes() for image in test_images)
    return _pairs([(row, known[key]) for row, key in enumerate(keys) if key in known])


def _pairs(pairs) -> np.ndarray:
    return np.array(pairs, np.int64).reshape(-1, 2)
