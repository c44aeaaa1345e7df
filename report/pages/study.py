"""What the pages are made from: a run, how good it is, and what is known of its submission."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from digits.evaluation import Evaluation, Promise, evaluate, promise
from digits.run import CLASSES, DeviceFacts, Epoch, Member, Run, RunError, finished_runs
from report.figures.drawing_cache import DrawingCache


@dataclass(frozen=True)
class Study:
    """One run with all that several pages need of it."""

    run: Run
    evaluation: Evaluation
    promise: Promise
    drawings: DrawingCache = field(default_factory=DrawingCache)

    @property
    def sample(self) -> bool:
        return self.run.record.data.source == "sample"

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

    @property
    def folds(self) -> int:
        return self.run.record.recipe.validation.folds

    def mean_epochs(self, stage: str) -> list[Epoch]:
        """The mean over the networks of every epoch. One that ended early has no part in the later."""
        longest = max((member.epochs(stage) for member in self.members), key=len)
        return [_mean([epoch for member in self.members for epoch in member.epochs(stage)[number:number + 1]])
                for number in range(len(longest))]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.run.layers)

    @property
    def trainable_parameters(self) -> int:
        return sum(layer.trainable_parameters for layer in self.run.layers)

    @property
    def seconds(self) -> float:
        """Time in the epochs of all networks."""
        return sum(epoch.seconds for member in self.members for epoch in member.history)

    @cached_property
    def disputed(self) -> dict[int, np.ndarray]:
        """The rows whose judging networks disagree: how many of them predict each label."""
        votes = np.zeros((self.run.record.data.train_rows, len(CLASSES)), int)
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
