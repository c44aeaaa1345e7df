"""Every misclassified digit, the most confident first, and by confusion."""

from dataclasses import dataclass

from report.output.bundle import Bundle
from report.pages.shared import MisclassifiedDigit, misclassified_digits
from report.pages.study import Study

# Beyond these the page shows only the image and the two labels, so that even a network that
# learned nothing gets a page that opens at once. Good ones misclassify a tenth of that.
LARGE = 400


@dataclass(frozen=True)
class Context:
    """`groups` has the digits of each confusion, by their true and their predicted label."""

    large: list[MisclassifiedDigit]
    small: list[MisclassifiedDigit]
    groups: dict[tuple[int, int], list[MisclassifiedDigit]]


def context(study: Study, bundle: Bundle) -> Context:
    shown, groups = misclassified_digits(study, bundle), {}
    for digit in shown:
        groups.setdefault((digit.true, digit.predicted), []).append(digit)
    return Context(shown[:LARGE], shown[LARGE:], groups)
