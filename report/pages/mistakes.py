"""The mistakes: every validation digit that was misread."""

from report.figures import images
from report.contexts import MistakesContext, PairGroup
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle

# Beyond these the page shows only the image and the two labels, so that even a network that
# learned nothing gets a page that opens at once. Good ones misread a tenth of that.
LARGE = 400


def context(study: Study, bundle: Bundle) -> MistakesContext:
    judged = study.evaluation
    shown = parts.mistakes(study, judged.mistakes, with_bars=LARGE)
    for mistake, position in zip(shown, judged.mistakes):
        bundle.add(mistake.picture.path, images.digit(study.run.preview.validation_images[position]))
    return MistakesContext(
        count=judged.count, large=shown[:LARGE], small=shown[LARGE:],
        groups=[PairGroup(pair, [mistake for mistake in shown if
                                 (mistake.true, mistake.predicted) == (pair.true, pair.predicted)])
                for pair in judged.pairs])
