"""What the pages are made from: a run, how good it is, and what is known of its submission."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from digits.evaluation import evaluate, promise
from digits.run import CLASSES, FIT, DeviceFacts, Epoch, Explanations, Layer, Run, RunError, finished_runs
from report.figures.drawing_cache import DrawingCache


class Study:
    """One run with all that several pages need of it; every template sees it. `first` is the member that
    stands for all where one network has to."""

    def __init__(self, run: Run, drawings_folder: Path | None = None):
        """drawings_folder: where drawings are kept; without one each is drawn anew. Raises RunError."""
        self.run, self.record, self.data, self.recipe = run, run.record, run.record.data, run.record.recipe
        self.members, self.first, self.layers = run.members, run.members[0], run.members[0].layers
        self.sample = self.data.source == "sample"
        self.evaluation = evaluate(run)
        self.promise = promise(run, self.evaluation)
        self.drawings = DrawingCache(drawings_folder)
        misclassified = self.evaluation.rows[np.sort(self.evaluation.misclassified)]
        for file, fits, rows in (
                ("misclassified", np.array_equal(run.misclassified.rows, misclassified), "misclassified"),
                ("label_issues", np.isin(run.label_issues.suspected_rows, misclassified).all(), "misclassified"),
                ("handwriting", np.array_equal(run.handwriting.rows, self.evaluation.rows), "judged")):
            if not fits:
                raise RunError(f"{run.folder / file}.npz: damaged (its rows are not those that are {rows}); "
                               "delete the run and train again")

    @cached_property
    def siblings(self) -> list[Run]:
        """The finished runs in the folder of this one, itself among them; the last comes first."""
        return finished_runs(self.run.folder.resolve().parent)[::-1]

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

    def best_epoch(self, stage: str = FIT) -> Epoch:
        """The one with the lowest validation loss, of the mean over the networks."""
        return min(self.mean_epochs(stage), key=lambda epoch: epoch.val_loss)

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

    def explanation(self, row: int) -> tuple[Explanations, int] | None:
        """What the first network that explains this row says, and its place there."""
        return next(((each, int(place)) for each in (member.explanations for member in self.members)
                     for place in np.flatnonzero(each.rows == row)), None)

    @cached_property
    def images(self) -> dict[int, np.ndarray]:
        """The training images that the run holds, uint8 (28, 28), by their row: all that were misclassified, and a
        few others."""
        data, wrong = self.run.data, self.run.misclassified
        written, labels = self.run.handwriting, self.run.label_issues
        held = dict(enumerate(data.first_images))
        for label, examples in enumerate(data.class_images):
            held |= zip(np.flatnonzero(data.train_labels == label).tolist(), examples)
        held |= zip(wrong.rows.tolist(), wrong.images)
        held |= zip(written.extreme_rows.ravel().tolist(), written.extreme_images.reshape(-1, 28, 28))
        held |= zip(labels.untypical_rows.tolist(), labels.untypical_images)
        return held


def _mean(epochs: Sequence[Epoch]) -> Epoch:
    measures = "learning_rate", "loss", "acc", "val_loss", "val_acc", "seconds"
    return epochs[0].model_copy(update={
        name: sum(getattr(epoch, name) for epoch in epochs) / len(epochs) for name in measures})
