"""What the pages say of the submission is what was done: which networks were judged, on which rows, and
which were submitted."""

import pytest
from pages_as_trees import read_html, text_of

from report.output.render import render
from report.pages.study import Study
from report.settings import SiteSettings
from report.text import formats
from report.text.facts import facts
from report.text.promise import figure


@pytest.fixture
def pages(make_run, tmp_path):
    """pages(folds=5) renders such a run and gives its study and the text of a page by name."""
    def rendered(**changes):
        run = make_run(**changes)
        render(run, tmp_path / "site", tmp_path / "no notes", SiteSettings())
        return Study(run), lambda name: text_of(read_html(tmp_path / "site" / f"{name}.html").find(".//main"))
    return rendered


def interval(evaluation) -> str:
    low, high = evaluation.interval_of_score(40)
    return f"expected between {formats.percent(low)} and {formats.percent(high)}"


def test_without_a_refit_the_judged_network_is_the_submitted_one(pages):
    studied, page = pages(refit=False)
    answer = f"91.67% of 60 digits that the network had not learned from were read right On the 40 test rows its score is " \
             f"{interval(studied.evaluation)}"
    assert answer in page("index")
    assert "The network that was judged made the submission." in page("submission")
    assert interval(studied.evaluation) in page("submission")


def test_of_several_seeds_the_mean_is_judged_and_submitted(pages):
    studied, page = pages(refit=False, seeds=3)
    assert studied.promise.kind == "same"
    assert "of 60 digits that the mean of 3 networks had not learned from" in page("index")
    assert "The mean of the 3 networks’ probabilities was judged, and made the submission." in page("submission")


def test_of_folds_the_figure_is_a_lower_bound_from_all_rows(pages):
    studied, page = pages(folds=5)
    assert "97.50% of all 200 labelled digits, each judged by a network that had not learned from it" \
        in page("index")
    assert f"{interval(studied.evaluation)}, or above" in page("index")
    assert "The mean of all 5 networks made the submission. It is as good or better" in page("submission")


def test_after_a_refit_the_rows_that_neither_fit_learned_from_are_the_promise(pages):
    studied, page = pages()
    for name in "index", "submission":
        assert "100.00% of the 6 digits that neither the fit nor the refit learned from, after the refit" \
            in page(name)
        assert interval(studied.promise.after) in page(name)
    assert "The 60 validation rows judged the network before the refit. The submission was made after it: " \
        "2 more epochs on 160 rows." in page("submission")
    for name in "training", "submission", "index":
        assert "On the 6 rows that neither fit learned from, the refit took the loss from 0.0090 to 0.0050 " \
            "and the accuracy from 100.00% to 100.00%." in page(name)
        assert "made the network worse" not in page(name)
    assert "learned from 160 rows" in page("training")
    assert "Of the 40 rows that the refit validates on, 34 had been learned from in the fit" in page("training")


def test_a_refit_that_made_the_network_worse_is_told_on_every_page_that_speaks_of_it(pages):
    _, page = pages(worse=True)
    for name in "index", "training", "submission":
        assert "The refit made the network worse: on the 6 rows" in page(name)
        assert "the loss from 0.0090 to 0.5108" in page(name)


def test_without_a_row_that_neither_fit_saw_nothing_is_known_of_the_submitted_network(pages):
    studied, page = pages(kept=178)  # the last validation row is 177
    assert studied.promise.after is None
    for name in "index", "submission":
        assert "91.67% of 60 digits that the network had not learned from, before the refit" in page(name)
        assert "the score before the refit would have been expected between" in page(name)
    assert "nothing is known of how the refit changed the network" in page("submission")


@pytest.mark.parametrize("changes, networks, fit_rows, validation_rows", [
    ({}, "1", "140", "60"), ({"folds": 5}, "5", "160", "200"), ({"folds": 3}, "3", "130 to 140", "200"),
    ({"folds": 2, "seeds": 2}, "4", "100", "200")])
def test_facts_count_what_was_done(make_run, changes, networks, fit_rows, validation_rows):
    found = facts(Study(make_run(**changes)))
    assert [found[name] for name in ("networks", "fit_rows", "validation_rows")] == [networks, fit_rows, validation_rows]


def test_where_a_fold_has_several_networks_their_mean_is_the_judge(make_run):
    studied = Study(make_run(folds=2, seeds=2))
    assert "each judged by the mean of 2 networks that had not learned from it" in figure(studied)
