"""Augmentation: each image turned, stretched, moved and bent a little, as another hand might write it."""

import cv2
import numpy as np

from digits.recipe import Augmentation

# The notebook's numbers: what the report shows where a recipe does not augment.
NOTEBOOK = Augmentation(rotation=10, zoom=0.1, shift=0.1)
# Of the views of test-time augmentation all but the first: degrees, zoom, pixels right and down.
VIEWS = [(6, 1, 0, 0), (-6, 1, 0, 0), (0, 1.06, 0, 0), (0, 0.94, 0, 0),
         (0, 1, 1, 0), (0, 1, -1, 0), (0, 1, 0, 1), (0, 1, 0, -1)]
GRID = 5  # points a side between which elastic displacements are smooth

cv2.setNumThreads(1)  # images are too small to share; PlaidML has the cores


def augment(images: np.ndarray, limits: Augmentation, random: np.random.Generator) -> np.ndarray:
    """A variation of each image, uint8 (n, h, w); the same generator state makes the same ones.

    Turned by up to `rotation` degrees, stretched by up to `zoom` along each axis and moved by up to
    `shift` of the size, about the centre, all uniformly; then bent by smooth displacements, in the
    manner of Simard, Steinkraus and Platt (2003). What comes in from outside is paper (0).
    """
    columns, rows = _places(images.shape, limits, random)
    varied = np.empty_like(images)
    for image, into, column, row in zip(images, varied, columns, rows):
        cv2.remap(image, column, row, cv2.INTER_LINEAR, dst=into)
    return varied


def _places(shape, limits: Augmentation, random) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of the new images comes from in the old ones: columns and rows, both float32
    (n, h, w)."""
    count, height, width = shape
    angle = np.radians(random.uniform(-limits.rotation, limits.rotation, (count, 1, 1)))
    zoom_y, zoom_x = random.uniform(1 - limits.zoom, 1 + limits.zoom, (2, count, 1, 1))
    shift_y, shift_x = random.uniform(-limits.shift, limits.shift, (2, count, 1, 1))
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y, x = np.arange(height)[:, None] - middle_y, np.arange(width) - middle_x
    sine, cosine = np.sin(angle), np.cos(angle)
    columns = (cosine * x - sine * y) / zoom_x + middle_x - shift_x * width
    rows = (sine * x + cosine * y) / zoom_y + middle_y - shift_y * height
    if limits.elastic:
        bend = random.normal(0, limits.elastic, (2, count, GRID, GRID))
        bend = _smoothing(height) @ bend @ _smoothing(width).T
        columns, rows = columns + bend[0], rows + bend[1]
    return columns.astype(np.float32), rows.astype(np.float32)


def _smoothing(size: int) -> np.ndarray:
    """(size, GRID): independent values at the grid's points become a smooth line of the same variance."""
    points = np.linspace(0, size - 1, GRID)
    weights = np.exp(-((np.arange(size)[:, None] - points) / (0.18 * size)) ** 2 / 2)
    return weights / np.sqrt((weights ** 2).sum(axis=1, keepdims=True))


def views(images: np.ndarray, count: int) -> list[np.ndarray]:
    """The images, and `count` - 1 fixed variations of all of them: turned, zoomed, then moved by a
    pixel. Each uint8 (n, h, w)."""
    middle = (images.shape[2] - 1) / 2, (images.shape[1] - 1) / 2
    found = [images]
    for degrees, zoom, right, down in VIEWS[:count - 1]:
        matrix = cv2.getRotationMatrix2D(middle, degrees, zoom)
        matrix[:, 2] += right, down
        found.append(np.stack([cv2.warpAffine(image, matrix, image.shape[::-1]) for image in images])
                     if len(images) else images)
    return found
