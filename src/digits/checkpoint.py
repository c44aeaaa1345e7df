"""What a training needs to go on from its last finished epoch as if it had never stopped.

One file, replaced whole after each epoch, of plain arrays: the state of the network, the optimizer
and dropout, and the sum of the weights to be averaged. All else that is random follows from the
seed and the number of the epoch (`batches.py`).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.arrays import read_arrays
from digits.files import atomic_write

NAME = "checkpoint.npz"
AFTER_FIT = "after_fit.npz"  # what the fit leaves for the report, before the refit goes on


@dataclass(frozen=True)
class Checkpoint:
    """`finished` counts the epochs of both stages; `state` is what plaidkeras.state gives;
    `weight_sums` are the weights of `averaged` epochs added up, none before the first of these."""

    finished: int
    state: list[np.ndarray]
    averaged: int
    weight_sums: list[np.ndarray]
    warnings: list[str]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint of a member, whole or not at all."""
    arrays = {f"state_{index}": array for index, array in enumerate(checkpoint.state)}
    arrays |= {f"sum_{index}": array for index, array in enumerate(checkpoint.weight_sums)}
    with atomic_write(folder / NAME) as file:
        np.savez(file, finished=checkpoint.finished, averaged=checkpoint.averaged,
                 warnings=json.dumps(checkpoint.warnings), **arrays)


def load(folder: Path) -> Checkpoint:
    """The checkpoint of a member; one of no epochs if there is none, or none that can be read."""
    try:
        arrays = read_arrays(folder / NAME)
        return Checkpoint(int(arrays["finished"]), _numbered(arrays, "state_"), int(arrays["averaged"]),
                          _numbered(arrays, "sum_"), json.loads(str(arrays["warnings"])))
    except Exception:  # readers of damaged bytes raise what they like
        return Checkpoint(0, [], 0, [], [])


def _numbered(arrays: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    return [arrays[f"{prefix}{index}"] for index in range(sum(name.startswith(prefix) for name in arrays))]
