"""The data: both tables, the digits, class balance, duplicates and leaks."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from report.figures import charts, images
from report.output.bundle import Bundle
from report.pages.shared import Digit, Picture, Share, digit, picture, shares
from report.pages.study import Study
from report.text import formats

FIRST = range(3, 9)  # the six rows that the notebook drew
PIXELS = [0, *range(402, 406), 783]  # shown of a row: the corners, and some of the middle of the image
GRID_COLUMNS = 16


@dataclass(frozen=True)
class Context:
    """`classes` has the mean image of each digit, and examples. Of the duplicates, as (row, earlier row):
    those with `contradictions` between their labels, and those `across` a split, learned from and judged."""

    digits: list[Digit]
    pixels: list[int]
    grid: Picture
    training: list[Share]
    validation: list[Share]
    classes: list[tuple[Picture, Picture]]
    balance: Markup
    contradictions: list[list[int]]
    across: list[list[int]]


def context(study: Study, bundle: Bundle) -> Context:
    data, labels, pairs = study.run.data, study.run.data.first_labels, study.run.data.duplicates
    training, validation = shares(data.train_labels[study.first.rows.training]), shares(study.evaluation.truth)
    return Context(
        digits=[digit(bundle, f"images/data/row-{row}.png", row, labels[row], data.first_images[row])
                for row in FIRST if row < len(labels)],
        pixels=PIXELS,
        grid=picture(bundle, "images/data/first.png", images.sheet(data.first_images, GRID_COLUMNS),
                     f"The first {formats.plural(len(labels), 'row')} as images; "
                     f"their labels are {', '.join(map(str, labels))}"),
        training=training, validation=validation,
        classes=[(picture(bundle, f"images/data/mean-{label}.png", mean, f"The mean of all {label}s"),
                  picture(bundle, f"images/data/examples-{label}.png", images.sheet(examples, len(examples)),
                          f"{len(examples)} handwritten {label}s"))
                 for label, (mean, examples) in enumerate(zip(data.class_means, data.class_images))],
        balance=study.drawings.svg(
            charts.shares, "balance", "Bar chart: the share of each digit among the training rows and the "
            "validation rows; the table beside it has the numbers.",
            {"training rows": [each.share for each in training],
             "validation rows": [each.share for each in validation]}),
        contradictions=[pair for pair in pairs.tolist() if len(set(data.train_labels[pair])) > 1],
        across=_across(study, pairs).tolist())


def _across(study: Study, pairs: np.ndarray) -> np.ndarray:
    across = np.zeros(len(pairs), bool)
    for member in study.members:
        learned, judged = np.isin(pairs, member.rows.training), np.isin(pairs, member.rows.validation)
        across |= (learned & judged[:, ::-1]).any(axis=1)
    return pairs[across]
