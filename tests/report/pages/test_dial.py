"""The confidence dial of the results, in a real Chromium, from its folder."""

import json
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from pages_as_trees import read_html
from playwright.sync_api import expect

from digits.evaluation import Evaluation
from report.output.bundle import Bundle
from report.pages import results
from report.pages.study import Study

MATRIX = """cells => cells.map(cell => Number((cell.querySelector('b') || cell.firstChild).textContent))"""


@pytest.fixture
def visit(browser, made_site):
    """visit("#confidence-90", ...) opens the results there; keywords go to the browser's context."""
    contexts = []

    def open_page(anchor="", **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto((made_site / "results.html").as_uri() + anchor)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def judged(made_run) -> Evaluation:
    return Study(made_run).evaluation


def expected_matrix(judged, least: float) -> list[int]:
    sure = judged.confidence >= least
    table = np.zeros((10, 10), int)
    np.add.at(table, (judged.truth[sure], judged.predicted[sure]), 1)
    return table.ravel().tolist()


@pytest.mark.parametrize("percent", [50, 60, 70, 92, 99])
def test_the_matrix_and_the_figures_are_those_of_what_is_answered(visit, judged, percent):
    page = visit(f"#confidence-{percent}")
    assert page.locator(".matrix tbody td").evaluate_all(MATRIX) == expected_matrix(judged, percent / 100)
    sure = judged.confidence >= percent / 100
    answered, right = int(sure.sum()), int((judged.truth == judged.predicted)[sure].sum())
    told = page.locator(".dial output").inner_text()
    assert told == (f"At least {percent}% sure: {answered} answered ({answered / judged.count:.2%}), "
                    f"{right / answered:.2%} right; {judged.count - answered} passed on.")
    assert page.complaints == []


def test_all_is_answered_at_the_start_as_the_page_says_without_javascript(visit, judged):
    page = visit()
    told = page.locator(".dial output").inner_text()
    assert told == "It answers all 60 digits, 91.67% of them right."
    assert page.locator(".matrix tbody td").evaluate_all(MATRIX) == expected_matrix(judged, 0)
    page = visit(java_script_enabled=False)
    assert not page.locator(".dial").is_visible()
    assert page.locator(".matrix tbody td").evaluate_all(MATRIX) == expected_matrix(judged, 0)


def test_the_dial_goes_by_keyboard_says_where_it_is_and_is_in_the_address(visit):
    page = visit("#confidence-90")
    dial = page.get_by_role("slider", name="How sure must it be to answer?")
    dial.focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("#confidence-91$"))
    expect(dial).to_have_attribute("aria-valuetext", "91%")
    expect(page.locator(".dial output")).to_contain_text("At least 91% sure")
    page.keyboard.press("Home")
    expect(page.locator(".dial output")).to_contain_text("It answers all 60 digits")


def test_a_cell_under_the_dial_leads_to_exactly_the_digits_that_are_answered(visit):
    page = visit("#confidence-85")
    assert page.locator(".matrix td a[href]").count() == 2
    page.locator(".matrix a[href*='true-4-predicted-9']").click()
    expect(page).to_have_url(re.compile("misclassified.html#true-4-predicted-9-confidence-85$"))
    expect(page.locator(".misclassified li:visible .mark")).to_have_text(["9 4"], use_inner_text=True)


def test_the_map_pales_what_is_passed_on(visit):
    page = visit("#confidence-90")
    assert page.locator(".embedding .misclassified.pale a").count() == 3
    assert page.locator(".embedding .misclassified:not(.pale) a").count() == 2
    assert page.locator(".embedding .correct.pale").count() == 0
    page.locator(".embedding .misclassified:not(.pale) a").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"misclassified\.html#row-\d+$"))


def test_the_dial_stays_in_sight_beside_what_follows_it(visit):
    for width in 360, 1440:
        page = visit(viewport={"width": width, "height": 740})
        page.locator("#embedding").scroll_into_view_if_needed()
        page.evaluate("scrollTo(0, document.querySelector('.embedding').offsetTop)")
        expect(page.locator(".dial input")).to_be_in_viewport()
        assert page.locator(".dial").bounding_box()["height"] < 130


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_knows_of_no_barrier_at_any_place_of_the_dial(visit, scheme):
    page = visit("#confidence-90", color_scheme=scheme)
    assert Axe().run(page).response["violations"] == []


def test_the_dial_is_small_for_all_rows_of_folds_and_even_for_a_network_that_knows_nothing(made_run, monkeypatch):
    random = np.random.RandomState(0)
    knows_nothing = random.dirichlet(np.full(10, 0.5), 42_000)
    study = Study(made_run)
    monkeypatch.setattr(study, "evaluation", Evaluation(
        np.arange(42_000), random.randint(0, 10, 42_000), knows_nothing))
    monkeypatch.setattr(results, "_embedding", lambda study: None)
    shown = results.context(study, Bundle())
    assert sum(shown.counts[3::4]) == 42_000
    assert len(json.dumps(shown.counts)) < 100_000


def test_the_dial_begins_below_the_least_sure_digit(made_site, judged):
    dial = read_html(made_site / "results.html").find(".//input[@id='sure']")
    assert int(dial.get("min")) <= 100 * judged.confidence.min() < int(dial.get("min")) + 10
