"""Every misclassified digit, the most confident first, and by confusion; and why."""

from dataclasses import dataclass

import numpy as np

from report.figures import images
from report.output.bundle import Bundle
from report.pages.shared import JudgedDigit, Picture, drawing, misclassified_digits
from report.pages.study import Study
from report.text import formats

# Beyond these the page shows only the image and the two labels, so that even a network that
# learned nothing gets a page that opens at once. Good ones misclassify a tenth of that.
LARGE = 400
LEAST_CHANGE = 0.05  # of a probability: what is less is drawn pale
ACROSS, DOWN = ("left", "middle", "right"), ("top", "middle", "bottom")


@dataclass(frozen=True)
class Explanation:
    """Why a digit was misclassified: its nearest training digits, and which parts of it speak for the true
    label and for the predicted one. A part speaks for a label that loses probability where it is covered."""

    neighbours: Picture
    neighbour_labels: list[int]
    support: Picture


@dataclass(frozen=True)
class Context:
    """`groups` has the digits of each confusion, by their true and their predicted label; `explained` an
    explanation by row of the most confident ones."""

    large: list[JudgedDigit]
    small: list[JudgedDigit]
    groups: dict[tuple[int, int], list[JudgedDigit]]
    explained: dict[int, Explanation]


def context(study: Study, bundle: Bundle) -> Context:
    shown, groups = misclassified_digits(study, bundle), {}
    for digit in shown:
        groups.setdefault((digit.true, digit.predicted), []).append(digit)
    explained = {digit.row: explanation for digit in shown[:LARGE]
                 if (explanation := _explanation(study, bundle, digit))}
    return Context(shown[:LARGE], shown[LARGE:], groups, explained)


def _explanation(study: Study, bundle: Bundle, digit: JudgedDigit) -> Explanation | None:
    found = study.explanation(digit.row)
    if not found:
        return None
    stored, place = found
    rows, covered = stored.neighbour_rows[place], stored.occlusion[place].astype(float)
    labels = study.run.data.train_labels[rows].tolist()
    neighbours = drawing(
        bundle, f"images/misclassified/row-{digit.row}-nearest.png", images.digits(stored.neighbour_images[place]),
        "Its nearest training digits: " + ", ".join(f"{formats.a_digit(label)} (row {row})"
                                                    for label, row in zip(labels, rows)))
    change = covered[:, :1, :1] - covered  # in the corner the cover lies on paper alone
    pixels = study.images[digit.row]
    large = np.kron(change, np.ones((1, 2, 2)))
    support = drawing(
        bundle, f"images/misclassified/row-{digit.row}-support.png",
        images.support(pixels, large / np.abs(large).max(axis=(1, 2), keepdims=True).clip(LEAST_CHANGE)),
        " ".join(_strongest(label, of_label, covered_label)
                 for label, of_label, covered_label in zip((digit.true, digit.predicted), change, covered)))
    return Explanation(neighbours, labels, support)


def _strongest(label: int, change: np.ndarray, covered: np.ndarray) -> str:
    """Which part speaks most for a label, in words."""
    row, column = np.unravel_index(change.argmax(), change.shape)
    down, across = (names[3 * place // len(change)] for names, place in ((DOWN, row), (ACROSS, column)))
    where = "middle" if down == across else f"{down} {across}"
    return (f"The {where} speaks most for {label}: covered, its probability goes from "
            f"{formats.percent(covered[0, 0], 0)} to {formats.percent(covered[row, column], 0)}.")
