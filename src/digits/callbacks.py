"""Keras callbacks: what happens around Keras's training loop, in the order in which `fitting.py` lists them."""

import math
import time
from dataclasses import dataclass, field
from typing import Callable

import keras.backend as K
import numpy as np
from keras.callbacks import Callback

from digits.batches import TrainingBatches
from digits.evaluation import Evaluation
from digits.member import TrainingFault
from digits.progress import Progress, ProgressWriter
from digits.recipe import Schedule
from digits.run import Epoch

# Accuracy is judged from the third epoch on, if enough rows were seen to tell it from luck.
JUDGED_EPOCH, JUDGED_ROWS = 3, 100

Planned = Callable[[], int]  # how many epochs a stage has, as far as is known now


@dataclass(eq=False)
class LearningRate(Callback):
    """Sets the learning rate before each batch, as the schedule has it."""

    schedule: Schedule
    peak: float
    planned: Planned
    batches: int
    rate: float | None = None

    def on_epoch_begin(self, epoch, logs=None):
        self.step, self.total = epoch * self.batches, self.planned() * self.batches

    def on_batch_begin(self, batch, logs=None):
        rate = learning_rate(self.schedule, self.peak, self.step + batch, self.total)
        if rate != self.rate:
            K.set_value(self.model.optimizer.lr, rate)
        self.rate = rate

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = self.rate


def learning_rate(schedule: Schedule, peak: float, step: int, total: int) -> float:
    """The learning rate of a batch, `step` counted from 0 to `total` - 1."""
    if schedule.name == "constant":
        return peak
    warmup = schedule.warmup * total
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


@dataclass(eq=False)
class ProgressOfBatches(Callback):
    """Writes how far the training is after each batch, and stops it where the loss is no number."""

    writer: ProgressWriter
    stage: str
    planned: Planned
    batches: int

    def on_train_begin(self, logs=None):
        self.writer.write(Progress(
            stage="compile", epoch=1, epochs=self.planned(), batch=0, batches=self.batches))

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.epochs = epoch + 1, self.planned()

    def on_batch_end(self, batch, logs=None):
        expect_finite(float(logs["loss"]), self.stage, self.epoch, f", batch {batch + 1} of {self.batches}")
        self.writer.trained_a_batch(Progress(
            stage=self.stage, epoch=self.epoch, epochs=self.epochs, batch=batch + 1, batches=self.batches))


@dataclass(eq=False)
class Validate(Callback):
    """Judges the network after each epoch on the validation rows, and adds the epoch to the history.

    predict: images uint8 (n, 28, 28) to probabilities (n, 10).
    """

    predict: Callable[[np.ndarray], np.ndarray]
    images: np.ndarray
    labels: np.ndarray
    history: list[Epoch]
    stage: str

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        judged = Evaluation(np.arange(len(self.labels)), self.labels, self.predict(self.images).astype(float))
        loss = judged.loss
        expect_finite(loss, self.stage, epoch + 1, "")
        self.history.append(Epoch(
            stage=self.stage, epoch=epoch + 1, learning_rate=float(logs["learning_rate"]),
            loss=float(logs["loss"]), acc=min(float(logs["acc"]), 1.0), val_loss=loss, val_acc=judged.accuracy,
            seconds=max(round(time.perf_counter() - self.started, 3), 0.001)))


@dataclass(eq=False)
class ExpectMoreThanChance(Callback):
    """Raises TrainingFault, or adds to `warnings` with --insist, if after the third epoch the
    training or the validation accuracy is what guessing gives."""

    history: list[Epoch]
    training_labels: np.ndarray
    validation_labels: np.ndarray
    insist: bool
    warnings: list[str]

    def on_epoch_end(self, epoch, logs=None):
        last = self.history[-1]
        if last.epoch < JUDGED_EPOCH:
            return
        for name, accuracy, labels in (("training", last.acc, self.training_labels),
                                       ("validation", last.val_acc, self.validation_labels)):
            if not exceeds_chance(accuracy, labels):
                warning = (f"the {name} accuracy is {accuracy:.1%} after epoch {last.epoch} of the "
                           f"{last.stage}, no better than guessing ({chance(labels):.1%})")
                if not self.insist:
                    raise TrainingFault(f"{warning}: are the labels those of these images? If so, train on "
                                        "another device (llvm_cpu.0 is the CPU), or add --insist to finish it "
                                        "all the same")
                if not any(name in told for told in self.warnings):
                    self.warnings.append(warning)


def exceeds_chance(accuracy: float, labels: np.ndarray) -> bool:
    """Four standard deviations above chance is no luck."""
    luck = 4 * math.sqrt(chance(labels) * (1 - chance(labels)) / len(labels))
    return len(labels) < JUDGED_ROWS or accuracy >= chance(labels) + luck


def chance(labels: np.ndarray) -> float:
    """The accuracy of always naming the most common digit."""
    return np.bincount(labels).max() / len(labels)


@dataclass(eq=False)
class Average(Callback):
    """Adds up the weights after each of the last epochs. first: gives the first of these, from 0."""

    first: Callable[[], int]
    sums: list[np.ndarray] = field(default_factory=list)
    count: int = 0

    def on_epoch_end(self, epoch, logs=None):
        if epoch >= self.first():
            weights = [array.astype(np.float64) for array in self.model.get_weights()]
            self.sums = [before + now for before, now in zip(self.sums, weights)] or weights
            self.count += 1

    @property
    def mean(self) -> list[np.ndarray]:
        return [(total / self.count).astype(np.float32) for total in self.sums]


@dataclass(eq=False)
class EpochOfBatches(Callback):
    """Tells the batches which epoch it is, and ends the training after the last that is planned."""

    batches: TrainingBatches
    planned: Planned

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.begin(epoch)

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 >= self.planned()


def expect_finite(loss: float, stage: str, epoch: int, where: str) -> None:
    if not math.isfinite(loss):
        raise TrainingFault(
            f"the loss became {loss} in epoch {epoch} of the {stage}{where}: the network has lost what "
            f"it learned. Train again on another device (llvm_cpu.0 is the CPU) or with another batch "
            f"size")
