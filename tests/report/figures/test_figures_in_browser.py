"""How the figures come out in a real Chromium: every text is legible, every colour is the one named.

Each page is opened once and looked at on a phone and on a desk, in light and in dark.
"""

import colorsys
import io
import itertools
import math
import re
from html import escape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pages_as_trees import NAMES

from report.figures import charts

WIDTHS, SCHEMES = (360, 1440), ("light", "dark")
STYLE = Path(__file__).parents[3] / "assets" / "style.css"

# The ink of each text of every drawing, in pixels of the screen, and what is drawn beside it.
FIND_FAULTS = r"""() => {
    const pen = document.createElement('canvas').getContext('2d');
    const onScreen = (element, points) => {
        const matrix = element.getScreenCTM();
        const seen = points.map(([x, y]) => new DOMPoint(x, y).matrixTransform(matrix));
        return {left: Math.min(...seen.map(p => p.x)), right: Math.max(...seen.map(p => p.x)),
                top: Math.min(...seen.map(p => p.y)), bottom: Math.max(...seen.map(p => p.y))};
    };
    const within = (inner, outer) => inner.left >= outer.left - 0.5 && inner.top >= outer.top - 0.5
        && inner.right <= outer.right + 0.5 && inner.bottom <= outer.bottom + 0.5;
    const meet = (a, b) => a.left < b.right - 0.25 && b.left < a.right - 0.25
        && a.top < b.bottom - 0.25 && b.top < a.bottom - 0.25;

    // A text with a place for every character is as many texts.
    const inks = text => {
        const style = getComputedStyle(text), words = text.textContent, found = [];
        pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
        const parts = text.x.baseVal.length > 1 ? [...words].map((_, index) => [index, index])
            : [[0, text.getNumberOfChars() - 1]];
        for (const [first, last] of parts) {
            const part = words.slice(first, last + 1), size = pen.measureText(part);
            const start = text.getStartPositionOfChar(first), end = text.getEndPositionOfChar(last);
            found.push({part, ...onScreen(text, [
                [start.x, start.y - size.actualBoundingBoxAscent],
                [end.x, start.y + size.actualBoundingBoxDescent]])});
        }
        return found;
    };
    const outline = shape => {
        const length = shape.getTotalLength(), matrix = shape.getScreenCTM();
        const step = 2 / (Math.hypot(matrix.a, matrix.b) || 1), points = [];
        for (let at = 0; length && at <= length; at += step)  // a path may be empty
            points.push(shape.getPointAtLength(at).matrixTransform(matrix));
        return points;
    };

    const faults = [];
    for (const svg of document.querySelectorAll('svg')) {
        const box = svg.getBoundingClientRect();
        if (!box.width) continue;
        const name = `${svg.getAttribute('class') || 'svg'} (${(svg.ariaLabel || '').slice(0, 30)})`;
        const home = (svg.closest('.scrolling') || svg.closest('figure') || svg.parentElement);
        if (!svg.closest('.scrolling') && !within(box, home.getBoundingClientRect()))
            faults.push(`${name} is larger than its figure`);
        const texts = [...svg.querySelectorAll('text')].flatMap(inks);
        texts.sort((a, b) => a.left - b.left);
        texts.forEach((text, index) => {
            if (!within(text, box)) faults.push(`${name}: '${text.part}' is outside of it`);
            for (let other = index + 1; other < texts.length && texts[other].left < text.right; other++)
                if (meet(text, texts[other]))
                    faults.push(`${name}: '${text.part}' overlaps '${texts[other].part}'`);
        });
        const shapes = [...svg.querySelectorAll('path, line, polyline, polygon, rect, circle, ellipse')]
            .filter(shape => !shape.closest('defs, clipPath'));
        for (const shape of shapes) {
            const points = outline(shape);
            for (const text of texts)
                if (points.some(p => meet(text, {left: p.x, right: p.x, top: p.y, bottom: p.y})))
                    faults.push(`${name}: '${text.part}' lies on a ${shape.tagName}`);
        }
        for (const marker of svg.querySelectorAll('use')) {
            const mark = marker.getBoundingClientRect();
            for (const text of texts)
                if (meet(text, mark)) faults.push(`${name}: '${text.part}' lies on a marker`);
        }
    }
    return [...new Set(faults)];
}"""


@pytest.fixture(scope="module")
def page(browser):
    """One page for all tests of this file."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def visit(page, made_site):
    """visit("index") shows all of that page, what is folded and what comes late too."""
    def open_page(name):
        page.goto((made_site / f"{name}.html").as_uri())
        page.evaluate("""async () => {
            for (const one of document.querySelectorAll('details')) {
                one.removeAttribute('name');  // else one closes as the next opens
                one.open = true;
            }
            for (const one of document.images) one.loading = 'eager';
            await Promise.all([...document.images].map(image => image.decode()));
        }""")
        return page
    return open_page


def each_look(page):
    """The page at both widths in both schemes, one after the other."""
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        yield f"{width} px, {scheme}"


def faults_of(page) -> dict:
    return {look: found for look in each_look(page) if (found := page.evaluate(FIND_FAULTS))}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_a_figure_is_cut_off_or_overlaps_or_lies_on_a_line(visit, name):
    assert faults_of(visit(name)) == {}


def falling(count: int) -> list:
    return [2 * math.exp(-epoch / 4) + 0.01 for epoch in range(count)]


def rising(count: int, top=0.9999) -> list:
    return [top - 0.7 * math.exp(-epoch / 3) for epoch in range(count)]


def curves(count: int, best: int, percent: bool):
    learned = rising(count) if percent else falling(count)
    validation = [value - 0.002 if percent else value + 0.01 for value in learned]
    return charts.curves("curves", f"{count} epochs", [learned], [validation], learned, validation, best, percent)


def flat(value: float, percent: bool):
    return charts.curves("curves", f"always {value}", [], [], [value] * 3, [value] * 3, 1, percent)


ODD = {
    "one epoch": lambda: curves(1, 1, True),
    "two epochs": lambda: curves(2, 2, False),
    "500 epochs, the best in the middle": lambda: curves(500, 250, True),
    "500 epochs, the best last": lambda: curves(500, 500, False),
    "no mistake ever": lambda: flat(1.0, True),
    "a loss of next to nothing": lambda: flat(2.5e-7, False),
    "a loss that is no number": lambda: flat(math.nan, False),
    "a loss beyond measure": lambda: flat(3.2e9, False),
    "digits that never come": lambda: charts.shares("shares", "shares", {
        "training rows": [1.0] + [0.0] * 9, "validation rows": [0.0] * 9 + [1.0]}),
    "always sure": lambda: charts.reliability("sure", "sure", [1.0], [1.0], [0.999], [1.0], [42_000]),
    "never right": lambda: charts.reliability(
        "wrong", "wrong", [0.1, 0.3, 0.6, 0.9], [0.0] * 4, [0.0] * 4, [0.3] * 4, [1, 10, 100, 1000]),
    "never and always read": lambda: charts.scores("scores", "scores", [0, 9], [0.0, 1.0], [0.0, 0.9], [0.1, 1.0]),
    "all of them right": lambda: charts.coverage(
        "right", "right", [0.5, 0.75, 1.0], [1.0, 1.0, 1.0]),
    "one mistake in 28,000": lambda: charts.coverage(
        "one", "one", [0.5, 0.75, 1.0], [1.0, 1.0, 27_999 / 28_000]),
    "five networks, one of which ended early": lambda: charts.curves(
        "many", "many", [rising(9)] * 4 + [rising(3)], [rising(9)] * 5, rising(9), rising(9), 9, True),
    "a learning rate that falls to nothing": lambda: charts.learning_rate("rate", "rate", falling(40) + [0.0]),
    "a learning rate of one epoch": lambda: charts.learning_rate("one", "one", [1e-9]),
    "one run": lambda: charts.runs("run", "run", [0.1], [0.5], 0),
    "thirty runs": lambda: charts.runs(
        "runs", "runs", [90.0 * number for number in range(30)], rising(30, 0.997), 7),
}


def test_no_data_puts_a_text_of_a_chart_on_a_line_or_out_of_sight(page):
    figures = "".join(f'<figure class="plot"><h2>{escape(name)}</h2>{draw()}</figure>'
                      for name, draw in ODD.items())
    page.set_content(f"<!doctype html><style>{STYLE.read_text()}</style>{figures}")
    assert faults_of(page) == {}


@pytest.mark.parametrize("broken, fault", [
    ('<text x="-9" y="20">far</text>', "'far' is outside of it"),
    ('<text y="20" x="5 200">ab</text>', "'b' is outside of it"),
    ('<text x="5" y="20">one</text><text x="9" y="24">two</text>', "'one' overlaps 'two'"),
    ('<path d="M0 15 H99"/><text x="5" y="20">on</text>', "'on' lies on a path"),
    ('<rect width="9" height="90"/><text x="5" y="20">bar</text>', "'bar' lies on a rect"),
    ('<defs><circle id="o" r="3"/></defs><use href="#o" x="8" y="16"/><text x="5" y="20">dot</text>',
     "'dot' lies on a marker")])
def test_the_faults_that_these_tests_look_for_are_found(page, broken, fault):
    page.set_content(f'<figure><svg viewBox="0 0 100 100" width="100">{broken}</svg></figure>')
    assert [text.partition(": ")[2] for text in page.evaluate(FIND_FAULTS)] == [fault]


# Colours

HUES = "blue", "red", "grey", "gray", "green", "yellow", "orange", "purple"
# Where a page names a hue, the test that looks whether it is there.
LOOKED_AT = {("activations", "blue"), ("activations", "red"), ("misclassified", "blue"), ("misclassified", "red"),
             ("model", "blue"), ("model", "grey"), ("results", "red")}


def test_every_colour_that_a_text_names_is_looked_at_by_a_test(read_page):
    named = {(name, hue) for name in NAMES for hue in HUES
             if re.search(rf"\b{hue}\b", " ".join(read_page(name).find(".//main").itertext()), re.I)}
    assert named == LOOKED_AT


def picture_of(element) -> Image.Image:
    return Image.open(io.BytesIO(element.screenshot())).convert("RGB")


def hue_of(pixel) -> str:
    hue, saturation, _ = colorsys.rgb_to_hsv(*(value / 255 for value in pixel))
    if saturation < 0.3:
        return "grey"
    return "blue" if 0.55 < hue < 0.72 else "red" if hue < 0.06 or hue > 0.94 else f"hue {hue:.2f}"


def at(picture: Image.Image, x: float, y: float, width: float, height: float):
    """The pixel where a drawing of that size has (x, y)."""
    return picture.getpixel((int(x / width * picture.width), int(y / height * picture.height)))


def test_positive_weights_of_a_filter_are_blue_and_negative_ones_red(visit, made_run):
    page, kernel = visit("activations"), made_run.members[0].weights["conv1/kernel"][:, :, 0]
    strong = np.argwhere(np.abs(kernel) > 0.5 * np.abs(kernel).max())
    assert len(strong) > 20
    for look in each_look(page):
        picture = picture_of(page.locator("figure.filters img"))
        seen = {hue_of(at(picture, number % 8 * 5 + x + 0.5, number // 8 * 5 + y + 0.5, 38, 18))
                == ("blue" if kernel[y, x, number] > 0 else "red") for y, x, number in strong}
        assert seen == {True}, look


@pytest.mark.slow
def test_what_speaks_for_a_label_is_blue_and_what_speaks_against_it_red(visit, made_run):
    page, found = visit("misclassified"), made_run.members[0].explanations
    for look in each_look(page):
        for row, covered in zip(found.rows, found.occlusion.astype(float)):
            picture = picture_of(page.locator(f"#row-{row} img.signed"))
            change = covered[:, :1, :1] - covered
            for side, of_label in enumerate(change):
                y, x = np.unravel_index(np.abs(of_label).argmax(), of_label.shape)
                hue = hue_of(at(picture, side * 30 + 2 * x + 1, 2 * y + 1, 58, 28))
                assert hue == ("blue" if of_label[y, x] > 0 else "red"), (look, row, side)


def test_high_activations_are_bright_and_low_ones_dark(visit, made_run):
    page, values = visit("activations"), made_run.members[0].activations.layers["conv1"][0].astype(float)
    page.evaluate("document.querySelector('.choice').remove()")  # it stands before what scrolls
    inner = values[1:-1, 1:-1]  # a pixel at the edge may be half outside of the picture
    for look in each_look(page):
        picture = picture_of(page.locator("img.map").first).convert("L")
        seen = []
        for place in (inner.argmin(), inner.argmax()):
            y, x, channel = np.unravel_index(place, inner.shape)
            across = int((channel % 8 * 28 + x + 1.5) / 222 * picture.width)
            down = int((channel // 8 * 28 + y + 1.5) / 110 * picture.height)
            # A picture may begin within a pixel of the screen: its neighbours count too.
            seen.append(picture.crop((across - 1, down - 1, across + 2, down + 2)).getextrema())
        assert seen[0][0] < 60 and seen[1][1] > 180, look


def test_layers_that_learn_are_blue_and_the_others_grey(visit):
    page = visit("model")
    for look in each_look(page):
        for kind, hue in (("learns", "blue"), ("fixed", "grey")):
            picture = picture_of(page.locator(f".{kind} polygon").first)
            assert hue_of(at(picture, 1, 1, 2, 2)) == hue, look


def test_misclassified_digits_are_red_in_the_embedding_and_in_the_matrix(visit):
    page = visit("results")
    for look in each_look(page):
        picture = picture_of(page.locator(".embedding svg"))
        seen = {hue_of(colour) for count, colour in picture.getcolors(1 << 20)
                if min(abs(a - b) for a, b in zip(colour, picture.getpixel((1, 1)))) > 60}
        assert "red" in seen and "blue" not in seen, look
        shade = page.locator(".matrix .shade-5").first
        assert hue_of(at(picture_of(shade), 1, 1, 8, 8)) == "red", look


def test_the_bar_of_the_true_label_is_blue_and_that_of_the_predicted_one_red(visit):
    page = visit("misclassified")
    for look in each_look(page):
        for role, hue in (("true", "blue"), ("predicted", "red")):
            bar = page.locator(f".misclassified li[data-confidence='55.0'] path.{role}")
            assert hue_of(at(picture_of(bar), 1, 1, 2, 2)) == hue, look
