"""The page on which one draws, in a real Chromium: by mouse, finger, pen and keyboard, from its folder."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from forward import forward
from PIL import Image
from playwright.sync_api import expect

from report.figures import images
from report.output.render import render
from report.settings import SiteSettings

# Arrays come from the page as base64: as lists they would take seconds.
TEXT = """(bytes) => {
    let text = '';
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
}"""
PIXELS = f"""canvas => [canvas.height, canvas.width,
    ({TEXT})(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)]"""


@pytest.fixture
def open_page(browser, made_site):
    """open_page(...) opens it, and waits for its network; `before` runs before all of the page, other
    keywords go to the browser's context."""
    contexts = []

    def opened(site=made_site, waits=True, before="", **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.add_init_script(before)
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto((site / "draw.html").as_uri())
        if waits:
            expect(page.locator(".state")).to_have_text("The network is here and waits.")
            page.locator(".pad").scroll_into_view_if_needed()
        return page

    yield opened
    for context in contexts:
        context.close()


def places(page, *points) -> list[dict]:
    """Points of the paper, whose sides are 1, on the screen."""
    box = page.locator(".pad").bounding_box()
    return [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points]


def draw(page, *points) -> None:
    first, *others = places(page, *points)
    page.mouse.move(**first)
    page.mouse.down()
    for place in others:
        page.mouse.move(**place, steps=4)
    page.mouse.up()


def pixels(locator) -> np.ndarray:
    """Of a canvas, uint8 (h, w, 4)."""
    height, width, values = locator.evaluate(PIXELS)
    return np.frombuffer(base64.b64decode(values), np.uint8).reshape(height, width, 4)


def ink(page) -> np.ndarray:
    """Of the paper, uint8 (560, 560)."""
    return pixels(page.locator(".pad canvas"))[..., 3]


def seen(page) -> np.ndarray:
    """What the network is given once it has read what is drawn, uint8 (28, 28)."""
    expect(page.locator(".desk.reading")).to_have_count(0)
    return pixels(page.locator(".seen canvas"))[..., 3]


def button(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


# Drawing

def test_a_stroke_of_the_mouse_is_drawn_where_it_went_and_read(open_page):
    page = open_page()
    assert not ink(page).any()
    draw(page, (0.5, 0.2), (0.5, 0.8))
    expect(page.locator(".subject")).to_have_text("Your digit")
    drawn = ink(page)
    assert drawn[300, 280] == 255 and not drawn[300, 200] and not drawn[50, 280]
    rows, columns = (np.flatnonzero(seen(page).any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) + 1 == 20
    assert abs(rows.mean() - 14) <= 1 and abs(columns.mean() - 14) <= 1


@pytest.mark.slow
def test_other_buttons_of_the_mouse_draw_nothing(open_page):
    page = open_page()
    page.mouse.move(**places(page, (0.5, 0.5))[0])
    page.mouse.down(button="right")
    page.mouse.up(button="right")
    assert not ink(page).any()


@pytest.mark.slow
def test_a_finger_draws_and_does_not_scroll(open_page):
    page = open_page(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    before, touch = page.evaluate("scrollY"), page.context.new_cdp_session(page)
    for kind, points in ("Start", places(page, (0.5, 0.2))), ("Move", places(page, (0.5, 0.5))), \
            ("Move", places(page, (0.5, 0.8))), ("End", []):
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    drawn = ink(page)
    assert drawn[200, 280] == drawn[400, 280] == 255 and drawn[:, :200].max() == 0
    assert page.evaluate("scrollY") == before
    expect(page.locator(".subject")).to_have_text("Your digit")


@pytest.mark.slow
def test_a_second_finger_draws_nothing(open_page):
    page = open_page(has_touch=True)
    touch = page.context.new_cdp_session(page)
    first, second = places(page, (0.2, 0.2), (0.8, 0.8))
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{**first, "id": 0}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [
        {**first, "id": 0}, {**second, "id": 1}]})
    drawn = ink(page)
    assert drawn[112, 112] == 255 and drawn[300:, 300:].max() == 0


def send_pen(page, kind: str, *points, **details) -> None:
    """One event of a pen, with these points as those that the browser took together."""
    page.locator(".pad").evaluate("""(pad, [kind, points, details]) => {
        const made = (point, more) => new PointerEvent(kind, {pointerId: 7, pointerType: 'pen', isPrimary: true,
            bubbles: true, clientX: point.x, clientY: point.y, ...details, ...more});
        pad.setPointerCapture = () => {};  // there is no such pen to be captured
        pad.dispatchEvent(made(points.at(-1), {coalescedEvents: points.map(point => made(point, {}))}));
    }""", [kind, places(page, *points), details])


@pytest.mark.slow
def test_a_pen_goes_through_the_points_that_the_browser_took_together(open_page):
    page = open_page()
    send_pen(page, "pointerdown", (0.2, 0.2), buttons=1)
    send_pen(page, "pointermove", (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), buttons=1)
    send_pen(page, "pointerup", (0.2, 0.8))
    drawn = ink(page)
    assert drawn[112, 280] == drawn[280, 448] == drawn[448, 280] == 255
    assert drawn[280, 112] == 0  # the straight way from the first to the last


@pytest.mark.slow
def test_the_other_end_of_a_pen_erases(open_page):
    page = open_page()
    draw(page, (0.2, 0.5), (0.8, 0.5))
    send_pen(page, "pointerdown", (0.5, 0.5), buttons=32, button=5)
    send_pen(page, "pointerup", (0.5, 0.5), button=5)
    drawn = ink(page)
    assert drawn[280, 280] == 0 and drawn[280, 150] == 255


def press(page, *keys) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_one_draws_with_the_keyboard_alone(open_page):
    page = open_page()
    button(page, "Pen").focus()
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".pad")).to_be_focused()
    expect(page.locator(".nib")).to_be_visible()
    press(page, *["ArrowUp"] * 8, "Space", *["ArrowDown"] * 16, "Space", *["ArrowRight"] * 6)
    drawn = ink(page)
    assert drawn[120:441, 280].min() == 255 and drawn[:, 340:].max() == 0  # lifted, it only moves
    press(page, "Space", *["Home"] * 3, "Space")
    assert ink(page)[410, 370] == 255  # diagonally up and left
    page.keyboard.down("ArrowRight")
    page.keyboard.down("ArrowUp")
    page.keyboard.up("ArrowUp")
    page.keyboard.up("ArrowRight")
    press(page, "Space")
    assert ink(page)[360, 380] == 255  # both at once: diagonally as well
    expect(page.locator(".subject")).to_have_text("Your digit")
    press(page, "u", "Control+z", "Backspace")
    assert not ink(page).any()
    press(page, "Space", "Space", "Delete")
    assert not ink(page).any()
    press(page, "Tab")
    expect(button(page, "Pen")).to_be_focused()
    expect(page.locator(".nib")).to_be_hidden()


@pytest.mark.slow
def test_the_keyboards_pen_stays_on_the_paper(open_page):
    page = open_page()
    page.locator(".pad").focus()
    press(page, *["ArrowLeft"] * 20, *["ArrowUp"] * 20, "Space")
    assert ink(page)[10, 10] == 255


@pytest.mark.slow
def test_the_page_says_how_the_keyboard_draws(open_page):
    page = open_page()
    described = page.locator(".pad").get_attribute("aria-describedby")
    expect(page.locator(f"#{described}")).to_contain_text("Space puts it down and lifts it")


@pytest.mark.slow
def test_the_eraser_takes_ink_away_and_undo_brings_it_back(open_page):
    page = open_page()
    draw(page, (0.3, 0.5), (0.7, 0.5))
    before = ink(page)
    button(page, "Eraser").click()
    expect(button(page, "Eraser")).to_have_attribute("aria-pressed", "true")
    draw(page, (0.5, 0.3), (0.5, 0.7))
    assert before[280, 280] == 255 and ink(page)[280, 280] == 0 and ink(page)[280, 180] == 255
    button(page, "Undo").click()
    np.testing.assert_array_equal(ink(page), before)


@pytest.mark.slow
def test_undo_takes_back_one_stroke_after_the_other_and_clearing_too(open_page):
    page, states = open_page(), []
    expect(button(page, "Undo")).to_be_disabled()
    draw(page, (0.3, 0.2), (0.3, 0.8))
    states.append(ink(page))
    draw(page, (0.6, 0.2), (0.6, 0.8))
    states.append(ink(page))
    button(page, "Clear").click()
    assert not ink(page).any()
    expect(button(page, "Clear")).to_be_disabled()
    expect(page.locator(".subject")).to_contain_text("Worked example")
    while states:
        button(page, "Undo").click()
        np.testing.assert_array_equal(ink(page), states.pop())
    button(page, "Undo").click()
    assert not ink(page).any()
    expect(button(page, "Undo")).to_be_disabled()


# The image that the network is given

def prepared(page, paper: np.ndarray) -> np.ndarray:
    """Of paper (560, 560), or of an image (28, 28) put on it."""
    return np.array(page.evaluate("""values => {
        const ink = Ink.blank(), given = Uint8Array.from(atob(values), letter => letter.charCodeAt(0));
        if (given.length === 784) Ink.image(ink, given);
        else ink.set(given);
        return [...Ink.prepared(ink)];
    }""", base64.b64encode(paper.astype(np.uint8).tobytes()).decode())).reshape(28, 28)


def in_the_middle(digit: np.ndarray) -> np.ndarray:
    """A digit on 28 x 28, its centre of mass within half a pixel of (14, 14)."""
    moved = np.zeros((28, 28), digit.dtype)
    top, left = (14 - int(np.floor(np.arange(size) @ digit.sum(axis=1 - axis) / digit.sum() + 0.5))
                 for axis, size in enumerate(digit.shape))
    moved[top:top + digit.shape[0], left:left + digit.shape[1]] = digit
    return moved


def test_a_digit_as_mnist_has_them_is_prepared_as_it_is(open_page):
    page, random = open_page(), np.random.RandomState(0)
    for width in (6, 13, 20):
        digit = random.randint(1, 256, (20, width))
        np.testing.assert_array_equal(prepared(page, in_the_middle(digit)), in_the_middle(digit))
        np.testing.assert_array_equal(prepared(page, in_the_middle(digit.T)), in_the_middle(digit.T))


@pytest.mark.slow
@pytest.mark.parametrize("height, width", [(120, 53), (39, 161), (7, 3), (85, 64)])
def test_ink_is_scaled_to_the_box_by_the_mean_under_each_pixel(open_page, height, width):
    random, paper, longer = np.random.RandomState(1), np.zeros((560, 560), int), max(height, width)
    part = random.randint(1, 256, (height, width))
    paper[560 - height:, :width] = part
    # Each point is 20 x 20 of smaller ones, of which longer x longer make a pixel.
    fine = np.kron(part, np.ones((20, 20)))
    fine = np.pad(fine, [(0, -length % longer) for length in fine.shape])
    digit = fine.reshape(fine.shape[0] // longer, longer, -1, longer).mean(axis=(1, 3))
    np.testing.assert_allclose(prepared(open_page(), paper), in_the_middle(digit), atol=0.51)


@pytest.mark.slow
def test_a_digit_that_leans_to_one_side_stays_whole(open_page):
    paper = np.zeros((560, 560), int)
    paper[100:500, 100:110] = paper[490:500, 100:500] = 255  # its mass is at the lower left
    found = prepared(open_page(), paper)
    assert np.ptp(np.flatnonzero(found.any(axis=0))) == np.ptp(np.flatnonzero(found.any(axis=1))) == 19


@pytest.mark.slow
def test_a_stroke_covers_what_lies_within_half_its_width_and_its_edge_is_smooth(open_page):
    text = open_page().evaluate(f"""() => {{
        const ink = Ink.blank();
        Ink.stroke(ink, [100.5, 120], [300, 250], 40, false);
        return ({TEXT})(ink);
    }}""")
    found = np.frombuffer(base64.b64decode(text), np.uint8).reshape(560, 560)
    y, x = np.mgrid[:560, :560] + 0.5
    share = (((x - 100.5) * 199.5 + (y - 120) * 130) / (199.5 ** 2 + 130 ** 2)).clip(0, 1)
    distance = np.hypot(x - 100.5 - share * 199.5, y - 120 - share * 130)
    np.testing.assert_allclose(found, 255 * (20.5 - distance).clip(0, 1), atol=0.51)


@pytest.mark.slow
def test_a_validation_digit_is_given_as_it_is_until_it_is_changed(open_page, made_run):
    page = open_page()
    for pick in page.locator(".picks button").all()[::7]:
        pick.click()
        row, label = pick.get_attribute("data-row"), pick.get_attribute("data-label")
        expect(page.locator(".subject")).to_have_text(f"Row {row} of the data, labelled {label}")
        expect(page.locator(".state")).to_have_text(re.compile(r"^Read in \d+ ms, on this machine\.$"))
        with Image.open(io.BytesIO(Path(page.url[7:]).with_name("images").joinpath(
                "draw", f"row-{row}.png").read_bytes())) as picture:
            np.testing.assert_array_equal(seen(page), np.asarray(picture)[..., 3])
        assert int(row) in made_run.members[0].rows.validation
    draw(page, (0.1, 0.1), (0.9, 0.1))
    expect(page.locator(".subject")).to_have_text(f"Row {row} of the data, labelled {label}, changed")
    button(page, "Undo").click()
    expect(page.locator(".subject")).to_have_text(f"Row {row} of the data, labelled {label}")


# What it says

def test_probabilities_and_activations_are_those_of_the_network(open_page, made_run):
    page, member = open_page(), made_run.members[0]
    page.locator("[data-layer=pool] summary").click()
    page.locator(".picks button").nth(2).click()
    outputs = forward(member, seen(page)[None])
    *_, (probabilities,) = outputs.values()
    shown = [float(text.strip("%")) for text in page.locator(".odds span").all_inner_texts()]
    np.testing.assert_allclose(shown, 100 * probabilities, atol=1)
    assert page.locator(".odds .best b").inner_text() == page.locator(".verdict strong").inner_text() \
        == str(np.argmax(shown))
    for name, sheets, columns in ("conv1", 1, 8), ("norm1", 1, 8), ("pool", 2, 8), ("dense1", 1, 1):
        values, canvases = outputs[name][0], page.locator(f"[data-layer={name}] canvas")
        assert canvases.count() == sheets
        flat = np.sum(np.ptp(values, axis=(0, 1)) <= np.ptp(values) / 255 if values.ndim == 3 else values == 0)
        told = re.search(rf"(\d+|none) of {values.shape[-1]} {'flat' if values.ndim == 3 else 'zero'}",
                         page.locator(f"[data-layer={name}] .range").inner_text())
        assert abs(int(told[1].replace("none", "0")) - flat) <= 2  # the page's weights are rounded
        channels = np.moveaxis(values, -1, 0) if values.ndim == 3 else images.strip(values)
        for number, part in enumerate([channels[:32], channels[32:]][:sheets]):
            expected = images.channels(part, columns, values.min(), values.max())
            with Image.open(io.BytesIO(expected)) as picture:
                picture = np.asarray(picture.convert("RGBA")).astype(int)
            found = pixels(canvases.nth(number)).astype(int)
            np.testing.assert_array_equal(found[..., 3], picture[..., 3], err_msg=name)
            off = np.abs(found - picture)[picture[..., 3] > 0]
            assert off.mean() < 1.5, name  # its weights are rounded: a shade more or less


@pytest.mark.slow
def test_a_screen_reader_hears_the_answer_and_not_every_stroke(open_page):
    page = open_page()
    page.evaluate("""() => {
        window.heard = [];
        const spoken = document.querySelector('[role=status]');
        new MutationObserver(() => heard.push(spoken.textContent)).observe(spoken, {childList: true});
    }""")
    for x in (0.3, 0.5, 0.7):
        draw(page, (x, 0.2), (x, 0.8))
    assert page.evaluate("heard") == []
    expect(page.locator("[role=status]")).to_have_text(re.compile(r"^It reads an? \d, [\d.]+% sure"))
    assert len(page.evaluate("heard")) == 1
    assert page.locator("[aria-live], [role=status], [role=alert]").count() == 1
    page.locator(".pad").focus()
    press(page, "Space")
    expect(page.locator("[role=status]")).to_have_text("Pen down")
    press(page, "Delete")
    expect(page.locator("[role=status]")).to_have_text("The paper is blank")


# The page

@pytest.mark.slow
def test_nothing_breaks_the_policy_or_asks_anybody_else(open_page):
    page = open_page()
    draw(page, (0.5, 0.2), (0.5, 0.8))
    page.locator(".picks button").first.click()
    expect(page.locator(".subject")).to_contain_text("labelled")
    assert page.complaints == [] and all(url.startswith("file://") for url in page.requests)
    assert sum(url.endswith("/draw/weights.js") for url in page.requests) == 1


@pytest.mark.slow
def test_the_network_is_asked_for_once_the_page_is_there(open_page):
    page = open_page(before="""addEventListener('load', () => {
        window.askedBefore = Boolean(document.querySelector('script[src$="weights.js"]'));
    });""")
    assert page.evaluate("askedBefore") is False and page.locator("script[src$='weights.js']").count() == 1
    assert not page.locator(".unscripted").is_visible()


def test_only_this_page_loads_the_network(made_site):
    asking = [path.name for path in made_site.glob("*.html") if "weights.js" in path.read_text(encoding="utf-8")]
    assert asking == ["draw.html"]


def test_the_size_of_the_network_is_told(open_page, made_site):
    page, size = open_page(), (made_site / "draw" / "weights.js").stat().st_size
    expect(page.get_by_text(f"{size / 1e6:.3g} MB, loaded by this page alone")).to_be_visible()


def test_without_javascript_the_page_says_what_it_would_do_and_shows_an_example(open_page):
    page = open_page(waits=False, java_script_enabled=False)
    expect(page.get_by_text("Drawing needs JavaScript")).to_be_visible()
    expect(page.locator(".subject")).to_have_text("Worked example: row 10, a 0 that it learned from")
    assert page.locator(".map img:visible").count() == 4 and page.locator("canvas:visible").count() == 0
    assert not page.locator(".pad, .picks").first.is_visible() and page.locator("button:visible").count() == 0
    expect(page.locator(".verdict strong")).to_have_text("0")
    assert page.locator(".odds li").count() == 10


@pytest.mark.slow
def test_a_network_that_is_not_computed_is_told_and_its_example_shown(open_page, make_run, tmp_path):
    render(make_run(), tmp_path / "site", Path("no-notes"), SiteSettings())  # with its first weights alone
    page = open_page(tmp_path / "site", waits=False)
    expect(page.locator(".warning")).to_contain_text(
        "cannot compute the network of this run: its layer conv2 has no 'kernel' in this run")
    expect(page.locator(".verdict strong")).to_have_text("0")
    assert page.locator(".pad").count() == 0 and not (tmp_path / "site" / "draw").joinpath("weights.js").exists()
    assert page.complaints == []


@pytest.mark.slow
def test_of_several_networks_the_page_says_which_answers(open_page, make_run, tmp_path):
    render(make_run(folds=2, whole=True), tmp_path / "site", Path("no-notes"), SiteSettings())
    page = open_page(tmp_path / "site")
    expect(page.get_by_text("One of the 2 networks of this run answers, fold-1-seed-333")).to_be_visible()


@pytest.mark.slow
def test_it_prints_without_what_only_a_screen_can_do(open_page):
    page = open_page()
    draw(page, (0.5, 0.2), (0.5, 0.8))
    page.emulate_media(media="print")
    expect(page.locator(".seen canvas")).to_be_visible()  # once the network has answered
    expect(page.locator(".tools")).to_be_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_barrier_that_axe_knows_of_while_one_draws(open_page, scheme):
    page = open_page(color_scheme=scheme)
    draw(page, (0.3, 0.2), (0.7, 0.8))
    page.locator(".pad").focus()
    press(page, "Space")
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
