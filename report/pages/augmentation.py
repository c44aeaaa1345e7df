"""The augmentation: the notebook's 64 originals beside what the generator makes of them."""

import numpy as np

from digits.augmentation import ROTATION, SHIFT, ZOOM, augment
from report.figures import images
from report.contexts import AugmentationContext, Digit
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle

SEED, COLUMNS = 333, 8
VARIED, VARIATIONS = range(3, 9), 10  # the six rows of the notebook


def context(study: Study, bundle: Bundle) -> AugmentationContext:
    originals = study.run.preview.first_images
    labels = ", ".join(map(str, study.run.preview.first_labels))
    return AugmentationContext(
        rotation=ROTATION, zoom=ZOOM, shift=SHIFT, seed=SEED,
        originals=parts.picture(bundle, "images/augmentation/originals.png",
                                images.sheet(originals, COLUMNS), f"The originals: {labels}"),
        made=_drawn(study, bundle, "images/augmentation/made.png", originals, COLUMNS, SEED,
                    f"What is made of them, each in its place: {labels}"),
        variations=[_variations(study, row, bundle) for row in VARIED if row < len(originals)])


def _variations(study: Study, row: int, bundle: Bundle):
    image, label = study.run.preview.first_images[row], int(study.run.preview.first_labels[row])
    original = parts.picture(bundle, f"images/augmentation/row-{row}.png", image,
                             f"Row {row}: a handwritten {label}")
    return Digit(row, label, original), _drawn(
        study, bundle, f"images/augmentation/row-{row}-made.png",
        np.repeat(image[None], VARIATIONS, axis=0), VARIATIONS, SEED + row,
        f"{VARIATIONS} variations of row {row}, a {label}")


def _drawn(study: Study, bundle: Bundle, path: str, originals: np.ndarray, columns: int, seed: int,
           alt: str):
    png = study.drawings.png(_made, originals, columns, seed)
    return parts.Picture(bundle.add(path, png), *images.sheet_size(originals.shape, columns), alt)


def _made(originals: np.ndarray, columns: int, seed: int) -> bytes:
    return images.digit(images.sheet(augment(originals, seed), columns))
