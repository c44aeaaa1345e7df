"""What the pages are made from: a run, how good it is, and what is known of its submission."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from digits.evaluation import Evaluation, Promise, evaluate, promise
from digits.recipe import Recipe
from digits.run import (CLASSES, FIT, DataFacts, DeviceFacts, Epoch, Layer, Member, Run, RunError, RunRecord,
                        finished_runs)
from report.figures.drawing_cache import DrawingCache


@dataclass(frozen=True)
class Study:
    """One run with all that several pages need of it. Every template sees it."""

    run: Run
    evaluation: Evaluation
    promise: Promise
    drawings: DrawingCache = field(default_factory=DrawingCache)

    @property
    def record(self) -> RunRecord:
        return self.run.record

    @property
    def data(self) -> DataFacts:
        return self.record.data

    @property
    def recipe(self) -> Recipe:
        return self.record.recipe

    @property
    def sample(self) -> bool:
        return self.data.source == "sample"

    @cached_property
    def siblings(self) -> list[Run]:
        """The finished runs in the folder of this one, itself among them; the last comes first."""
        return finished_runs(self.run.folder.resolve().parent)[::-1]

    @property
    def members(self) -> list[Member]:
        return self.run.members

    @property
    def first(self) -> Member:
        """The member that stands for all where one network has to."""
        return self.members[0]

    @cached_property
    def devices(self) -> list[DeviceFacts]:
        """Each device that a network was trained on, once."""
        return list({device.id: device for device in (member.record.device for member in self.members)}.values())

    @property
    def warnings(self) -> list[str]:
        """What went wrong in trainings that were finished all the same."""
        return [warning if len(self.members) == 1 else f"{member.record.name}: {warning}"
                for member in self.members for warning in member.record.warnings]

    def mean_epochs(self, stage: str) -> list[Epoch]:
        """The mean over the networks of every epoch. One that ended early has no part in the later."""
        longest = max((member.epochs(stage) for member in self.members), key=len)
        return [_mean([epoch for member in self.members for epoch in member.epochs(stage)[number:number + 1]])
                for number in range(len(longest))]

    @property
    def best_epoch(self) -> Epoch:
        return best_epoch(self.mean_epochs(FIT))

    @property
    def layers(self) -> list[Layer]:
        return self.run.layers

    @property
    def largest(self) -> Layer:
        """The layer with the most parameters."""
        return max(self.layers, key=lambda layer: layer.parameters)

    def total(self, measure: str) -> int:
        """The sum over the layers of "parameters", "trainable_parameters" or "multiply_adds"."""
        return sum(getattr(layer, measure) for layer in self.layers)

    def seconds(self, *stages: str) -> float:
        """Time in the epochs of all networks, of these stages or of all."""
        return sum(epoch.seconds for member in self.members for epoch in member.history
                   if not stages or epoch.stage in stages)

    @cached_property
    def disputed(self) -> dict[int, np.ndarray]:
        """The rows whose judging networks disagree: how many of them predict each label."""
        votes = np.zeros((self.data.train_rows, len(CLASSES)), int)
        for member in self.members:
            predictions = member.predictions
            np.add.at(votes, (predictions.validation_rows, predictions.validation.argmax(axis=1)), 1)
        return {int(row): votes[row] for row in np.flatnonzero((votes > 0).sum(axis=1) > 1)}

    def misclassified_image(self, row: int) -> np.ndarray:
        return self.run.misclassified.images[np.searchsorted(self.run.misclassified.rows, row)]


def study(run: Run, drawings_folder: Path | None = None) -> Study:
    """drawings_folder: where drawings are kept; without one each is drawn anew. Raises RunError."""
    judged = evaluate(run)
    if not np.array_equal(run.misclassified.rows, judged.rows[np.sort(judged.misclassified)]):
        raise RunError(f"{run.folder / 'misclassified.npz'}: damaged (its rows are not those that the "
                       "predictions misclassify); delete the run and train again")
    return Study(run, judged, promise(run, judged), DrawingCache(drawings_folder))


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """The one with the lowest validation loss."""
    return min(epochs, key=lambda epoch: epoch.val_loss)


def _mean(epochs: Sequence[Epoch]) -> Epoch:
    measures = "learning_rate", "loss", "acc", "val_loss", "val_acc", "seconds"
    return epochs[0].model_copy(update={
        name: sum(getattr(epoch, name) for epoch in epochs) / len(epochs) for name in measures})
