"""Every misclassified digit, the most confident first, and by confusion."""

from dataclasses import dataclass

from digits.evaluation import Confusion
from report.output.bundle import Bundle
from report.pages.shared import MisclassifiedDigit, misclassified_digits
from report.pages.study import Study

# Beyond these the page shows only the image and the two labels, so that even a network that
# learned nothing gets a page that opens at once. Good ones misclassify a tenth of that.
LARGE = 400


@dataclass(frozen=True)
class ConfusionGroup:
    """All digits of one confusion, for the index."""

    confusion: Confusion
    digits: list[MisclassifiedDigit]


@dataclass(frozen=True)
class Context:
    count: int
    large: list[MisclassifiedDigit]
    small: list[MisclassifiedDigit]
    groups: list[ConfusionGroup]


def context(study: Study, bundle: Bundle) -> Context:
    judged = study.evaluation
    shown = misclassified_digits(study, bundle, judged.misclassified, with_bars=LARGE)
    return Context(
        count=judged.count, large=shown[:LARGE], small=shown[LARGE:],
        groups=[ConfusionGroup(confusion, [digit for digit in shown if (digit.true, digit.predicted)
                                           == (confusion.true, confusion.predicted)])
                for confusion in judged.confusions])
