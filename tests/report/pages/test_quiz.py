"""The quiz: what it asks, and a round of it in a real Chromium, by keyboard, mouse and finger, from its folder."""

import re
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from made import MISCLASSIFIED
from pages_as_trees import read_html, text_of
from playwright.sync_api import expect

from report.output.bundle import Bundle
from report.output.render import render
from report.pages import quiz
from report.pages.study import Study
from report.settings import SiteSettings

PAIRS = [(place % 10, (place + 1 + place // 10) % 10) for place in range(30)]  # (true, predicted)


def asked(run) -> tuple[Study, quiz.Context]:
    study = Study(run)
    return study, quiz.context(study, Bundle())


def test_a_round_is_half_of_misclassified_digits_and_half_of_the_least_sure_that_were_read_right(make_run):
    study, shown = asked(make_run(misclassified=[(*pair, 0.5 + 0.01 * place) for place, pair in enumerate(PAIRS)]))
    wrong = [one for one in shown.questions if one.true != one.predicted]
    right = [one for one in shown.questions if one.true == one.predicted]
    assert (len(wrong), len(right), shown.wrong) == (10, 10, 10)
    confidences = study.evaluation.confidence[study.evaluation.misclassified]
    assert {one.confidence for one in wrong} >= {confidences[0], confidences[-1]}
    judged = study.evaluation
    others = judged.confidence[(judged.predicted == judged.truth) & np.isin(judged.rows, list(study.images))]
    assert shown.held == len(others)
    assert sorted(one.confidence for one in right) == sorted(others.tolist())[:10]


def test_neither_order_nor_picture_gives_the_answer_away_and_each_build_asks_the_same(make_run):
    first, second = (asked(make_run(folder))[1] for folder in ("one", "two"))
    assert first == second
    kinds = [one.true == one.predicted for one in first.questions]
    assert kinds != sorted(kinds) and kinds != sorted(kinds, reverse=True)
    assert len({one.picture.alt for one in first.questions}) == 1


def test_without_a_misclassified_digit_the_page_says_that_there_is_nothing_to_beat(make_run, tmp_path):
    render(make_run(misclassified=[]), tmp_path / "site", Path("no-notes"), SiteSettings())
    page = read_html(tmp_path / "site" / "quiz.html")
    assert "all 60 validation digits were read right" in text_of(page.find(".//main"))
    assert [script.get("src") for script in page.findall(".//script")] == ["site.js"]


@pytest.fixture
def visit(browser, made_site):
    """visit(...) opens the quiz; keywords go to the browser's context."""
    contexts = []

    def open_page(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((made_site / "quiz.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def answers(page, kind="true") -> list[str]:
    return page.locator("ol.round > li").evaluate_all(f"items => items.map(item => item.dataset.{kind})")


def test_a_round_by_keyboard_alone_ends_in_both_scores_and_links_to_the_digits(visit):
    page = visit()
    right = answers(page)
    assert not page.locator("ol.round").is_visible()
    for number, label in enumerate(right, start=1):
        expect(page.locator(".progress")).to_have_text(f"Digit {number} of {len(right)}")
        page.keyboard.press(label)
        expect(page.get_by_role("status")).to_have_text(re.compile(rf"^Right\. It is an? {label}\. The network "))
        expect(page.locator(".next")).to_be_focused()
        page.keyboard.press("5")  # it is answered: another key changes nothing
        page.keyboard.press("Enter")
    expect(page.locator(".score")).to_be_focused()
    expect(page.locator(".score")).to_contain_text("You read 10 of 10 right, the network 5. You beat it.")
    expect(page.locator(".score")).to_contain_text("Of the 5 that it misclassified you read 5 right")
    links = page.locator("ol.round a:visible")
    assert links.count() == len(MISCLASSIFIED)
    links.first.click()
    expect(page).to_have_url(re.compile(r"misclassified\.html#row-\d+$"))
    assert page.complaints == [] and all(url.startswith("file://") for url in page.requests)


def test_the_networks_own_answers_are_a_draw_and_what_was_wrong_is_told(visit):
    page = visit()
    for label, true in zip(answers(page, "predicted"), answers(page)):
        page.get_by_role("button", name=label, exact=True).click()
        if label != true:
            expect(page.get_by_role("status")).to_have_text(
                re.compile(rf"^Not an? {label}\. It is an? {true}\. The network said {label}, "))
        page.locator(".next").click()
    expect(page.locator(".score")).to_contain_text("You read 5 of 10 right, the network 5. A draw.")
    assert page.locator(".yours", has_text="wrong").count() == 5
    page.get_by_role("button", name="Play again").click()
    expect(page.locator(".progress")).to_have_text("Digit 1 of 10")
    assert not page.locator("ol.round").is_visible()


def test_a_second_enter_answers_nothing(visit):
    page = visit()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(page.locator(".progress")).to_have_text("Digit 2 of 10")
    expect(page.locator(".next")).not_to_be_visible()


def test_on_a_phone_a_finger_finds_buttons_of_44_pixels_and_all_of_it_on_one_screen(visit):
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.locator(".quiz").scroll_into_view_if_needed()
    for button in page.locator(".keypad button").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 44
    page.locator(".keypad button").nth(3).tap()
    expect(page.locator(".next")).to_be_in_viewport()
    expect(page.locator(".asked")).to_be_in_viewport()
    assert page.locator(".next").bounding_box()["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_javascript_and_on_paper_the_digits_are_a_list_with_answers(visit):
    page = visit(java_script_enabled=False)
    assert not page.locator(".quiz").is_visible()
    assert page.locator("ol.round img:visible").count() == 10
    answer = page.locator("ol.round details").first
    answer.locator("summary").click()
    expect(answer.locator(".truth")).to_be_visible()
    page = visit()
    page.emulate_media(media="print")
    assert not page.locator(".quiz").is_visible()
    assert page.locator("ol.round .truth:visible").count() == 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_knows_of_no_barrier_before_and_after_an_answer_and_at_the_end(visit, scheme):
    page = visit(color_scheme=scheme)
    for label in [None, *answers(page)]:
        if label:
            page.keyboard.press(label)
        if label is None or page.locator(".progress").inner_text() in ("Digit 1 of 10", "Digit 10 of 10"):
            assert Axe().run(page).response["violations"] == []
        if label:
            page.keyboard.press("Enter")
    assert Axe().run(page).response["violations"] == []
