"""The overview: how good, on what, how trained, what next."""

from dataclasses import dataclass

from digits.run import FIT, REFIT, DataFacts, DeviceFacts
from report.output.bundle import Bundle
from report.pages.shared import Download, MisclassifiedDigit, misclassified_digits, submission_download
from report.pages.study import Study
from report.text import promise

SHOWN = 12


@dataclass(frozen=True)
class Context:
    """`accuracy` is what comes nearest to the submission's score, `figure` says what it is of."""

    accuracy: float
    figure: str
    expected_score: str
    refit_verdict: str
    refit_made_it_worse: bool
    errors: int
    count: int
    data: DataFacts
    devices: list[DeviceFacts]
    networks: int
    parameters: int
    epochs: int
    refit_epochs: int
    refit_rows: str
    seconds: float
    most_confident: list[MisclassifiedDigit]
    submission: Download


def context(study: Study, bundle: Bundle) -> Context:
    judged = study.evaluation
    return Context(
        accuracy=study.promise.expected.accuracy, figure=promise.figure(study),
        expected_score=promise.expected_score(study), refit_verdict=promise.refit_verdict(study),
        refit_made_it_worse=study.promise.refit_made_it_worse,
        errors=judged.errors, count=judged.count, data=study.run.record.data, devices=study.devices,
        networks=len(study.members), parameters=study.parameters,
        epochs=len(study.mean_epochs(FIT)), refit_epochs=len(study.mean_epochs(REFIT)),
        refit_rows=promise.refit_rows(study), seconds=study.seconds,
        most_confident=misclassified_digits(study, bundle, judged.misclassified[:SHOWN], with_bars=0),
        submission=submission_download(study, bundle))
