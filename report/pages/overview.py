"""The overview: how good, on what, how trained, what next."""

from dataclasses import dataclass

from digits.evaluation import Evaluation, Promise
from digits.run import FIT, REFIT, DataFacts, DeviceFacts
from report.output.bundle import Bundle
from report.pages.shared import Download, MisclassifiedDigit, misclassified_digits, submission_download
from report.pages.study import Study
from report.text.promise import PromiseInWords, in_words, refit_rows

SHOWN = 12


@dataclass(frozen=True)
class Context:
    promise: Promise
    told: PromiseInWords
    judged: Evaluation
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
        promise=study.promise, told=in_words(study), judged=judged, data=study.run.record.data, devices=study.devices,
        networks=len(study.members), parameters=study.parameters,
        epochs=len(study.mean_epochs(FIT)), refit_epochs=len(study.mean_epochs(REFIT)),
        refit_rows=refit_rows(study), seconds=study.seconds,
        most_confident=misclassified_digits(study, bundle, judged.misclassified[:SHOWN], with_bars=0),
        submission=submission_download(study, bundle))
