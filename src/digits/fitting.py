"""One member from its first epoch to its predictions, in a process where Keras runs on PlaidML.

Reads and writes only the member's folder; what an interrupted training has left there is gone on
from. Keras is imported at once: call plaidkeras.install() before this module is imported.
"""

import time
from functools import partial
from pathlib import Path

import keras.backend as K
import numpy as np
from keras.callbacks import LambdaCallback
from keras.layers import BatchNormalization

from digits import callbacks, checkpoint, networks
from digits.arrays import read_arrays, write_arrays, write_group
from digits.augmentation import views
from digits.batches import TrainingBatches, count_batches, predict
from digits.explanations import explain, hidden_activations
from digits.files import atomic_write
from digits.inspection import activations, tsne_embedding
from digits.progress import Progress, ProgressWriter
from digits.recipe import MAX_EPOCHS, Recipe
from digits.run import FIT, REFIT, Epoch, Member, Predictions, write_history, write_record
from plaidkeras.state import restore, state


def train(folder: Path, dataset: Path, recipe: Recipe, seed: int, insist: bool,
          warnings: list[str]) -> dict[str, float]:
    """Trains the member in `folder`, or goes on with it, and writes all that its run shows.

    `insist` finishes a training that goes wrong, as far as there is anything to finish; what went
    wrong is added to `warnings`. Returns the seconds of each stage. Raises TrainingFault, OSError.
    """
    training = Training(folder, read_arrays(dataset), recipe, seed, insist, warnings)
    model, images, labels, rows = training.model, training.images, training.labels, training.rows
    write_record(folder / "model.json", networks.describe(model))
    with atomic_write(folder / "architecture.json") as file:
        file.write(model.to_json().encode() + b"\n")

    if not training.finished(REFIT):
        training.fit()
        validation = training.predict(images[rows.validation])
        hidden = hidden_activations(model, images[rows.validation], recipe.batch_size)
        write_group(folder / "explanations.npz", explain(
            model, images, labels, rows.training, rows.validation, validation, hidden, recipe.batch_size))
        write_arrays(folder / checkpoint.AFTER_FIT, {
            "validation": validation, **tsne_embedding(hidden, rows.validation)})
    after_fit = read_arrays(folder / checkpoint.AFTER_FIT)
    submitted_rows, submitted = rows.validation, after_fit["validation"]
    if recipe.refit.epochs:
        training.refit()
        submitted_rows, submitted = rows.unseen_by_both, training.predict(images[rows.unseen_by_both])

    started = time.perf_counter()
    test = training.predict(training.test_images, told=True)
    seconds = {**training.seconds, "predict": round(time.perf_counter() - started, 3)}
    write_group(folder / "predictions.npz", Predictions(
        validation_rows=rows.validation, submitted_rows=submitted_rows, submitted=submitted,
        test_rows=np.arange(len(test)), test=test, **after_fit))
    names = [weight.name for layer in model.layers for weight in layer.weights]
    write_arrays(folder / "weights.npz", dict(zip(names, model.get_weights())))
    shown = activations(model, images, labels, rows.training)
    write_arrays(folder / "activations.npz", {
        "rows": shown.rows, "labels": shown.labels, "images": shown.images, **shown.layers})
    return seconds


class Training:
    """The epochs of one member, and its predictions."""

    def __init__(self, folder: Path, dataset: dict[str, np.ndarray], recipe: Recipe, seed: int, insist: bool,
                 warnings: list[str]):
        self.folder, self.recipe, self.seed, self.insist, self.warnings = folder, recipe, seed, insist, warnings
        self.images, self.labels = dataset["train_images"], dataset["train_labels"]  # uint8 (n, 28, 28), (n,)
        self.test_images = dataset["test_images"]                                    # uint8 (m, 28, 28)
        self.rows = Member(folder, {"train": len(self.labels)}).rows
        self.history: list[Epoch] = []
        np.random.seed(seed)  # the first weights and dropout draw from it
        self.model = networks.compiled(recipe)
        self.average = callbacks.Average(
            lambda: self.planned(FIT) - recipe.averaged_epochs(self.planned(FIT)))
        self.model._make_train_function()
        self._go_on_from_checkpoint()
        self.progress = ProgressWriter(folder, *self._batches_left())

    def fit(self) -> None:
        """The epochs that are left; then the network has the average of the last ones, if any."""
        self._train(FIT, self.rows.training, self.rows.validation)
        if self.average.count:
            self.model.set_weights(self.average.mean)
            self._recompute_batch_statistics()

    def refit(self) -> None:
        """The same weights, and the optimizer as the fit left it, on the rows of the refit."""
        self._train(REFIT, self.rows.refit_training, self.rows.refit_validation)

    def planned(self, stage: str) -> int:
        """How many epochs a stage has, as far as is known after those that are finished."""
        epochs = self.recipe.epochs if stage == FIT else self.recipe.refit.epochs
        return self.recipe.planned_epochs(epochs, self._seconds(stage))

    def finished(self, stage: str) -> int:
        return len(self._seconds(stage))

    def predict(self, images: np.ndarray, told: bool = False) -> np.ndarray:
        """Probabilities, float32 (n, 10), of uint8 images (n, 28, 28): the mean over the views of
        each image that the recipe asks for."""
        of_views = [self._predict(view, told) for view in views(images, self.recipe.test_time_augmentation)]
        return np.mean(of_views, axis=0, dtype=np.float64).astype(np.float32)

    @property
    def seconds(self) -> dict[str, float]:
        """The time of the epochs of each stage."""
        return {stage: round(sum(self._seconds(stage)), 3) for stage in (FIT, REFIT) if self.finished(stage)}

    def _train(self, stage: str, rows: np.ndarray, validation_rows: np.ndarray) -> None:
        if self.finished(stage) >= self.planned(stage):
            return
        recipe, batches, planned = self.recipe, self._batches(stage, rows), partial(self.planned, stage)
        images, labels = self.images[validation_rows], self.labels[validation_rows]
        steps = [
            callbacks.LearningRate(recipe.schedule, recipe.optimizer.learning_rate, planned, len(batches)),
            callbacks.ProgressOfBatches(self.progress, stage, planned, len(batches)),
            callbacks.Validate(self._predict, images, labels, self.history, stage),
            callbacks.ExpectMoreThanChance(self.history, self.labels[rows], labels, self.insist, self.warnings),
            *([self.average] if stage == FIT else []),
            LambdaCallback(on_epoch_end=lambda epoch, logs: self._save()),
            callbacks.EpochOfBatches(batches, planned)]
        try:
            # workers=0: in this thread and in order, so that each batch belongs to its epoch
            self.model.fit_generator(batches, epochs=MAX_EPOCHS, initial_epoch=self.finished(stage),
                                     callbacks=steps, shuffle=False, workers=0, verbose=0)
        except callbacks.TrainingFault as fault:
            if not (self.insist and self.history):
                raise
            self._go_on_from_checkpoint()
            self.warnings.append(f"{fault}. These are the results of the epoch before")

    def _save(self) -> None:
        """Keeps the history, and then all that a resume needs; of these the checkpoint decides."""
        write_history(self.folder / "history.csv", self.history)
        checkpoint.save(self.folder, checkpoint.Checkpoint(
            len(self.history), state(self.model.train_function), self.average.count, self.average.sums,
            self.warnings))

    def _go_on_from_checkpoint(self) -> None:
        found = checkpoint.load(self.folder)
        if found.finished:
            restore(self.model.train_function, found.state)
            self.history = Member(self.folder).history[:found.finished]
            self.average.sums, self.average.count = found.weight_sums, found.averaged
            self.warnings[:] = dict.fromkeys(found.warnings + self.warnings)

    def _recompute_batch_statistics(self) -> None:
        """The moving averages of batch normalization are those of weights on the way to the
        average. They start anew in a pass over the training rows that leaves the weights alone, and
        become the average's own (Izmailov et al. 2018, algorithm 1)."""
        for layer in self.model.layers:
            if isinstance(layer, BatchNormalization):
                for average in (layer.moving_mean, layer.moving_variance):
                    K.set_value(average.share, 1.0)  # of the start: all of it, see plaidkeras.backend
        K.set_value(self.model.optimizer.lr, 0.0)
        batches = self._batches(FIT, self.rows.training)
        batches.begin(self.recipe.epochs)  # one that was not learned from
        for batch in range(len(batches)):
            self.model.train_on_batch(*batches[batch])

    def _predict(self, images: np.ndarray, told: bool = False) -> np.ndarray:
        def after_batch(number: int, batches: int) -> None:
            self.progress.predicted_a_batch(Progress(
                stage="predict", epoch=1, epochs=1, batch=number, batches=batches) if told else None)
        return predict(self.model, images, self.recipe.batch_size, after_batch)

    def _batches(self, stage: str, rows: np.ndarray) -> TrainingBatches:
        seed = self.seed, (FIT, REFIT).index(stage)
        return TrainingBatches(self.images, self.labels, rows, self.recipe.batch_size, seed,
                               self.recipe.augmentation)

    def _batches_left(self) -> tuple[int, int]:
        """Batches to train on and to predict from now to the end."""
        rows, views = self.rows, self.recipe.test_time_augmentation
        training, validation, refit_training, refit_validation, test = (
            count_batches(len(each), self.recipe.batch_size) for each in (
                rows.training, rows.validation, rows.refit_training, rows.refit_validation, self.test_images))
        fit, refit = (self.planned(stage) - self.finished(stage) for stage in (FIT, REFIT))
        return (fit * training + refit * refit_training,
                (fit + views) * validation + refit * refit_validation + views * test)

    def _seconds(self, stage: str) -> list[float]:
        return [epoch.seconds for epoch in self.history if epoch.stage == stage]
