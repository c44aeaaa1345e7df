"""Beat the network: misclassified digits among others, their labels hidden until the reader has answered."""

import hashlib
from dataclasses import dataclass

import numpy as np

from report.output.bundle import Bundle
from report.pages.shared import JudgedDigit, judged_digit
from report.pages.study import Study

HALF = 10  # of a round


@dataclass(frozen=True)
class Context:
    """A round: `wrong` misclassified digits, and as many of the `held` that were read right and whose images
    are in the run, as far as there are so many."""

    questions: list[JudgedDigit]
    wrong: int
    held: int


def context(study: Study, bundle: Bundle) -> Context:
    """The misclassified digits are taken evenly from the most to the least confident, the others are the least
    confident. They come in the order of a checksum of their row, which knows nothing of either."""
    judged = study.evaluation
    count = min(HALF, judged.errors)
    wrong = judged.misclassified[np.linspace(0, judged.errors - 1, count).astype(int)]
    held = np.flatnonzero((judged.predicted == judged.truth) & np.isin(judged.rows, list(study.images)))
    right = held[np.argsort(judged.confidence[held], kind="stable")[:count]]
    places = sorted([*wrong, *right], key=lambda place: hashlib.sha256(b"%d" % judged.rows[place]).digest())
    return Context([judged_digit(study, bundle, place, "images/quiz", "A handwritten digit, to be read")
                    for place in places], count, len(held))
