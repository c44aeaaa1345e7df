"""The social pictures: what other sites show of a page when someone links to it."""

import numpy as np

from report.figures.images import INK, RED, png
from report.pages.study import Study
from report.text import formats

WIDTH, HEIGHT, SQUARE, MARGIN = 1200, 630, 42, 84
PAPER, RULE, BLUE, MUTED = (255, 255, 255), (222, 229, 241), (36, 64, 168), (85, 93, 119)
DIGITS, DIGIT, COLUMNS = 6, 4 * SQUARE, 2


def card(study: Study, site_title: str, page_title: str) -> bytes:
    """A page's title and the run's accuracy on squared paper, beside misclassified digits."""
    promised, judged = study.promise.expected, study.evaluation
    chosen = judged.misclassified[:DIGITS]
    wrong = [study.images[row] for row in judged.rows[chosen].tolist()]
    labels = list(zip(judged.predicted[chosen].tolist(), judged.truth[chosen].tolist()))
    of_what = f"of {promised.count:,} unseen digits classified correctly{' (sample)' * study.sample}"
    digits = np.array(wrong or study.run.data.first_images[:DIGITS])
    return study.drawings.file(_draw, digits, labels, site_title, page_title,
                              formats.percent(promised.accuracy), of_what)


def _draw(digits, labels, site: str, title: str, accuracy: str, of_what: str) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    for x in range(0, WIDTH, SQUARE):
        pen.line([(x, 0), (x, HEIGHT)], RULE)
    for y in range(0, HEIGHT, SQUARE):
        pen.line([(0, y), (WIDTH, y)], RULE)
    left = WIDTH - MARGIN - COLUMNS * DIGIT + 2
    for place, pixels in enumerate(digits):
        x, y = left + place % COLUMNS * DIGIT, SQUARE + place // COLUMNS * DIGIT + 20
        size = DIGIT - SQUARE
        stencil = Image.fromarray(pixels).resize((size, size), Image.Resampling.NEAREST)
        image.paste(INK, (x, y), stencil)
        if place < len(labels):  # as on the site: the predicted label is struck out
            predicted, true = labels[place]
            pen.text((x + size - 8, y), str(predicted), RED, _font(26), "la")
            pen.line([(x + size - 12, y + 17), (x + size + 14, y + 17)], RED, 3)
            pen.text((x + size + 18, y), str(true), BLUE, _font(26), "la")
    lines = (site, 100, 34, MUTED), (title, 190, 64, INK), (accuracy, 390, 130, BLUE), (of_what, 530, 30, MUTED)
    for text, middle, size, colour in lines:
        _write(pen, text, middle, size, colour, left - MARGIN - SQUARE)
    return png(image.quantize(32, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE), optimize=True)


def _write(pen, text: str, middle: int, size: int, colour, room: int) -> None:
    """One line, as large as `size` but no longer than there is room for; else it ends in dots."""
    while size > 20 and pen.textlength(text, _font(size)) > room:
        size -= 2
    while len(text) > 1 and pen.textlength(text, _font(size)) > room:
        text = text[:-2].rstrip() + "…"
    pen.text((MARGIN, middle), text, colour, _font(size), "lm")


def _font(size: int):
    from matplotlib import get_data_path
    from PIL import ImageFont
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSerif-Bold.ttf", size)
