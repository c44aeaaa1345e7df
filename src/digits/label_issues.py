"""Which labels are likely wrong, by cleanlab, from predictions of networks that had not learned from them."""

import warnings

import numpy as np

from digits.evaluation import Evaluation
from digits.run import LabelIssues, Run

MAX_SUSPECTED, MAX_UNTYPICAL, MAX_ALIKE = 100, 24, 24
ALIKE = 0.13  # of the median distance to the nearest: what cleanlab's Datalab takes for a near-duplicate


def label_issues(run: Run, judged: Evaluation, images: np.ndarray) -> LabelIssues:
    """Of the judged rows: suspected label errors, the most likely first (confident learning, Northcutt et al.
    2021), the least typical digits, and pairs of nearly the same. images: all labelled ones."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    with warnings.catch_warnings():  # that few digits of a class may hide an error
        warnings.simplefilter("ignore", UserWarning)
        places = find_label_issues(judged.truth, judged.probabilities, return_indices_ranked_by="self_confidence",
                                   n_jobs=1)
    quality = get_label_quality_scores(judged.truth, judged.probabilities)
    suspected = places[:MAX_SUSPECTED]

    explained = [member.explanations for member in run.members]
    rows, first = np.unique(np.concatenate([each.validation_rows for each in explained]), return_index=True)
    typicality, nearest, distances = (
        np.concatenate([getattr(each, name) for each in explained])[first]
        for name in ("typicality", "nearest_rows", "nearest_distances"))
    untypical = np.argsort(typicality, kind="stable")[:MAX_UNTYPICAL]
    alike = np.argsort(distances, kind="stable")[:MAX_ALIKE]
    alike = alike[distances[alike] < ALIKE * np.median(distances)]
    pairs = np.stack([rows[alike], nearest[alike]], axis=1)
    return LabelIssues(
        suspected_rows=judged.rows[suspected], suspected_images=images[judged.rows[suspected]],
        label_quality=quality[suspected].astype(np.float32), suspected_count=np.array([len(places)]),
        untypical_rows=rows[untypical], untypical_images=images[rows[untypical]],
        typicality=typicality[untypical], alike_rows=pairs, alike_images=images[pairs])
