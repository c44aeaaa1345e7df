"""What the pages are made from: a run, how good it is, and the rows it was fitted on."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import List, Optional

import numpy as np

from digits.run import FIT, REFIT, Epoch, Run, finished_runs
from report.figures.drawings import Drawings
from digits.evaluation import Evaluation, evaluate


@dataclass(frozen=True)
class Study:
    """One run with all that several pages need of it."""

    run: Run
    evaluation: Evaluation
    drawings: Drawings = field(default_factory=Drawings)

    @property
    def sample(self) -> bool:
        return self.run.record.data.source == "sample"

    @cached_property
    def siblings(self) -> List[Run]:
        """The finished runs in the folder of this one, itself among them; the last comes first."""
        return finished_runs(self.run.folder.resolve().parent)[::-1]

    @property
    def fit_labels(self) -> np.ndarray:
        """Labels of the rows that the first fit learned from."""
        return np.delete(self.run.preview.train_labels, self.run.preview.validation_rows)

    def epochs(self, stage: str) -> List[Epoch]:
        return [epoch for epoch in self.run.history if epoch.stage == stage]

    @property
    def fit(self) -> List[Epoch]:
        return self.epochs(FIT)

    @property
    def refit(self) -> List[Epoch]:
        return self.epochs(REFIT)

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.run.layers)

    @property
    def trainable_parameters(self) -> int:
        return sum(layer.trainable_parameters for layer in self.run.layers)

    @property
    def seconds(self) -> float:
        """Time in the epochs of both fits."""
        return sum(epoch.seconds for epoch in self.run.history)


def study(run: Run, drawings: Optional[Path] = None) -> Study:
    """drawings: the folder that keeps them; without one each is drawn anew."""
    return Study(run, evaluate(run), Drawings(drawings))
