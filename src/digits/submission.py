"""The submission: what Kaggle is sent."""

import numpy as np


def to_csv(probabilities: np.ndarray) -> str:
    """Kaggle's CSV, "ImageId,Label" with ids from 1, of probabilities (n, 10)."""
    lines = [f"{row},{label}" for row, label in enumerate(probabilities.argmax(axis=1), start=1)]
    return "\n".join(["ImageId,Label", *lines]) + "\n"
