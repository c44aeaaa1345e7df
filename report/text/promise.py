"""What is known of the submission's score, in words: which networks were judged, on which rows, and
which were submitted. Every sentence is made from the counts of what was done."""

from dataclasses import dataclass

from report.pages.study import Study
from report.text.formats import decimal, number, percent, plural, span


@dataclass(frozen=True)
class PromiseInWords:
    """`figure`: what the accuracy at the top of the site is of; `relation`: how what was judged relates
    to what was submitted; `refit_verdict`: what the refit did, as far as there are rows that tell, empty
    without one; `expected_score`: where the score of the submission is expected."""

    figure: str
    relation: str
    refit_verdict: str
    expected_score: str


def in_words(study: Study) -> PromiseInWords:
    return PromiseInWords(_figure(study), _relation(study), _refit_verdict(study), _expected_score(study))


def refit_rows(study: Study) -> str:
    return span([len(member.rows.refit_training) for member in study.members])


def _figure(study: Study) -> str:
    expected, kind = number(study.promise.expected.count), study.promise.kind
    if kind == "folds":
        return f"of all {expected} labelled digits, each judged by {_judges(study)} that had not learned from it"
    if kind == "refit" and study.promise.after:
        return f"of the {expected} digits that neither the fit nor the refit learned from, after the refit"
    unseen = f"of {expected} digits that {_networks(study)} had not learned from"
    return f"{unseen}, before the refit" if kind == "refit" else unseen


def _relation(study: Study) -> str:
    kind, judged, refit = study.promise.kind, study.evaluation, study.run.record.recipe.refit
    if kind == "folds":
        return (f"The mean of all {len(study.members)} networks made the submission. It is as good or better "
                "than those that judged: the figure is a lower bound.")
    if kind == "same":
        many = len(study.members) > 1
        return (f"The mean of the {len(study.members)} networks’ probabilities was judged, and made the submission."
                if many else "The network that was judged made the submission.")
    return (f"The {number(judged.count)} validation rows judged {_networks(study)} before the refit. The "
            f"submission was made after it: {plural(refit.epochs, 'more epoch')} on {refit_rows(study)} rows.")


def _refit_verdict(study: Study) -> str:
    before, after = study.promise.before, study.promise.after
    if study.promise.kind != "refit":
        return ""
    if after is None:
        return ("No row is left that neither the fit nor the refit learned from, so nothing is known of how "
                "the refit changed the network.")
    verdict = "The refit made the network worse: on" if study.promise.refit_made_it_worse else "On"
    return (f"{verdict} the {plural(after.count, 'row')} that neither fit learned from, the refit took the loss "
            f"from {decimal(before.loss)} to {decimal(after.loss)} and the accuracy from "
            f"{percent(before.accuracy)} to {percent(after.accuracy)}.")


def _expected_score(study: Study) -> str:
    rows = study.run.record.data.test_rows
    low, high = study.promise.expected.interval_of_score(rows)
    unknown = study.promise.kind == "refit" and study.promise.after is None
    of_what = "the score before the refit would have been" if unknown else "its score is"
    more = ", or above" if study.promise.kind == "folds" else ""
    return (f"On the {number(rows)} test rows {of_what} expected between {percent(low)} and {percent(high)}{more} "
            "(95% interval).")


def _networks(study: Study) -> str:
    count = len(study.members)
    return "the network" if count == 1 else f"the mean of {count} networks"


def _judges(study: Study) -> str:
    seeds = study.run.record.recipe.seeds
    return "a network" if seeds == 1 else f"the mean of {seeds} networks"
