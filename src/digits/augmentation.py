"""Augmentation: each image turned, stretched and moved a little, as another hand might write it.

The notebook's numbers, which are also those that pay on these digits. No run trains with it yet.
"""

import math

import numpy as np

ROTATION, ZOOM, SHIFT = 10, 0.1, 0.1  # degrees either way; parts of the size, either way


def augment(images: np.ndarray, seed: int, rotation: float = ROTATION, zoom: float = ZOOM,
            shift: float = SHIFT) -> np.ndarray:
    """A variation of each image, uint8 (n, h, w); the same seed makes the same variations.

    Turned by up to `rotation` degrees, stretched by up to `zoom` along each axis and moved by up
    to `shift` of the size, about the centre. What comes in from outside is paper (0).
    """
    from scipy.ndimage import affine_transform

    random = np.random.RandomState(seed)
    size = np.array(images.shape[1:])
    centre = (size - 1) / 2
    made = np.empty_like(images)
    for index, image in enumerate(images):
        angle = math.radians(random.uniform(-rotation, rotation))
        scale = random.uniform(1 - zoom, 1 + zoom, 2)
        move = random.uniform(-shift, shift, 2) * size
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        back = turn / scale  # from a place in the new image to its place in the old one
        made[index] = affine_transform(image, back, centre - back @ (centre + move), order=1)
    return made
