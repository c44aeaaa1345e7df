"""What several pages show: digits as pictures, mistakes with their bars, downloads."""

import hashlib
from typing import List, Sequence

import numpy as np

from report.figures import images
from report.text import formats, tables
from report.contexts import Bar, Download, Mistake, Picture
from digits.evaluation import Evaluation
from report.pages.study import Study
from report.output.bundle import Bundle

BAR_WIDTH, BAR_STEP, BAR_HEIGHT = 8, 12, 40


def picture(bundle: Bundle, path: str, pixels: np.ndarray, alt: str) -> Picture:
    """Add an ink drawing of `pixels` to the site."""
    return Picture(bundle.add(path, images.digit(pixels)), pixels.shape[1], pixels.shape[0], alt)


def downloads(bundle: Bundle, name: str, about: str, header: Sequence[str],
              rows: Sequence[Sequence]) -> List[Download]:
    """Add a table for the reader to take away, as CSV and as JSON."""
    return [describe(bundle.add(f"downloads/{name}.{kind}", content), content, about)
            for kind, content in (("csv", tables.csv(header, rows)),
                                  ("json", tables.as_json(header, rows)))]


def describe(path: str, content: bytes, about: str) -> Download:
    return Download(path, path.rpartition("/")[2], len(content),
                    hashlib.sha256(content).hexdigest(), about)


def submission_download(study: Study) -> Download:
    """The submission as the submission page adds it; other pages only link to it."""
    return describe("downloads/submission.csv", study.run.submitted,
                    "the answer to Kaggle's test set")


def mistakes(study: Study, positions: Sequence[int], with_bars: int) -> List[Mistake]:
    """The misread digits at these positions; the first `with_bars` of them with all probabilities.

    Only the mistakes page adds the images; other pages may refer to them.
    """
    return [_mistake(study.evaluation, int(position), order < with_bars)
            for order, position in enumerate(positions)]


def _mistake(judged: Evaluation, position: int, with_bars: bool) -> Mistake:
    row, true = int(judged.rows[position]), int(judged.truth[position])
    predicted, confidence = int(judged.predicted[position]), float(judged.confidence[position])
    alt = (f"Row {row}: a handwritten {true}, read as {predicted} "
           f"with a probability of {formats.percent(confidence, 1)}")
    return Mistake(row, true, predicted, confidence,
                   Picture(f"images/mistakes/row-{row}.png", 28, 28, alt),
                   bars(judged.probabilities[position], true, predicted) if with_bars else [])


def bars(probabilities: np.ndarray, true: int, predicted: int) -> List[Bar]:
    """Ten bars; a probability that is not quite zero still gets a visible line."""
    heights = [max(round(float(p) * BAR_HEIGHT, 1), 0.6) for p in probabilities]
    return [Bar(label, float(probabilities[label]), label * BAR_STEP, BAR_HEIGHT - height, height,
                "true" if label == true else "predicted" if label == predicted else "other")
            for label, height in enumerate(heights)]
