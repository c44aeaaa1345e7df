"""The overview: how good, on what, how trained, what next."""

from dataclasses import dataclass

from report.output.bundle import Bundle
from report.pages.shared import Download, MisclassifiedDigit, misclassified_digits, submission_download
from report.pages.study import Study

SHOWN = 12


@dataclass(frozen=True)
class Context:
    most_confident: list[MisclassifiedDigit]
    submission: Download


def context(study: Study, bundle: Bundle) -> Context:
    return Context(misclassified_digits(study, bundle, SHOWN), submission_download(study, bundle))
