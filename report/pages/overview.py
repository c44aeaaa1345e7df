"""The overview: how good, on what, how trained, what next."""

from report.contexts import OverviewContext
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle

SHOWN = 12


def context(study: Study, bundle: Bundle) -> OverviewContext:
    judged, record = study.evaluation, study.run.record
    return OverviewContext(
        accuracy=judged.accuracy, low=judged.interval[0], high=judged.interval[1],
        errors=judged.errors, count=judged.count, data=record.data, device=record.device,
        parameters=study.parameters, epochs=len(study.fit), refit_epochs=len(study.refit),
        seconds=study.seconds, worst=parts.mistakes(study, judged.mistakes[:SHOWN], with_bars=0),
        submission=parts.submission_download(study))
