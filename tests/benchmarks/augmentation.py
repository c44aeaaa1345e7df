"""What augmentation costs: the time to vary a batch, against a training step of the same batch.

    python tests/benchmarks/augmentation.py

Both take turns in one process, with the recipe `best`; a ratio of medians is printed. Its peer is
Keras's own ImageDataGenerator with the same rotation, zoom and shift, which does not bend.
"""

import argparse
import statistics
import time

import numpy as np

import plaidkeras
from digits.augmentation import augment
from digits.recipes import BEST


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    plaidkeras.install()
    from keras.preprocessing.image import ImageDataGenerator

    from digits import networks

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (BEST.batch_size, 28, 28), np.uint8)
    inputs = images[..., None].astype(np.float32) / 255
    targets = np.eye(10, dtype=np.float32)[np.arange(BEST.batch_size) % 10]
    model = networks.compiled(BEST)
    limits = BEST.augmentation
    keras_batches = ImageDataGenerator(
        rotation_range=limits.rotation, zoom_range=limits.zoom, width_shift_range=limits.shift,
        height_shift_range=limits.shift, fill_mode="constant").flow(inputs, batch_size=BEST.batch_size)
    steps = {"training step": lambda: model.train_on_batch(inputs, targets),
             "augmentation": lambda: augment(images, limits, random),
             "ImageDataGenerator": lambda: next(keras_batches)}
    seconds = {name: [] for name in steps}
    for turn in range(options.steps + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if turn:  # the first compiles
                seconds[name].append(time.perf_counter() - started)
    step = statistics.median(seconds["training step"])
    for name in steps:
        median = statistics.median(seconds[name])
        print(f"{name:20} {1000 * median:7.1f} ms a batch of {BEST.batch_size}   {median / step:6.1%} of a step")


if __name__ == "__main__":
    main()
