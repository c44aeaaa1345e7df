"""Where the network is weak: its accuracy by how the digits are written."""

from dataclasses import dataclass

from markupsafe import Markup

from digits.evaluation import Bin, by_quantile
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.shared import Digit, digit
from report.pages.study import Study
from report.text import formats

# By the names of digits.handwriting.TRAITS: unit, and what has least and most of it.
ENDS = {"thickness": ("pixels", "The thinnest", "The thickest"),
        "slant": ("degrees", "Leaning most to the left", "Leaning most to the right"),
        "size": ("pixels", "The smallest", "The largest"),
        "centring": ("pixels", "The best centred", "The farthest from the middle")}


@dataclass(frozen=True)
class Trait:
    """The accuracy on fifths of the judged digits by one trait, and examples of both ends."""

    name: str
    unit: str
    bins: list[Bin]
    chart: Markup
    ends: list[tuple[str, list[Digit]]]

    @property
    def weakest(self) -> Bin:
        return min(self.bins, key=lambda one: one.accuracy)

    @property
    def strongest(self) -> Bin:
        return max(self.bins, key=lambda one: one.accuracy)

    @property
    def matters(self) -> bool:
        """Whether the intervals of the weakest and of the strongest part lie apart."""
        return self.weakest.interval[1] < self.strongest.interval[0]


@dataclass(frozen=True)
class Context:
    traits: list[Trait]


def context(study: Study, bundle: Bundle) -> Context:
    return Context([_trait(study, bundle, place, name) for place, name in enumerate(ENDS)])


def _trait(study: Study, bundle: Bundle, place: int, name: str) -> Trait:
    stored, labels, (unit, *ends) = study.run.handwriting, study.run.data.train_labels, ENDS[name]
    bins = by_quantile(study.evaluation, stored.traits[:, place])
    weakest = min(bins, key=lambda one: one.accuracy)
    chart = study.drawings.svg(
        charts.trait, name, f"Dot chart of the accuracy by {name}, in {formats.plural(len(bins), 'part')} of about as "
        f"many digits each; lowest, {formats.percent(weakest.accuracy)}, from {weakest.low:.1f} to {weakest.high:.1f} "
        f"{unit}. The table has the numbers.",
        f"{name}, {unit}", [(one.low + one.high) / 2 for one in bins], [one.accuracy for one in bins],
        [one.interval[0] for one in bins], [one.interval[1] for one in bins])
    return Trait(name, unit, bins, chart, [
        (end, [digit(bundle, f"images/handwriting/row-{row}.png", row, labels[row], pixels)
               for row, pixels in zip(rows, drawn)])
        for end, rows, drawn in zip(ends, stored.extreme_rows[place], stored.extreme_images[place])])
