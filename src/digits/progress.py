"""How far a member's training is: a record in its folder, for whoever follows it."""

import math
import time
from pathlib import Path
from typing import Literal

from digits.files import read_bytes
from digits.records import Count, NonNegative, Record

NAME = "progress.json"
SECONDS_BETWEEN_WRITES = 0.2


class Progress(Record):
    """Epochs and batches count from 1.

    `stage` is "compile" (the first batch, for which PlaidML builds its kernels), "fit", "refit",
    or "predict" (the test rows). `seconds_left` is for the whole member.
    """

    stage: Literal["compile", "fit", "refit", "predict"]
    epoch: Count
    epochs: Count
    batch: Count
    batches: Count
    seconds_left: NonNegative | None = None


def read_progress(folder: Path) -> Progress | None:
    """The latest progress in a member's folder, if there is any."""
    try:
        return Progress.model_validate_json(read_bytes(folder / NAME))
    except (OSError, ValueError):
        return None


class ProgressWriter:
    """Writes the progress of a member a few times a second, with the time left."""

    TRAINING_COST, PREDICTION_COST = 3, 1  # forward and backward, against forward alone

    def __init__(self, folder: Path, training_batches: int, prediction_batches: int):
        self.path = folder / NAME
        self.cost_left = training_batches * self.TRAINING_COST + prediction_batches * self.PREDICTION_COST
        self.cost_done = 0
        self.started = self.written = -math.inf

    def trained_a_batch(self, progress: Progress) -> None:
        self._advance(self.TRAINING_COST, progress)

    def predicted_a_batch(self, progress: Progress | None = None) -> None:
        self._advance(self.PREDICTION_COST, progress)

    def write(self, progress: Progress) -> None:
        left = None
        if self.cost_done:
            left = round((time.perf_counter() - self.started) / self.cost_done * max(self.cost_left, 0), 1)
        partial = self.path.with_suffix(".partial")  # no need to survive a crash
        partial.write_text(progress.model_copy(update={"seconds_left": left}).model_dump_json())
        partial.replace(self.path)
        self.written = time.perf_counter()

    def _advance(self, cost: int, progress: Progress | None) -> None:
        self.cost_left -= cost
        if math.isinf(self.started):  # the first batch was mostly compiling: time from here
            self.started = time.perf_counter()
        else:
            self.cost_done += cost
        if progress and (progress.batch == progress.batches
                         or time.perf_counter() - self.written > SECONDS_BETWEEN_WRITES):
            self.write(progress)
