"""The batches that a network learns from and predicts, all of one size.

PlaidML compiles each batch size anew and can crash on odd ones. So a last batch that is not full is
filled up with rows of the first: these count twice in that epoch, others in the next.
"""

import math

import numpy as np
from keras.utils import Sequence, to_categorical

from digits.augmentation import augment
from digits.recipe import Augmentation


class TrainingBatches(Sequence):
    """The batches of an epoch, shuffled and augmented anew in each.

    All that is random follows from (seed, stage, epoch, batch), so that a training that goes on
    after an interruption sees the same batches as one that was never interrupted.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, rows: np.ndarray, batch_size: int,
                 seed: tuple[int, ...], augmentation: Augmentation):
        self.images, self.labels, self.rows = images, labels, rows  # uint8 (n, 28, 28), (n,), int
        self.batch_size, self.seed, self.augmentation = batch_size, seed, augmentation
        self.begin(0)

    def begin(self, epoch: int) -> None:
        """Makes these the batches of an epoch, counted from 0."""
        self.epoch = epoch
        shuffled = np.random.default_rng((*self.seed, epoch)).permutation(self.rows)
        self._rows_of_batches = filled_batches(shuffled, self.batch_size)

    def __len__(self) -> int:
        return count_batches(len(self.rows), self.batch_size)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """float32 (batch_size, 28, 28, 1) in 0..1 and one-hot (batch_size, 10)."""
        rows = self._rows_of_batches[batch]
        images = self.images[rows]
        if self.augmentation.is_used:
            random = np.random.default_rng((*self.seed, self.epoch, batch))
            images = augment(images, self.augmentation, random)
        return network_input(images), to_categorical(self.labels[rows], 10)


def count_batches(rows: int, batch_size: int) -> int:
    return math.ceil(rows / batch_size)


def filled_batches(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """(batches, batch_size): np.resize starts again from the front where the rows end."""
    return np.resize(rows, (count_batches(len(rows), batch_size), batch_size))


def predict(model, images: np.ndarray, batch_size: int, after_batch=lambda number, batches: None) -> np.ndarray:
    """The outputs, float32 (n, units), for uint8 images (n, 28, 28)."""
    batches, outputs = filled_batches(np.arange(len(images)), batch_size), []
    for number, rows in enumerate(batches, start=1):
        outputs.append(model.predict_on_batch(network_input(images[rows])))
        after_batch(number, len(batches))
    return np.concatenate(outputs)[:len(images)] if outputs else np.empty((0, 10), np.float32)


def network_input(images: np.ndarray) -> np.ndarray:
    """uint8 (n, 28, 28) to float32 (n, 28, 28, 1) in 0..1."""
    return images[..., np.newaxis].astype(np.float32) / 255
