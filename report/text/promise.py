"""What is known of the submission's score, in words: which networks were judged, on which rows, and
which were submitted. Every sentence is made from the counts of what was done."""

from report.pages.study import Study
from report.text.formats import decimal, number, percent, plural, span


def figure(study: Study) -> str:
    """What the accuracy at the top of the site is of."""
    expected, kind = number(study.promise.expected.count), study.promise.kind
    if kind == "folds":
        return f"of all {expected} labelled digits, each judged by {_judges(study)} that had not learned from it"
    if kind == "refit" and study.promise.after:
        return f"of the {expected} digits that neither the fit nor the refit learned from, after the refit"
    unseen = f"of {expected} digits that {_networks(study)} had not learned from"
    return f"{unseen}, before the refit" if kind == "refit" else unseen


def relation(study: Study) -> str:
    """How what was judged relates to what was submitted."""
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


def refit_verdict(study: Study) -> str:
    """What the refit did, as far as there are rows that tell; "" without a refit."""
    before, after = study.promise.before, study.promise.after
    if study.promise.kind != "refit":
        return ""
    if after is None:
        return ("No row is left that neither the fit nor the refit learned from, so nothing is known of how "
                "the refit changed the network.")
    verdict = "made the network worse" if study.promise.refit_made_it_worse else "did no harm"
    return (f"The refit {verdict}: on the {plural(after.count, 'row')} that neither fit learned from, the "
            f"accuracy was {percent(before.accuracy)} before it and {percent(after.accuracy)} after it, the "
            f"loss {decimal(before.loss)} and {decimal(after.loss)}.")


def expected_score(study: Study) -> str:
    """Where the score of the submission is expected."""
    low, high = score_interval(study)
    rows = number(study.run.record.data.test_rows)
    of_what = "the score before the refit would have been" if _is_unknown(study) else "its score is"
    more = ", or above" if study.promise.kind == "folds" else ""
    return (f"On the {rows} test rows {of_what} expected between {percent(low)} and {percent(high)}{more} "
            "(95% interval).")


def score_interval(study: Study) -> tuple[float, float]:
    return study.promise.expected.interval_of_score(study.run.record.data.test_rows)


def refit_rows(study: Study) -> str:
    return span([len(member.rows.refit_training) for member in study.members])


def _is_unknown(study: Study) -> bool:
    return study.promise.kind == "refit" and study.promise.after is None


def _networks(study: Study) -> str:
    count = len(study.members)
    return "the network" if count == 1 else f"the mean of {count} networks"


def _judges(study: Study) -> str:
    seeds = study.run.record.recipe.seeds
    return "a network" if seeds == 1 else f"the mean of {seeds} networks"
