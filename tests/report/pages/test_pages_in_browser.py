"""The made site in a real Chromium, opened from its folder."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from pages_as_trees import NAMES


@pytest.fixture
def visit(browser, made_site):
    """visit("index", ...) opens a page; keywords go to the browser's context.

    With scripts=False none runs, as while a page arrives.
    """
    contexts = []

    def open_page(name, scripts=True, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        if not scripts:
            page.route("**/*.js", lambda route: route.abort())
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto((made_site / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_page_scrolls_sideways_on_a_narrow_phone(visit, name):
    page = visit(name, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nothing_jumps_while_a_page_arrives(visit, name):
    # A page that has not wholly arrived lacks its last elements: taken away one by one, from the
    # end, none of them moves those before it. Counted as browsers do: share of the window that
    # moves, times the share of the window by which it moves (web.dev/articles/cls).
    for width, height in (1280, 720), (390, 844):
        page = visit(name, viewport={"width": width, "height": height}, scripts=False)
        shift, moved = page.evaluate("""() => {
            const place = element => element.getBoundingClientRect();
            const within = (from, to, size) => Math.max(0, Math.min(to, size) - Math.max(from, 0));
            const visible = box => within(box.left, box.right, innerWidth)
                                 * within(box.top, box.bottom, innerHeight);
            const elements = [...document.body.querySelectorAll('*')]
                .filter(element => !element.ownerSVGElement);
            let places = elements.map(place), shift = 0;
            const moved = [];
            while (elements.length) {
                const gone = places[elements.length - 1];
                elements.pop().remove();
                if (!visible(gone)) continue;
                const now = elements.map(place);
                let worst = 0;
                now.forEach((box, i) => {
                    const distance = Math.max(Math.abs(box.left - places[i].left),
                                              Math.abs(box.top - places[i].top));
                    const area = Math.min(visible(box), visible(places[i]));
                    const score = area / (innerWidth * innerHeight)
                                * distance / Math.max(innerWidth, innerHeight);
                    if (distance < 3 || score <= worst) return;
                    worst = score;
                    moved.push(elements[i].outerHTML.slice(0, 80));
                });
                shift += worst;
                places = now;
            }
            return [shift, moved];
        }""")
        assert shift < .01, moved


def test_all_is_there_without_javascript(visit):
    page = visit("misclassified", java_script_enabled=False)
    assert page.locator(".misclassified li:visible").count() == 5
    assert page.locator(".misclassified .bars:visible").count() == 5
    assert not page.locator("form").is_visible()
    page = visit("activations", java_script_enabled=False)
    assert page.locator(".watched .map:visible").count() == 4
    page.locator(".watched > summary").nth(1).click()  # one closes as the other opens
    assert page.locator(".watched[open] .layers").get_attribute("id") == "row-11"


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
    expect(page).to_have_url(re.compile("#content$"))


def expect_shown(page, *marks) -> None:
    expect(page.locator(".misclassified li:visible .mark")).to_have_text(list(marks),
                                                                    use_inner_text=True)


def expect_all_five_shown(page) -> None:
    expect(page.locator(".misclassified li:visible .mark")).to_have_count(5)


def test_a_cell_of_the_confusion_matrix_leads_to_exactly_its_images(visit):
    page = visit("results")
    page.locator(".matrix a[href*='true-4-predicted-9']").click()
    page.wait_for_load_state()
    expect_shown(page, "9 4", "9 4")
    expect(page.locator("output")).to_have_text("2 of 5 are shown")
    expect(page.locator("form.filters")).to_be_in_viewport()
    expect(page.locator(".misclassified li:visible").first).to_be_in_viewport()


def test_a_cell_leads_to_its_images_without_javascript_too(visit):
    page = visit("results", java_script_enabled=False)
    page.locator(".matrix a[href*='true-4-predicted-9']").click()
    expect(page.locator("#true-4-predicted-9")).to_be_in_viewport()
    assert page.locator("#true-4-predicted-9 img").count() == 2


def test_the_filters_work_by_keyboard_and_are_in_the_address(visit):
    page = visit("misclassified")
    page.locator("select[name=true]").focus()
    for _ in "any", 0, 1, 2, 3:
        page.keyboard.press("ArrowDown")
    expect(page.locator("output")).to_have_text("2 of 5 are shown")
    expect_shown(page, "9 4", "9 4")
    expect(page).to_have_url(re.compile("#true-4-predicted-any$"))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    for _ in 0, 50, 70:
        page.keyboard.press("ArrowDown")
    expect(page.locator("output")).to_have_text("1 of 5 are shown")
    expect_shown(page, "9 4")
    expect(page).to_have_url(re.compile("#true-4-predicted-any-confidence-90$"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("output")).to_have_text("All 5 are shown")
    expect_all_five_shown(page)


def test_a_filter_in_the_address_is_taken_up(visit, made_site):
    page = visit("misclassified")
    page.goto((made_site / "misclassified.html").as_uri() + "#true-any-predicted-4")
    expect_shown(page, "4 9")


def test_a_confidence_in_the_address_is_taken_up_also_one_that_the_form_does_not_offer(visit, made_site):
    for anchor, marks in ("#confidence-90", ["9 4", "8 3"]), ("#confidence-95", ["9 4"]), \
            ("#true-3-predicted-any-confidence-90", ["8 3"]):
        page = visit("misclassified")
        page.goto((made_site / "misclassified.html").as_uri() + anchor)
        expect_shown(page, *marks)
        assert page.evaluate("location.hash") == anchor
    expect(page.locator("select[name=least]")).to_have_value("90")


def test_a_filter_that_no_digit_fits_says_so(visit):
    page = visit("misclassified")
    assert not page.locator(".empty").is_visible()
    page.locator("select[name=predicted]").select_option("0")
    expect(page.locator("output")).to_have_text("None of 5 are shown")
    expect(page.locator(".empty")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".empty")).not_to_be_visible()


def test_the_name_of_a_confusion_leads_to_its_digits_and_not_past_them(visit):
    for width in 360, 1280:
        page = visit("misclassified", viewport={"width": width, "height": 700})
        page.locator(".groups dt a", has_text="4 predicted to be 9").click()
        expect_shown(page, "9 4", "9 4")
        expect(page.locator(".misclassified li:visible .paper").first).to_be_in_viewport(ratio=0.9)


def test_each_image_has_its_permanent_link(visit, made_site):
    page = visit("misclassified")
    page.locator("select[name=true]").select_option("9")
    link = page.locator("li[data-true='3'] figcaption a").get_attribute("href")
    page.goto((made_site / "misclassified.html").as_uri() + link)
    expect(page.locator(link)).to_be_in_viewport()
    expect_all_five_shown(page)


def test_the_reader_chooses_a_digit(visit):
    page = visit("activations")
    page.locator(".choice a").nth(1).click()
    expect(page.locator("#row-11 figure").first).to_be_in_viewport()
    assert page.locator(".watched[open]").count() == 1
    expect(page.locator(".choice [aria-current=true]")).to_have_attribute("href", "#row-11")
    page.emulate_media(media="print")
    assert page.locator(".watched:visible").count() == 1


def test_all_channels_come_on_demand(visit):
    page = visit("activations")
    rest = page.locator(".watched[open] .layers details img").first
    assert not rest.is_visible()
    page.locator(".watched[open] .layers details summary").first.press("Enter")
    assert rest.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier_that_axe_knows_of(visit, scheme):
    found = {}
    for name in NAMES:
        page = visit(name, color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        result = Axe().run(page).response
        assert result["passes"]
        for violation in result["violations"]:
            found[name, violation["id"]] = [node["html"] for node in violation["nodes"]]
    assert not found


def test_the_true_label_has_one_colour_and_the_wrong_prediction_another_on_every_page(visit):
    found = {}
    for name, true, wrong in ("index", ".strip .mark", ".strip .mark del"), ("results", ".pairs b", ".pairs del"), \
            ("misclassified", ".mark", ".mark del"), ("misclassified", ".bars tspan.true", ".bars tspan.predicted"), \
            ("quiz", ".truth .for", ".truth .against"), ("draw", ".picks .mark:has(del)", ".picks .mark del"):
        page = visit(name)
        for role, selector in ("true", true), ("wrong", wrong):
            found.setdefault(role, set()).add(page.locator(selector).first.evaluate(
                "(element) => element instanceof SVGElement ? getComputedStyle(element).fill "
                ": getComputedStyle(element).color"))
    assert len(found["true"]) == len(found["wrong"]) == 1 and found["true"] != found["wrong"]


@pytest.mark.parametrize("name", ["misclassified", "results"])
def test_a_form_is_not_printed(visit, name):
    page = visit(name)
    assert page.locator("main form").is_visible()
    page.emulate_media(media="print")
    assert not page.locator("main form").is_visible()


def test_a_page_prints_whole(visit):
    page = visit("results")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("header nav").is_visible()
