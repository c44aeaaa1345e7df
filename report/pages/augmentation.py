"""Augmentation: digits of the data beside the variations of them that were stored with the run."""

from dataclasses import dataclass

from report.figures import images
from report.output.bundle import Bundle
from report.pages.shared import Digit, Picture, digit, picture
from report.pages.study import Study
from report.text import formats

COLUMNS = 8
FOLDER = "images/augmentation"


@dataclass(frozen=True)
class Context:
    """`used`: this run trained with such variations. `limits` say how far the images are varied."""

    used: bool
    limits: list[str]
    count: int
    originals: Picture
    augmented: Picture
    variations: list[tuple[Digit, Picture]]


def context(study: Study, bundle: Bundle) -> Context:
    stored, labels = study.run.augmentation, study.run.data.first_labels
    of_labels = ", ".join(map(str, labels))

    def variations(row: int, varied) -> tuple[Digit, Picture]:
        return (digit(bundle, f"{FOLDER}/row-{row}.png", row, labels[row], stored.images[row]),
                picture(bundle, f"{FOLDER}/row-{row}-augmented.png", images.sheet(varied, len(varied)),
                        f"{len(varied)} variations of row {row}, a {labels[row]}"))

    return Context(
        used=bool(stored.used[0]), limits=_limits(*stored.limits.tolist()), count=len(stored.images),
        originals=picture(bundle, f"{FOLDER}/originals.png", images.sheet(stored.images, COLUMNS),
                          f"The originals: {of_labels}"),
        augmented=picture(bundle, f"{FOLDER}/augmented.png", images.sheet(stored.augmented, COLUMNS),
                          f"Their variations, each in its place: {of_labels}"),
        variations=[variations(row, varied) for row, varied in zip(stored.varied_rows.tolist(), stored.variations)
                    if row < len(labels)])


def _limits(rotation: float, zoom: float, shift: float, elastic: float) -> list[str]:
    return [text for limit, text in (
        (rotation, f"turned by up to {rotation:g}° either way (rotation)"),
        (zoom, f"stretched by up to {formats.percent(zoom, 0)} (zoom)"),
        (shift, f"moved by up to {28 * shift:.1f} pixels (shift)"),
        (elastic, f"bent by smooth displacements of about {elastic:g} pixels (elastic distortion)")) if limit]
