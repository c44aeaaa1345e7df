"""Line, bar and dot charts as inline SVG, with colours and type left to the stylesheet.

Every text of a chart stands outside its axes, so that it lies on no line whatever the data are.

matplotlib is imported where something is drawn: most renders find every chart drawn already.
"""

import io
import re
from typing import Dict, List
from xml.etree import ElementTree

# matplotlib knows no CSS variables: it draws in stand-ins, which `_inline` replaces.
INK, MUTED, RULE, ACCENT, ALARM = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)",
              ACCENT: "var(--accent)", ALARM: "var(--alarm)"}
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "plaidml-report", "font.size": 12,
    "axes.edgecolor": RULE, "axes.labelcolor": MUTED, "axes.spines.top": False,
    "axes.spines.right": False, "axes.spines.left": False, "axes.grid": True, "axes.grid.axis": "y",
    "axes.axisbelow": True, "grid.color": RULE, "grid.linewidth": 0.8, "text.color": INK,
    "xtick.color": RULE, "ytick.color": RULE, "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED,
    "ytick.major.size": 0, "legend.frameon": False, "legend.labelcolor": "linecolor",
    "legend.handlelength": 1.2, "legend.handletextpad": 0.5, "legend.columnspacing": 1.4,
    "legend.borderpad": 0.2}
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"


def curves(name: str, label: str, epochs: List[int], learned: List[float],
           validation: List[float], best: int, percent: bool) -> str:
    """A measure over the epochs, on the training set and on the validation set."""
    measure = "accuracy" if percent else "loss"
    with _axes() as (figure, axes):
        axes.plot(epochs, learned, color=MUTED, linewidth=1.4, label=f"training {measure}",
                  marker="o" if len(epochs) == 1 else "")  # a line of one point shows nothing
        axes.plot(epochs, validation, color=ACCENT, linewidth=2.2, label=f"validation {measure}")
        _point(axes, best, validation[epochs.index(best)], f"best: epoch {best}")
        _epochs_across(axes)
        _few_ticks(axes, percent)
        _key(axes, columns=2)
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
        _key(axes, columns=2)
        return _inline(figure, name, label)


def reliability(name: str, label: str, claimed: List[float], reached: List[float],
                low: List[float], high: List[float]) -> str:
    """The accuracy against the confidence, with its 95% intervals."""
    with _axes() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 4),
                  label="perfect calibration")
        axes.vlines(claimed, low, high, color=ACCENT, linewidth=1.6)
        _point(axes, claimed, reached, "accuracy")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xlabel("confidence")
        _percent_across(axes)
        _few_ticks(axes, percent=True)
        _key(axes, columns=2)
        return _inline(figure, name, label)


def coverage(name: str, label: str, read: List[float], accuracy: List[float]) -> str:
    """The accuracy on the surest digits, from half of them to all."""
    with _axes() as (figure, axes):
        axes.plot(read, accuracy, color=ACCENT, linewidth=2.2, label="accuracy")
        _point(axes, read[-1], accuracy[-1], "all digits read")
        axes.margins(y=0.15)
        axes.set_xlabel("part of the digits that is read, the surest first")
        _percent_across(axes)
        _few_ticks(axes, percent=True)
        _key(axes, columns=2)
        return _inline(figure, name, label)


def runs(name: str, label: str, lines: Dict[str, List[float]], shown: str) -> str:
    """Validation accuracy of several runs over their epochs; the one that the site shows stands out."""
    with _axes() as (figure, axes):
        titles = {True: "validation accuracy of this site’s run", False: "of other runs"}
        for run, values in sorted(lines.items(), key=lambda line: line[0] != shown):
            bold = run == shown
            epochs = range(1, len(values) + 1)
            axes.plot(epochs, values, color=ACCENT if bold else MUTED, label=titles.pop(bold, None),
                      linewidth=2.4 if bold else 1.1, zorder=3 if bold else 2)
            axes.plot(epochs[-1:], values[-1:], "o", color=ACCENT if bold else MUTED,
                      markersize=7 if bold else 4, zorder=3 if bold else 2)
        _epochs_across(axes)
        _few_ticks(axes, percent=True)
        _key(axes, columns=1)
        return _inline(figure, name, label)


class _axes:
    """A figure and its axes in the site's style, see-through."""

    def __enter__(self):
        from matplotlib import style
        from matplotlib.figure import Figure
        self.styled = style.context(["default", _STYLE])
        self.styled.__enter__()
        figure = Figure(figsize=(5, 3.4), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        return figure, axes

    def __exit__(self, *error):
        return self.styled.__exit__(*error)


def _epochs_across(axes) -> None:
    from matplotlib.ticker import MaxNLocator
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=8,
                                              steps=[1, 2, 5, 10]))


def _percent_across(axes) -> None:
    from matplotlib.ticker import PercentFormatter
    axes.xaxis.set_major_formatter(PercentFormatter(1))


def _few_ticks(axes, percent: bool) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        low, high = axes.get_ylim()  # nothing is more than 100%: room for a mark, for no tick
        axes.set_ylim(low, min(high, 1 + 0.04 * (high - low)))
    else:
        axes.yaxis.set_major_formatter("{x:g}")


def _point(axes, x, y, label: str) -> None:
    axes.plot(x, y, "o", color=ACCENT, markersize=7, label=label, clip_on=False)


def _key(axes, columns: int) -> None:
    """What the marks mean, above the axes: within them a text may lie on a line."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.4)


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
