"""How a digit is written, measured on its image: thickness, slant, size, and where it stands."""

import cv2
import numpy as np

from digits.run import Handwriting

INK = 128  # a pixel from which on it is ink
EXAMPLES = 7
TRAITS = "thickness", "slant", "size", "centring"


def handwriting(rows: np.ndarray, images: np.ndarray) -> Handwriting:
    """The traits of the judged rows, with examples of each end. images: all labelled ones."""
    traits = measure(images[rows])
    orders = np.argsort(traits, axis=0, kind="stable").T                      # (4, n)
    count = min(EXAMPLES, len(rows))
    extremes = np.stack([orders[:, :count], orders[:, ::-1][:, :count]], axis=1)  # (4, 2, count)
    return Handwriting(rows, traits, rows[extremes], images[rows[extremes]])


def measure(images: np.ndarray) -> np.ndarray:
    """float32 (n, 4), in the order of TRAITS, of uint8 images (n, 28, 28); all 0 of one without ink.

    thickness: pixels, twice the area of the ink over the length of its outline, as of a long stroke.
    slant: degrees from upright, to the right above 0, from the moments (mu11 / mu02) of the ink.
    size: pixels, the side of a square as large as the box around the ink (MNIST's longer side is 20 in
    nearly all). centring: pixels from the middle of that box to the middle of the image.
    """
    return np.array([_measure(image) for image in images], np.float32).reshape(-1, len(TRAITS))


def _measure(image: np.ndarray) -> tuple[float, float, float, float]:
    ink = (image >= INK).astype(np.uint8)
    if not ink.any():
        return 0, 0, 0, 0
    outlines, _ = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    length = sum(cv2.arcLength(outline, True) for outline in outlines)
    moments = cv2.moments(image)
    slant = -np.degrees(np.arctan2(moments["mu11"], moments["mu02"])) if moments["mu02"] else 0.0
    left, top, width, height = cv2.boundingRect(ink)
    off_centre = np.hypot(left + width / 2 - image.shape[1] / 2, top + height / 2 - image.shape[0] / 2)
    return 2 * ink.sum() / max(length, 1), slant, np.sqrt(width * height), off_centre
