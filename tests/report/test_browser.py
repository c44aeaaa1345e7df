"""The made site in a real Chromium, opened from its folder."""

import pytest
from test_site import NAMES


@pytest.fixture
def visit(browser, made_site):
    """visit("index", ...) opens a page; keywords go to the browser's context."""
    contexts = []

    def open_page(name, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto((made_site / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", NAMES)
def test_no_page_scrolls_sideways_on_a_narrow_phone(visit, name):
    page = visit(name, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_from_its_folder_whole_and_asks_nobody_else(visit, name):
    page = visit(name)
    broken = page.evaluate("""async () => {
        const images = [...document.images];
        images.forEach(image => image.loading = 'eager');
        await Promise.all(images.map(image => image.decode().catch(() => {})));
        return images.filter(image => !image.naturalWidth).map(image => image.src);
    }""")
    assert broken == []
    assert page.complaints == []
    assert all(url.startswith("file://") for url in page.requests)


def test_all_is_there_without_javascript(visit):
    page = visit("mistakes", java_script_enabled=False)
    assert page.locator(".mistakes li:visible").count() == 5


def test_the_dark_has_a_dark_page_and_light_ink(visit):
    def colours(scheme):
        page = visit("index", color_scheme=scheme)
        return page.evaluate("""() => {
            const style = getComputedStyle(document.body);
            return [style.backgroundColor, style.color];
        }""")
    light, dark = colours("light"), colours("dark")
    assert light[0] == "rgb(255, 255, 255)"
    assert sum(map(int, dark[0][4:-1].split(","))) < 150 < sum(map(int, dark[1][4:-1].split(",")))


def test_the_charts_take_their_colours_from_the_stylesheet(visit):
    def stroke(scheme):
        return visit("training", color_scheme=scheme).evaluate(
            "getComputedStyle(document.querySelector('.chart path[stroke*=accent]')).stroke")
    assert stroke("light") != stroke("dark")


def test_the_first_tab_stop_skips_to_the_content(visit):
    page = visit("index")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")


def test_a_mistakes_link_leads_to_its_digit(visit):
    page = visit("results")
    page.locator(".matrix a").first.click()
    assert page.evaluate("document.querySelector(':target') !== null")
