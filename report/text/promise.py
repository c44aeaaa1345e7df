"""What is known of the submission's score, in words: which networks were judged, on which rows, and
which were submitted. Every sentence is made from the counts of what was done."""

from report.pages.study import Study
from report.text.formats import decimal, number, percent, plural, span


def figure(study: Study) -> str:
    """What the accuracy at the top of the site is of."""
    expected, kind = number(study.promise.expected.count), study.promise.kind
    if kind == "folds":
        judges = _networks(study.recipe.seeds, "a")
        return f"of all {expected} labelled digits, each judged by {judges} that had not learned from it"
    if kind == "refit" and study.promise.after:
        return f"of the {expected} digits that neither the fit nor the refit learned from, after the refit"
    unseen = f"of {expected} digits that {_networks(len(study.members))} had not learned from"
    return f"{unseen}, before the refit" if kind == "refit" else unseen


def relation(study: Study) -> str:
    """How what was judged relates to what was submitted."""
    kind, networks, count = study.promise.kind, len(study.members), number(study.evaluation.count)
    if kind == "folds":
        return (f"The mean of all {networks} networks made the submission. It is as good or better "
                "than those that judged: the figure is a lower bound.")
    if kind == "same" and networks > 1:
        return f"The mean of the {networks} networks’ probabilities was judged, and made the submission."
    if kind == "same":
        return "The network that was judged made the submission."
    return (f"The {count} validation rows judged {_networks(networks)} before the refit. The submission was made "
            f"after it: {plural(study.recipe.refit.epochs, 'more epoch')} on {refit_rows(study)} rows.")


def refit_rows(study: Study) -> str:
    return span([len(member.rows.refit_training) for member in study.members])


def refit_verdict(study: Study) -> str:
    """What the refit did, as far as there are rows that tell; empty without one."""
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


def expected_score(study: Study) -> str:
    """Where the score of the submission is expected."""
    rows = study.data.test_rows
    low, high = study.promise.expected.interval_of_score(rows)
    unknown = study.promise.kind == "refit" and study.promise.after is None
    of_what = "the score before the refit would have been" if unknown else "its score is"
    more = ", or above" if study.promise.kind == "folds" else ""
    return (f"On the {number(rows)} test rows {of_what} expected between {percent(low)} and {percent(high)}{more} "
            "(95% interval).")


def _networks(count: int, article: str = "the") -> str:
    return f"{article} network" if count == 1 else f"the mean of {count} networks"


FILTERS = {f.__name__: f for f in (figure, relation, refit_rows, refit_verdict, expected_score)}
