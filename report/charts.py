"""Line, bar and dot charts as inline SVG, with colours and type left to the stylesheet.

matplotlib is imported where something is drawn: most renders find every chart drawn already.
"""

import io
import re
from typing import Dict, List, Sequence
from xml.etree import ElementTree

# matplotlib knows no CSS variables: it draws in stand-ins, which `_inline` replaces.
INK, MUTED, RULE, ACCENT, ALARM = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)",
              ACCENT: "var(--accent)", ALARM: "var(--alarm)"}
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "plaidml-report", "font.size": 13,
    "axes.edgecolor": RULE, "axes.labelcolor": MUTED, "axes.spines.top": False,
    "axes.spines.right": False, "axes.spines.left": False, "axes.grid": True, "axes.grid.axis": "y",
    "axes.axisbelow": True, "grid.color": RULE, "grid.linewidth": 0.8, "text.color": INK,
    "xtick.color": RULE, "ytick.color": RULE, "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED,
    "ytick.major.size": 0, "legend.frameon": False, "legend.labelcolor": "linecolor",
    "legend.handlelength": 1.4}
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"


def curves(name: str, label: str, epochs: List[int], learned: List[float],
           validation: List[float], best: int, percent: bool) -> str:
    """A measure over the epochs, on the rows learned from and on the validation rows."""
    with _axes() as (figure, axes):
        axes.plot(epochs, learned, color=MUTED, linewidth=1.4, label="rows learned from",
                  marker="o" if len(epochs) == 1 else "")  # a line of one point shows nothing
        axes.plot(epochs, validation, color=ACCENT, linewidth=2.2, label="validation rows")
        value = validation[epochs.index(best)]
        axes.plot([best], [value], "o", color=ACCENT, markersize=7)
        axes.annotate(f"best: epoch {best}", (best, value), (0, -17 if percent else 10),
                      textcoords="offset points", color=ACCENT, ha=_side(best, epochs))
        _epochs_across(axes)
        _few_ticks(axes, percent)
        axes.legend(loc="best")
        return _inline(figure, name, label)


def shares(name: str, label: str, series: Dict[str, List[float]]) -> str:
    """What part of each of two sets of rows every digit makes up, side by side."""
    with _axes() as (figure, axes):
        width = 0.38
        for offset, colour, (title, values) in zip((-width / 2, width / 2), (MUTED, ACCENT),
                                                   series.items()):
            axes.bar([digit + offset for digit in range(10)], values, width * 0.92, color=colour,
                     label=title)
        axes.set_xticks(range(10))
        axes.tick_params(axis="x", length=0)
        _few_ticks(axes, percent=True)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        return _inline(figure, name, label)


def reliability(name: str, label: str, claimed: List[float], reached: List[float],
                low: List[float], high: List[float]) -> str:
    """How often the network is right against how sure it says it is, with the 95% intervals."""
    with _axes() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 4))
        axes.annotate("as sure as right", (0.12, 0.12), (10, -8), textcoords="offset points",
                      color=MUTED)
        axes.vlines(claimed, low, high, color=ACCENT, linewidth=1.6)
        axes.plot(claimed, reached, "o", color=ACCENT, markersize=7)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xlabel("how sure it is")
        _percent_across(axes)
        _few_ticks(axes, percent=True)
        axes.set_title("how often it is right", loc="left", fontsize=13, color=MUTED)
        return _inline(figure, name, label)


def coverage(name: str, label: str, read: List[float], accuracy: List[float]) -> str:
    """The accuracy on the surest digits, from half of them to all."""
    with _axes() as (figure, axes):
        axes.plot(read, accuracy, color=ACCENT, linewidth=2.2)
        axes.plot(read[-1:], accuracy[-1:], "o", color=ACCENT, markersize=7)
        axes.annotate("all read", (read[-1], accuracy[-1]), (-4, -18), textcoords="offset points",
                      color=ACCENT, ha="right")
        axes.margins(y=0.15)
        axes.set_xlabel("part of the digits that is read, the surest first")
        _percent_across(axes)
        _few_ticks(axes, percent=True)
        axes.set_title("accuracy", loc="left", fontsize=13, color=MUTED)
        return _inline(figure, name, label)


def runs(name: str, label: str, lines: Dict[str, List[float]], shown: str) -> str:
    """Validation accuracy of several runs over their epochs; the one that the site shows stands out."""
    with _axes() as (figure, axes):
        for run, values in lines.items():
            bold = run == shown
            epochs = range(1, len(values) + 1)
            axes.plot(epochs, values, color=ACCENT if bold else MUTED,
                      linewidth=2.4 if bold else 1.1, zorder=3 if bold else 2)
            axes.plot(epochs[-1:], values[-1:], "o", color=ACCENT if bold else MUTED,
                      markersize=7 if bold else 4)
        values = lines[shown]
        axes.annotate("this site", (len(values), values[-1]), (0, -18), textcoords="offset points",
                      color=ACCENT, ha="right" if len(values) > 1 else "left")
        _epochs_across(axes)
        _few_ticks(axes, percent=True)
        return _inline(figure, name, label)


class _axes:
    """A figure and its axes in the site's style, see-through."""

    def __enter__(self):
        from matplotlib import style
        from matplotlib.figure import Figure
        self.styled = style.context(["default", _STYLE])
        self.styled.__enter__()
        figure = Figure(figsize=(6, 3.9), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        return figure, axes

    def __exit__(self, *error):
        return self.styled.__exit__(*error)


def _epochs_across(axes) -> None:
    from matplotlib.ticker import MaxNLocator
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=8))


def _percent_across(axes) -> None:
    from matplotlib.ticker import PercentFormatter
    axes.xaxis.set_major_formatter(PercentFormatter(1))


def _few_ticks(axes, percent: bool) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1))


def _side(value, values: Sequence) -> str:
    place = (value - values[0]) / ((values[-1] - values[0]) or 1)
    return "left" if place < 0.2 else "right" if place > 0.8 else "center"


def _inline(figure, name: str, label: str) -> str:
    """The figure as an <svg> element that a strict Content-Security-Policy and dark mode accept.

    Style attributes become presentation attributes, colours become CSS variables, fonts are
    inherited, and ids get the chart's name so that two charts can share a page.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for child in root.findall(f"{_SVG}metadata"):
        root.remove(child)
    for parent in root.iter():
        for child in parent.findall(f"{_SVG}style"):
            parent.remove(child)
    values = " ".join(value for element in root.iter() for value in element.attrib.values())
    # Colours look like references too, "#040404", but no element has them as its id.
    referred = set(re.findall(r"#([\w-]+)", values)) & {e.get("id") for e in root.iter()}
    for element in root.iter():
        element.tag = element.tag.replace(_SVG, "")
        element.attrib = _attributes(element.attrib, name, referred)
    for size in ("width", "height", "version"):
        del root.attrib[size]
    root.attrib.update({"class": "chart", "role": "img", "aria-label": label,
                        "stroke-linejoin": "round"})
    return ElementTree.tostring(root, encoding="unicode")


def _attributes(given: dict, name: str, referred: set) -> dict:
    attributes = {}
    for key, value in given.items():
        if key == "id":
            if value in referred:
                attributes["id"] = f"{name}-{value}"
        elif key == "style":
            for item in filter(None, map(str.strip, value.split(";"))):
                option, setting = (part.strip() for part in item.split(":", 1))
                if option == "font":
                    option, setting = "font-size", re.search(r"[\d.]+px", setting).group()
                if option not in ("font-family", "font-stretch"):
                    attributes[option] = setting
        else:
            attributes[key.replace(_XLINK, "")] = value
    for key, value in attributes.items():
        value = re.sub(r"#(\w+)", lambda match: f"#{name}-{match[1]}"
                       if match[1] in referred else match[0], value)
        attributes[key] = _VARIABLES.get(value, value)
    return attributes
