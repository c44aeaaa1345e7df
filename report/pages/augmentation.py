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
    originals: Picture
    augmented: Picture
    variations: list[tuple[Digit, Picture]]


def context(study: Study, bundle: Bundle) -> Context:
    stored, labels = study.run.augmentation, study.run.data.first_labels
    of_labels = ", ".join(map(str, labels))

    def variations(row: int, varied) -> tuple[Digit, Picture]:
        return (digit(bundle, f"{FOLDER}/row-{row}.png", row, labels[row], stored.images[row]),
                picture(bundle, f"{FOLDER}/row-{row}-augmented.png", images.sheet(varied, len(varied)),
                        f"{len(varied)} variations of row {row}, {formats.a_digit(labels[row])}"))

    return Context(
        picture(bundle, f"{FOLDER}/originals.png", images.sheet(stored.images, COLUMNS),
                f"The originals: {of_labels}"),
        picture(bundle, f"{FOLDER}/augmented.png", images.sheet(stored.augmented, COLUMNS),
                f"Their variations, each in its place: {of_labels}"),
        [variations(row, varied) for row, varied in zip(stored.varied_rows.tolist(), stored.variations)])
