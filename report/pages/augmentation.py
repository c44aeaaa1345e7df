"""Augmentation: digits of the data beside the variations of them that were stored with the run."""

from dataclasses import dataclass

from report.figures import images
from report.output.bundle import Bundle
from report.pages.shared import Digit, Picture, picture
from report.pages.study import Study

COLUMNS = 8


@dataclass(frozen=True)
class Context:
    """`used`: this run trained with such variations. The limits are those of digits.recipe.Augmentation."""

    used: bool
    rotation: float
    zoom: float
    shift: float
    elastic: float
    count: int
    originals: Picture
    augmented: Picture
    variations: list[tuple[Digit, Picture]]


def context(study: Study, bundle: Bundle) -> Context:
    stored, labels = study.run.augmentation, study.run.data.first_labels
    of_labels = ", ".join(map(str, labels))
    rotation, zoom, shift, elastic = stored.limits.tolist()
    return Context(
        used=bool(stored.used[0]), rotation=rotation, zoom=zoom, shift=shift, elastic=elastic,
        count=len(stored.images),
        originals=picture(bundle, "images/augmentation/originals.png", images.sheet(stored.images, COLUMNS),
                          f"The originals: {of_labels}"),
        augmented=picture(bundle, "images/augmentation/augmented.png", images.sheet(stored.augmented, COLUMNS),
                          f"Their variations, each in its place: {of_labels}"),
        variations=[_variations(bundle, row, int(labels[row]), stored.images[row], variations)
                    for row, variations in zip(stored.varied_rows.tolist(), stored.variations)
                    if row < len(labels)])


def _variations(bundle: Bundle, row: int, label: int, image, variations) -> tuple[Digit, Picture]:
    original = picture(bundle, f"images/augmentation/row-{row}.png", image, f"Row {row}: a handwritten {label}")
    return Digit(row, label, original), picture(
        bundle, f"images/augmentation/row-{row}-augmented.png", images.sheet(variations, len(variations)),
        f"{len(variations)} variations of row {row}, a {label}")
