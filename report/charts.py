"""Line and bar charts as inline SVG, with colours and type left to the stylesheet."""

import io
import re
from typing import Dict, Sequence
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

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


def curves(name: str, label: str, epochs: Sequence[int], learned: Sequence[float],
           validation: Sequence[float], best: int, percent: bool = False) -> Markup:
    """A measure over the epochs, on the rows learned from and on the validation rows."""
    with style.context(["default", _STYLE]):
        figure, axes = _axes()
        axes.plot(epochs, learned, color=MUTED, linewidth=1.4, label="rows learned from")
        axes.plot(epochs, validation, color=ACCENT, linewidth=2.2, label="validation rows")
        value = validation[list(epochs).index(best)]
        axes.plot([best], [value], "o", color=ACCENT, markersize=7)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        if percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(loc="best")
        return _inline(figure, name, label)


def shares(name: str, label: str, series: Dict[str, Sequence[float]]) -> Markup:
    """What part of each of two sets of rows every digit makes up, side by side."""
    with style.context(["default", _STYLE]):
        figure, axes = _axes()
        width = 0.38
        for offset, colour, (title, values) in zip((-width / 2, width / 2), (MUTED, ACCENT),
                                                   series.items()):
            axes.bar([digit + offset for digit in range(10)], values, width * 0.92, color=colour,
                     label=title)
        axes.set_xticks(range(10))
        axes.tick_params(axis="x", length=0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        return _inline(figure, name, label)


def _axes():
    figure = Figure(figsize=(6, 3.9), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    return figure, axes


def _inline(figure: Figure, name: str, label: str) -> Markup:
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
    return Markup(ElementTree.tostring(root, encoding="unicode"))


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
