"""Line, bar and dot charts as inline SVG, with colours and type left to the stylesheet.

Every text of a chart stands outside its axes, so that it lies on no line whatever the data are.

matplotlib is imported where something is drawn: most renders find every chart drawn already.
"""

import io
import re
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


def curves(name: str, label: str, training: list[list[float]], validation: list[list[float]],
           mean_training: list[float], mean_validation: list[float], best: int, percent: bool) -> str:
    """Learning curves of one network or several: a measure over the epochs, on the training set and on
    the validation set. Each network has a thin line, their mean a bold one."""
    measure = "accuracy" if percent else "loss"
    epochs = range(1, len(mean_training) + 1)
    with _axes() as (figure, axes):
        for lines, colour, title in ((training, MUTED, ""), (validation, ACCENT, "each network")):
            for number, line in enumerate(lines if len(lines) > 1 else []):
                axes.plot(epochs[:len(line)], line, color=colour, linewidth=0.8, alpha=0.6,
                          label="" if number else title)
        axes.plot(epochs, mean_training, color=MUTED, linewidth=1.4, label=f"training {measure}",
                  marker="o" if len(epochs) == 1 else "")  # a line of one point shows nothing
        axes.plot(epochs, mean_validation, color=ACCENT, linewidth=2.2, label=f"validation {measure}")
        _point(axes, best, mean_validation[best - 1], f"best: epoch {best}")
        _epochs_across(axes)
        _few_ticks(axes, percent)
        _key(axes, columns=2)
        return _inline(figure, name, label)


def learning_rate(name: str, label: str, rates: list[float]) -> str:
    """The learning rate at the end of each epoch."""
    with _axes(height=2) as (figure, axes):
        axes.plot(range(1, len(rates) + 1), rates, color=ACCENT, linewidth=2.2, label="learning rate")
        axes.set_ylim(bottom=0)
        _epochs_across(axes)
        _few_ticks(axes, percent=False)
        _key(axes, columns=1)
        return _inline(figure, name, label)


def shares(name: str, label: str, series: dict[str, list[float]]) -> str:
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


def reliability(name: str, label: str, claimed: list[float], reached: list[float],
                low: list[float], high: list[float]) -> str:
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


def coverage(name: str, label: str, classified: list[float], accuracy: list[float]) -> str:
    """The accuracy on the most confident digits, from half of them to all."""
    with _axes() as (figure, axes):
        axes.plot(classified, accuracy, color=ACCENT, linewidth=2.2, label="accuracy")
        _point(axes, classified[-1], accuracy[-1], "all digits")
        axes.margins(y=0.15)
        axes.set_xlabel("coverage: share that is classified")
        _percent_across(axes)
        _few_ticks(axes, percent=True)
        _key(axes, columns=2)
        return _inline(figure, name, label)


def runs(name: str, label: str, seconds: list[float], accuracy: list[float], shown: int) -> str:
    """Accuracy of several runs against their training time; the one that the site shows stands out."""
    with _axes() as (figure, axes):
        axes.plot([time / 60 for time in seconds], accuracy, "o", color=MUTED, markersize=5, label="a run")
        _point(axes, seconds[shown] / 60, accuracy[shown], "this site’s run")
        axes.margins(y=0.15)
        axes.set_xlim(0, max(1, 1.15 * max(seconds) / 60))
        axes.set_xlabel("minutes of training")
        _few_ticks(axes, percent=True)
        _key(axes, columns=2)
        return _inline(figure, name, label)


class _axes:
    """A figure and its axes in the site's style, see-through."""

    def __init__(self, height: float = 3.4):
        self.height = height

    def __enter__(self):
        from matplotlib import style
        from matplotlib.figure import Figure
        self.styled = style.context(["default", _STYLE])
        self.styled.__enter__()
        figure = Figure(figsize=(5, self.height), layout="constrained")
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
