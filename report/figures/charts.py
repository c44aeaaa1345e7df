"""Line, bar and dot charts as inline SVG, with colours and type left to the stylesheet.

Every text of a chart stands outside its axes, so that it lies on no line whatever the data are.

matplotlib is imported where something is drawn: most renders find every chart drawn already.
"""

import io
import math
import re
from collections.abc import Callable
from functools import wraps
from xml.etree import ElementTree

# matplotlib knows no CSS variables: it draws in stand-ins, which `_inline` replaces.
INK, MUTED, RULE, ACCENT = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", ACCENT: "var(--accent)"}
FEW = 10  # epochs: each has a dot, since a line between two says little of when they were
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "plaidml-report", "font.size": 12, "text.color": INK,
    "axes.edgecolor": RULE, "axes.labelcolor": MUTED, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
    "axes.grid": True, "axes.grid.axis": "y", "grid.color": RULE, "grid.linewidth": 0.8, "ytick.major.size": 0,
    "xtick.color": RULE, "ytick.color": RULE, "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED,
    "legend.frameon": False, "legend.labelcolor": "linecolor", "legend.handlelength": 1.2,
    "legend.handletextpad": 0.5, "legend.columnspacing": 1.4, "legend.borderpad": 0.2}


def _chart(draw: Callable) -> Callable[..., str]:
    """Makes of a function that draws on axes one that returns a chart. To the arguments it adds the
    chart's `name`, which tells its ids from those of others, and its `label`, which says what it shows."""
    @wraps(draw)
    def chart(name: str, label: str, *arguments) -> str:
        from matplotlib import style
        from matplotlib.figure import Figure
        with style.context(["default", _STYLE]):
            figure = Figure(figsize=(5, 3.4), layout="constrained")
            axes = figure.add_subplot()
            figure.patch.set_visible(False)
            axes.patch.set_visible(False)
            axes.yaxis.set_major_formatter("{x:g}")
            draw(axes, *arguments)
            axes.locator_params(axis="y", nbins=5, steps=[1, 2, 2.5, 5, 10])
            # What the marks mean stands above the axes: within them a text may lie on a line.
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.4)
            return _inline(figure, name, label)
    return chart


@_chart
def curves(axes, training: list[list[float]], validation: list[list[float]], mean_training: list[float],
           mean_validation: list[float], best: int, percent: bool) -> None:
    """Learning curves of one network or several: a measure over the epochs, on the training set and on
    the validation set. Each network has a thin line, their mean a bold one."""
    measure = "accuracy" if percent else "loss"
    epochs = range(1, len(mean_training) + 1)
    dots = {"marker": "o", "markersize": 4} if len(epochs) <= FEW else {}
    for lines, colour, title in ((training, MUTED, ""), (validation, ACCENT, "each network")):
        for number, line in enumerate(lines if len(lines) > 1 else []):
            axes.plot(epochs[:len(line)], line, color=colour, linewidth=0.8, alpha=0.6,
                      label="" if number else title)
    axes.plot(epochs, mean_training, color=MUTED, linewidth=1.4, label=f"training {measure}", **dots)
    axes.plot(epochs, mean_validation, color=ACCENT, linewidth=2.2, label=f"validation {measure}", **dots)
    _point(axes, best, mean_validation[best - 1], f"best: epoch {best}")
    _epochs_across(axes)
    if percent:
        _percent_up(axes)


@_chart
def learning_rate(axes, rates: list[float]) -> None:
    """The learning rate at the end of each epoch."""
    axes.figure.set_figheight(2)
    axes.plot(range(1, len(rates) + 1), rates, color=ACCENT, linewidth=2.2, label="learning rate")
    axes.set_ylim(bottom=0)
    _epochs_across(axes)


@_chart
def shares(axes, series: dict[str, list[float]]) -> None:
    """What part of each of two sets of rows every digit makes up, side by side."""
    width = 0.38
    for offset, colour, (title, values) in zip((-width / 2, width / 2), (MUTED, ACCENT), series.items()):
        axes.bar([digit + offset for digit in range(10)], values, width * 0.92, color=colour, label=title)
    axes.set_xticks(range(10))
    axes.tick_params(axis="x", length=0)
    _percent_up(axes)


@_chart
def scores(axes, labels: list[int], recall: list[float], low: list[float], high: list[float]) -> None:
    """The recall of every digit, with its 95% interval."""
    axes.vlines(labels, low, high, color=ACCENT, linewidth=1.6)
    _point(axes, labels, recall, "recall, with its 95% interval")
    axes.set_xticks(range(10))
    axes.set_xlabel("digit")
    axes.margins(y=0.15)
    _percent_up(axes)


@_chart
def reliability(axes, claimed: list[float], reached: list[float], low: list[float], high: list[float],
                counts: list[int]) -> None:
    """The accuracy against the confidence, with its 95% intervals. The area of a dot grows with the logarithm
    of the number of its digits."""
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 4), label="perfect calibration")
    axes.vlines(claimed, low, high, color=ACCENT, linewidth=1.6)
    for number, (x, y, count) in enumerate(zip(claimed, reached, counts)):
        _point(axes, x, y, "" if number else "accuracy", 4 * math.sqrt(math.log1p(count)))
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.04)
    _percent_across(axes, "confidence")
    _percent_up(axes)


@_chart
def coverage(axes, classified: list[float], accuracy: list[float]) -> None:
    """The accuracy on the most confident digits, from the least share of them to all."""
    axes.plot(classified, accuracy, color=ACCENT, linewidth=2.2, label="accuracy")
    _point(axes, classified[-1], accuracy[-1], "all digits")
    axes.margins(y=0.15)
    axes.locator_params(axis="x", nbins=6, steps=[1, 2, 5, 10])
    _percent_across(axes, "coverage: share that is classified")
    _percent_up(axes)


@_chart
def trait(axes, what: str, values: list[float], accuracy: list[float], low: list[float],
          high: list[float]) -> None:
    """The accuracy on parts of the digits against a trait of theirs, with its 95% intervals."""
    axes.figure.set_figheight(2.6)
    axes.vlines(values, low, high, color=ACCENT, linewidth=1.6)
    axes.plot(values, accuracy, color=MUTED, linewidth=1)
    _point(axes, values, accuracy, "accuracy")
    axes.margins(x=0.08, y=0.15)
    axes.set_xlabel(what)
    _percent_up(axes)


@_chart
def runs(axes, seconds: list[float], accuracy: list[float], shown: int) -> None:
    """Accuracy of several runs against their training time; the one that the site shows stands out."""
    axes.plot([time / 60 for time in seconds], accuracy, "o", color=MUTED, markersize=5, label="a run")
    _point(axes, seconds[shown] / 60, accuracy[shown], "this site’s run")
    axes.margins(y=0.15)
    axes.set_xlim(0, max(1, 1.15 * max(seconds) / 60))
    axes.set_xlabel("minutes of training")
    _percent_up(axes)


def _epochs_across(axes) -> None:
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True, min_n_ticks=1, nbins=8, steps=[1, 2, 5, 10])


def _percent_across(axes, what: str) -> None:
    from matplotlib.ticker import PercentFormatter
    axes.set_xlabel(what)
    axes.xaxis.set_major_formatter(PercentFormatter(1))


def _percent_up(axes) -> None:
    """Call it last: nothing is more than 100%, so that above it there is room for a mark, for no tick."""
    from matplotlib.ticker import PercentFormatter
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    low, high = axes.get_ylim()
    axes.set_ylim(low, min(high, 1 + 0.04 * (high - low)))


def _point(axes, x, y, label: str, size: float = 7) -> None:
    axes.plot(x, y, "o", color=ACCENT, markersize=size, label=label, clip_on=False)


def _inline(figure, name: str, label: str) -> str:
    """The figure as an <svg> element that a strict Content-Security-Policy and dark mode accept: style
    attributes become presentation attributes, colours CSS variables, and fonts are inherited."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plain = re.sub(r' xmlns(:\w+)?="[^"]*"|xlink:|<(style|metadata)\b.*?</\2>', "", buffer.getvalue(), flags=re.S)
    root = ElementTree.fromstring(plain)
    for element in root.iter():
        if element.tag == "g":
            element.attrib.pop("id", None)  # which nothing refers to
        for item in filter(str.strip, element.attrib.pop("style", "").split(";")):
            option, setting = map(str.strip, item.split(":", 1))
            if option == "font":
                option, setting = "font-size", re.search(r"[\d.]+px", setting)[0]
            if option not in ("font-family", "font-stretch"):
                element.set(option, setting)
    root.attrib = {"viewBox": root.get("viewBox"), "class": "chart", "role": "img", "aria-label": label,
                   "stroke-linejoin": "round"}
    svg = ElementTree.tostring(root, encoding="unicode")
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\1{name}-", svg)  # two charts may share a page
    return re.sub("|".join(_VARIABLES), lambda colour: _VARIABLES[colour[0]], svg)
