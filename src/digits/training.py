"""The training process: `python -m digits.training RUN_FOLDER [--device ID]`.

The folder holds a record (the recipe) and dataset.npz, both written by digits.launch. Standard
output is for JSON lines to the parent, and for nothing else; what PlaidML and Keras have to say
goes to standard error, which the parent keeps as log.txt.
"""

import argparse
import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

import plaidkeras
from digits import checkpoint, network, submission, survey
from digits.checkpoint import Checkpoint
from digits.data import split
from digits.progress import COMPILE, PREDICT, Progress
from digits.run import (FINISHED, FIT, REFIT, Activations, DeviceFacts, Epoch, Predictions, Preview,
                        Run, RunWriter)

SECONDS_BETWEEN_REPORTS = 0.2
PREVIEWED_ROWS, PREVIEWED_PER_CLASS = 64, 10
MAPPED_AT_ONCE = 128
NOTEBOOKS_DIGIT = 10  # the notebook looked at X_train[10]


# Accuracy is judged from the third epoch on, if enough rows were seen to tell it from luck.
JUDGED_EPOCH, JUDGED_ROWS = 3, 100


class TrainingFault(Exception):
    """A training that goes wrong; the message says how, and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="digits.training")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device")
    parser.add_argument("--insist", action="store_true")
    arguments = parser.parse_args()
    _end_with_the_parent()
    say = _only_json_on_stdout()
    try:
        train(arguments.folder, arguments.device, arguments.insist, say)
    except (plaidkeras.DeviceError, TrainingFault) as error:  # these explain themselves
        say(error=str(error))
        return 1
    except OSError as error:
        traceback.print_exc()
        say(error=f"{arguments.folder}: cannot be written ({error.strerror or error}); free some "
                  "space there. The same command then goes on from the last finished epoch")
        return 1
    except Exception as error:
        traceback.print_exc()
        say(error=f"{type(error).__name__}: {error} (more in {arguments.folder / 'log.txt'})")
        return 1
    return 0


def train(folder: Path, device_id: Optional[str], insist: bool, say: Callable[..., None]) -> None:
    """Takes the run from "training" to "finished". `say` gets message= or progress=.

    A checkpoint in the folder is gone on from. `insist` finishes a training that goes wrong, with
    a warning in its record, as far as there is anything to finish.
    Raises plaidkeras.DeviceError, and TrainingFault if the training goes wrong.
    """
    device = plaidkeras.install(device_id)
    writer, record = RunWriter(folder), Run(folder).record
    recipe = record.recipe
    record = replace(record, device=DeviceFacts(device.id, device.description, device.reason))
    writer.record(record)
    say(message=f"Device: {device.id} ({device.description}); {device.reason}")

    warnings = _warnings_of_device(insist)

    with np.load(folder / "dataset.npz", allow_pickle=False) as arrays:
        images, labels = arrays["train_images"], arrays["train_labels"]  # uint8 (n, 28, 28), (n,)
        test_images = arrays["test_images"]                              # uint8 (m, 28, 28)
    fit_rows, validation_rows = split(labels, recipe)
    # Keras's validation_split takes the last rows. The first fit has already seen most of them.
    refit_rows, refit_validation_rows = np.split(
        np.arange(len(labels)), [int(len(labels) * (1 - recipe.refit_validation_fraction))])
    writer.preview(_preview(images, labels, test_images, validation_rows))

    np.random.seed(recipe.seed)  # the first weights, dropout and the shuffles all draw from it
    model = network.build()
    model.compile(optimizer="adadelta", loss="categorical_crossentropy", metrics=["accuracy"])
    writer.model(network.describe(model), model.to_json())

    found = checkpoint.load(folder)
    epochs = recipe.epochs - found.epochs(FIT) if found else recipe.epochs
    refit_epochs = recipe.refit_epochs - found.epochs(REFIT) if found else recipe.refit_epochs
    loop = TrainingLoop(model, images, labels, recipe.batch_size, writer, Reporter(
        say,
        training_batches=epochs * _count(fit_rows, recipe.batch_size)
        + refit_epochs * _count(refit_rows, recipe.batch_size),
        prediction_batches=epochs * _count(validation_rows, recipe.batch_size)
        + refit_epochs * _count(refit_validation_rows, recipe.batch_size)
        + _count(test_images, recipe.batch_size)), insist)
    loop.warnings += warnings
    if found:
        loop.resume(found)
    if not loop.after_fit:
        validation = loop.run(FIT, recipe.epochs, fit_rows, validation_rows)
        loop.after_fit = {"validation": validation, **_map(model, images[validation_rows])}
    if recipe.refit_epochs:  # the same weights, and the optimizer as the fit left it
        loop.run(REFIT, recipe.refit_epochs, refit_rows, refit_validation_rows)
    writer.weights(_weights(model))

    test = loop.predict(test_images, PREDICT)
    writer.predictions(Predictions(test=test, **loop.after_fit))
    writer.submission(submission.to_csv(test))
    writer.activations(_activations(model, images, labels, fit_rows))
    writer.record(replace(record, status=FINISHED, seconds=loop.seconds, warnings=tuple(loop.warnings),
                          finished=datetime.now(timezone.utc).isoformat(timespec="seconds")))


def _warnings_of_device(insist: bool) -> List[str]:
    """Raises plaidkeras.DeviceError if the device computes wrongly; a warning for who insists."""
    from plaidkeras import selftest

    try:
        selftest.check()
    except plaidkeras.DeviceError as error:
        if not insist:
            raise
        return [str(error)]
    return []


class TrainingLoop:
    """Epochs of training, and predictions, in batches that all have one size.

    PlaidML compiles each batch size anew and can crash on odd ones. So the last batch is filled
    up with rows of the first: these count twice in that epoch, another few in each.
    """

    def __init__(self, model, images, labels, batch_size, writer, reporter, insist=False):
        self.model, self.images, self.labels = model, images, labels
        self.batch_size, self.writer, self.reporter = batch_size, writer, reporter
        self.insist, self.compiled = insist, False
        self.history: List[Epoch] = []
        self.after_fit: Dict[str, np.ndarray] = {}
        self.warnings: List[str] = []
        self.seconds: Dict[str, float] = {}
        model._make_train_function()

    def run(self, stage: str, epochs: int, rows: np.ndarray, judged_rows: np.ndarray) -> np.ndarray:
        """Trains on `rows`, from the epoch after the last one of the history; the probabilities of
        `judged_rows` after the last epoch, (n, 10)."""
        finished = sum(epoch.stage == stage for epoch in self.history)
        probabilities = None
        for epoch in range(finished + 1, epochs + 1):
            started = time.perf_counter()
            try:
                loss, acc, progress = self._train(stage, epoch, epochs, rows)
                probabilities = self.predict(self.images[judged_rows])
                val_loss, val_acc = score(probabilities, self.labels[judged_rows])
                self._expect_a_number(val_loss, progress)
            except TrainingFault as fault:
                if not (self.insist and self.history):
                    raise
                self.resume(checkpoint.load(self.writer.folder))
                self.warnings.append(f"{fault}. These are the results of the epoch before")
                probabilities = None
                break
            self.history.append(Epoch(stage, epoch, loss, acc, val_loss, val_acc,
                                      round(time.perf_counter() - started, 3)))
            self._expect_more_than_chance(self.history[-1], rows, judged_rows)
            self.writer.history(self.history)
            self._save_checkpoint()
            self.reporter.tell(replace(progress, val_loss=val_loss, val_acc=val_acc))
        self.seconds[stage] = round(sum(epoch.seconds for epoch in self.history
                                        if epoch.stage == stage), 3)
        if probabilities is None:  # an earlier process trained the last epoch
            probabilities = self.predict(self.images[judged_rows])
        return probabilities

    def resume(self, found: Checkpoint) -> None:
        """Goes on from a checkpoint of the same recipe and data."""
        from plaidkeras.state import restore

        restore(self.model.train_function, found.state)
        np.random.set_state(found.random)
        self.history, self.after_fit = list(found.history), dict(found.after_fit)
        self.warnings = list(found.warnings)
        self.writer.history(self.history)

    def _save_checkpoint(self) -> None:
        from plaidkeras.state import state

        checkpoint.save(self.writer.folder, Checkpoint(
            state(self.model.train_function), np.random.get_state(legacy=False), self.history,
            self.after_fit, self.warnings))

    def _train(self, stage, epoch, epochs, rows) -> Tuple[float, float, Progress]:
        """One epoch: its mean loss and accuracy, and the last progress told."""
        batches = _filled_batches(np.random.permutation(rows), self.batch_size)
        progress = Progress(stage, epoch, epochs, 0, len(batches))
        if not self.compiled:
            self.compiled = True
            self.reporter.tell(replace(progress, stage=COMPILE))
        sums = np.zeros(2)
        for batch, batch_rows in enumerate(batches, start=1):
            sums += self.model.train_on_batch(
                _network_input(self.images[batch_rows]), _one_hot(self.labels[batch_rows]))
            loss, acc = (sums / batch).tolist()
            progress = replace(progress, batch=batch, loss=loss, acc=acc)
            self._expect_a_number(loss, progress)
            self.reporter.trained_a_batch(progress)
        return loss, acc, progress

    def predict(self, images: np.ndarray, told_stage: Optional[str] = None) -> np.ndarray:
        """Probabilities, float32 (n, 10), of uint8 images (n, 28, 28)."""
        started = time.perf_counter()
        batches = _filled_batches(np.arange(len(images)), self.batch_size)
        probabilities = []
        for batch, batch_rows in enumerate(batches, start=1):
            probabilities.append(self.model.predict_on_batch(_network_input(images[batch_rows])))
            self.reporter.predicted_a_batch(
                told_stage and Progress(told_stage, 1, 1, batch, len(batches)))
        if told_stage:
            self.seconds[told_stage] = round(time.perf_counter() - started, 3)
        return np.concatenate(probabilities)[:len(images)]

    def _expect_a_number(self, loss: float, progress: Progress) -> None:
        if not math.isfinite(loss):
            raise TrainingFault(
                f"the loss became {loss} in epoch {progress.epoch} of the {progress.stage}, batch "
                f"{progress.batch} of {progress.batches}: the network has lost what it learned. "
                f"Train again on another device (llvm_cpu.0 is the CPU) or with another batch size")

    def _expect_more_than_chance(self, epoch: Epoch, rows, judged_rows) -> None:
        """Of both accuracies, since either can be at chance alone. Chance is to name the most
        common digit always; four standard deviations above it is no luck."""
        if epoch.epoch < JUDGED_EPOCH:
            return
        for name, accuracy, judged in (("training", epoch.acc, rows),
                                       ("validation", epoch.val_acc, judged_rows)):
            chance = np.bincount(self.labels[judged]).max() / len(judged)
            luck = 4 * math.sqrt(chance * (1 - chance) / len(judged))
            if len(judged) >= JUDGED_ROWS and accuracy < chance + luck:
                warning = (f"the {name} accuracy is {accuracy:.1%} after epoch {epoch.epoch} of "
                           f"the {epoch.stage}, no better than guessing ({chance:.1%})")
                if not self.insist:
                    raise TrainingFault(f"{warning}: are the labels those of these images? If so, "
                                        "train on another device (llvm_cpu.0 is the CPU), or add "
                                        "--insist to finish it all the same")
                if not any(name in said for said in self.warnings):
                    self.warnings.append(warning)


class Reporter:
    """Tells the parent how far the training is: a few times a second, with the time left."""

    TRAINING_COST, PREDICTION_COST = 3, 1  # forward and backward, against forward alone

    def __init__(self, say, training_batches: int, prediction_batches: int):
        self.say = say
        self.left = (training_batches * self.TRAINING_COST
                     + prediction_batches * self.PREDICTION_COST)
        self.done = 0
        self.started = self.told = -math.inf

    def trained_a_batch(self, progress: Progress) -> None:
        self._count(self.TRAINING_COST)
        self._tell_now_and_then(progress)

    def predicted_a_batch(self, progress: Optional[Progress]) -> None:
        self._count(self.PREDICTION_COST)
        if progress:
            self._tell_now_and_then(progress)

    def tell(self, progress: Progress) -> None:
        left = None
        if self.done:
            left = round((time.perf_counter() - self.started) / self.done * self.left, 1)
        self.say(progress=asdict(replace(progress, seconds_left=left)))
        self.told = time.perf_counter()

    def _count(self, cost: int) -> None:
        self.left -= cost
        if math.isinf(self.started):  # the first batch was mostly compiling: time from here
            self.started = time.perf_counter()
        else:
            self.done += cost

    def _tell_now_and_then(self, progress: Progress) -> None:
        if (progress.batch == progress.batches
                or time.perf_counter() - self.told > SECONDS_BETWEEN_REPORTS):
            self.tell(progress)


def score(probabilities: np.ndarray, labels: np.ndarray) -> Tuple[float, float]:
    """Mean cross-entropy (natural logarithm) and accuracy (0..1) of (n, 10) against (n,).

    Probabilities are kept 1e-7 away from 0 and 1, as Keras does.
    """
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    loss = -np.log(right.clip(1e-7, 1 - 1e-7)).mean()
    return float(loss), float((probabilities.argmax(axis=1) == labels).mean())


def _count(rows, batch_size: int) -> int:
    return math.ceil(len(rows) / batch_size)


def _filled_batches(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """(batches, batch_size): np.resize starts again from the front where the rows end."""
    return np.resize(rows, (_count(rows, batch_size), batch_size))


def _network_input(images: np.ndarray) -> np.ndarray:
    return images[..., np.newaxis].astype(np.float32) / 255  # (n, 28, 28, 1) in 0..1


def _one_hot(labels: np.ndarray) -> np.ndarray:
    from keras.utils import to_categorical

    return to_categorical(labels, 10)


def _weights(model) -> Dict[str, np.ndarray]:
    names = [weight.name for layer in model.layers for weight in layer.weights]
    return dict(zip(names, model.get_weights()))


def _preview(images, labels, test_images, validation_rows) -> Preview:
    of_class = [images[labels == digit] for digit in range(10)]
    shown = min(PREVIEWED_PER_CLASS, *map(len, of_class))
    return Preview(
        train_head=np.column_stack([labels[:5], images[:5].reshape(-1, 28 * 28)]),
        test_head=test_images[:5].reshape(-1, 28 * 28),
        first_images=images[:PREVIEWED_ROWS],
        first_labels=labels[:PREVIEWED_ROWS],
        class_images=np.stack([group[:shown] for group in of_class]),
        class_means=np.stack([group.mean(axis=0) for group in of_class]).round().astype(np.uint8),
        train_labels=labels,
        validation_rows=validation_rows,
        validation_images=images[validation_rows],
        validation_labels=labels[validation_rows],
        pixel_range=survey.pixel_range(images, test_images),
        repeats=survey.repeats(images),
        leaks=survey.leaks(images, test_images))


def _map(model, images) -> Dict[str, np.ndarray]:
    """{"map": float32 (n, 2)}: images near each other are alike to the last layer before the
    softmax. Fewer than four make no map."""
    from keras.models import Model
    from sklearn.manifold import TSNE

    if len(images) < 4:
        return {}
    hidden = Model(model.input, model.layers[-2].output)
    batches = _filled_batches(np.arange(len(images)), MAPPED_AT_ONCE)
    answers = np.concatenate([hidden.predict_on_batch(_network_input(images[rows]))
                              for rows in batches])[:len(images)]
    # Its perplexity, the number of neighbours that a point is held to, must stay below the rows.
    layout = TSNE(perplexity=min(30, (len(images) - 1) / 3), init="pca", learning_rate="auto",
                  random_state=0)
    return {"map": layout.fit_transform(answers)}


def _activations(model, images, labels, fit_rows) -> Activations:
    """The notebook's digit and one of each other class, through every layer that computes."""
    from keras.models import Model

    fit_labels = labels[fit_rows]
    chosen = [min(NOTEBOOKS_DIGIT, len(fit_rows) - 1)]
    for digit in range(10):
        if digit != fit_labels[chosen[0]]:
            chosen += np.flatnonzero(fit_labels == digit)[:1].tolist()
    rows = fit_rows[chosen]

    layers = [layer for layer in model.layers if type(layer).__name__ not in ("Dropout", "Flatten")]
    every_output = Model(model.input, [layer.output for layer in layers])
    [filled] = _filled_batches(rows, 8 * _count(rows, 8))
    outputs = every_output.predict_on_batch(_network_input(images[filled]))
    return Activations(rows, labels[rows], images[rows], {
        layer.name: output[:len(rows)].astype(np.float16)
        for layer, output in zip(layers, outputs)})


def _end_with_the_parent() -> None:
    """Ends this process as soon as its parent has ended, however it ended: the parent holds the
    other end of standard input. Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait():
        while os.read(0, 1024):
            pass
        os._exit(1)
    threading.Thread(target=wait, daemon=True).start()


def _only_json_on_stdout() -> Callable[..., None]:
    """Keeps standard output for what the returned function says, and gives everything else that
    is printed, from Python or native code, to standard error."""
    sys.stdout.flush()
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**said):
        lines.write(json.dumps(said) + "\n")
        lines.flush()
    return say


if __name__ == "__main__":
    sys.exit(main())
