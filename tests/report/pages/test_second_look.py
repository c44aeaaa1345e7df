"""What deserves a second look: explanations of mistakes, suspected labels, and handwriting."""

from pathlib import Path

import numpy as np
from made import MISCLASSIFIED

from digits.evaluation import Evaluation, by_quantile
from digits.run import Run
from report.output.bundle import Bundle
from report.output.render import render
from report.pages import handwriting, labels, misclassified
from report.pages.study import Study
from report.settings import SiteSettings

SUSPECTED = [*MISCLASSIFIED, (6, 5, 0.9915)]  # so sure of another label that this one may be wrong


def test_a_mistake_is_explained_by_the_first_network_that_made_it(make_run):
    study = Study(make_run(seeds=3))
    shown = misclassified.context(study, Bundle())
    first, second = study.members[:2]
    row = next(row for row in shown.explained if row not in second.explanations.rows)
    place = list(first.explanations.rows).index(row)
    assert shown.explained[row].neighbour_labels == study.run.data.train_labels[
        first.explanations.neighbour_rows[place]].tolist()
    assert all(each.row in shown.explained for each in shown.large)


def test_an_explanation_says_in_words_what_its_pictures_show(make_run):
    study = Study(make_run())
    shown = misclassified.context(study, Bundle())
    explained = shown.explained[shown.large[0].row]
    assert explained.neighbours.alt.count("(row ") == len(explained.neighbour_labels) == 5
    assert explained.support.alt.startswith("The ")
    for label in shown.large[0].true, shown.large[0].predicted:
        assert f" speaks most for {label}: covered, its probability goes from " in explained.support.alt


def test_a_digit_without_an_explanation_is_shown_without_one(make_run, tmp_path):
    run = make_run()
    path = run.members[0].folder / "explanations.npz"
    with np.load(path) as arrays:
        kept = dict(arrays)
    for name in ("rows", "neighbour_rows", "neighbour_images", "occlusion"):
        kept[name] = kept[name][:1]
    np.savez(path, **kept)
    render(Run(run.folder), tmp_path / "site", Path("no-notes"), SiteSettings())
    page = (tmp_path / "site" / "misclassified.html").read_text()
    assert page.count('<div class="why">') == 1 and page.count('<p class="mark">') == len(MISCLASSIFIED)


def test_suspected_labels_come_with_what_accuracy_would_be_without_them(make_run):
    study = Study(make_run(misclassified=SUSPECTED))
    shown = labels.context(study, Bundle())
    assert shown.count == len(shown.suspected) >= 1
    assert {(one.digit.label, one.predicted) for one in shown.suspected} <= {(t, p) for t, p, _ in SUSPECTED}
    assert shown.accuracy_if_wrong == study.evaluation.accuracy + shown.count / study.evaluation.count
    assert all(len(one.neighbours) == 5 for one in shown.suspected)


def test_a_site_without_suspected_labels_says_so(make_run, tmp_path):
    render(make_run(misclassified=[]), tmp_path / "site", Path("no-notes"), SiteSettings())
    page = (tmp_path / "site" / "labels.html").read_text()
    assert "None: cleanlab suspects no label of the 60 judged digits." in page


def test_parts_by_a_trait_hold_every_judged_digit_once(make_run):
    study = Study(make_run())
    for trait in handwriting.context(study, Bundle()).traits:
        assert sum(one.count for one in trait.bins) == study.evaluation.count
        assert sum(round(one.count * (1 - one.accuracy)) for one in trait.bins) == study.evaluation.errors
        assert all(one.low <= one.high for one in trait.bins)
        assert all(before.high <= after.low for before, after in zip(trait.bins, trait.bins[1:]))


def test_a_trait_that_decides_is_told_to_matter():
    truth = np.zeros(1000, int)
    probabilities = np.eye(10)[np.where(np.arange(1000) < 100, 1, 0)]  # the first tenth is misclassified
    bins = by_quantile(Evaluation(np.arange(1000), truth, probabilities), np.arange(1000.0))
    assert [one.count for one in bins] == [200] * 5 and [one.accuracy for one in bins] == [0.5, 1, 1, 1, 1]
    assert handwriting.Trait("slant", "degrees", bins, "", []).matters


def test_a_trait_that_is_the_same_in_all_has_one_part():
    judged = Evaluation(np.arange(9), np.zeros(9, int), np.eye(10)[np.zeros(9, int)])
    [only] = by_quantile(judged, np.full(9, 20.0))
    assert only.count == 9 and (only.low, only.high) == (20, 20)
    assert not handwriting.Trait("size", "pixels", [only], "", []).matters
