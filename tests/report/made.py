"""A made run: drawn digits, known mistakes, and the notebook's network in its true sizes."""

from pathlib import Path

import numpy as np

from digits.recipe import Recipe
from digits.run import (Activations, DataFacts, DeviceFacts, Epoch, Layer, Predictions, Preview,
                        Record, Run, RunWriter)

TRAIN, VALIDATION, TEST = 200, 60, 40
# (true, predicted, probability) of the made mistakes; all other rows are read right.
MISTAKES = [(4, 9, 0.97), (4, 9, 0.64), (7, 2, 0.55), (3, 8, 0.91), (9, 4, 0.49)]

# The notebook's network as it is, in the order of Layer's fields.
LAYERS = [
    ("conv1", "Conv2D", "3 x 3, relu", (26, 26, 32), 320, 320, 194_688),
    ("conv2", "Conv2D", "3 x 3, relu", (24, 24, 32), 9_248, 9_248, 5_308_416),
    ("norm1", "BatchNormalization", "", (24, 24, 32), 128, 64, 0),
    ("conv3", "Conv2D", "3 x 3, relu", (22, 22, 64), 18_496, 18_496, 8_921_088),
    ("conv4", "Conv2D", "3 x 3, relu", (20, 20, 64), 36_928, 36_928, 14_745_600),
    ("norm2", "BatchNormalization", "", (20, 20, 64), 256, 128, 0),
    ("conv5", "Conv2D", "3 x 3, relu", (18, 18, 128), 73_856, 73_856, 23_887_872),
    ("norm3", "BatchNormalization", "", (18, 18, 128), 512, 256, 0),
    ("pool", "MaxPooling2D", "2 x 2", (9, 9, 128), 0, 0, 0),
    ("dropout1", "Dropout", "0.25", (9, 9, 128), 0, 0, 0),
    ("flatten", "Flatten", "", (10_368,), 0, 0, 0),
    ("norm4", "BatchNormalization", "", (10_368,), 41_472, 20_736, 0),
    ("dense1", "Dense", "relu", (256,), 2_654_464, 2_654_464, 2_654_208),
    ("dropout2", "Dropout", "0.5", (256,), 0, 0, 0),
    ("norm5", "BatchNormalization", "", (256,), 1_024, 512, 0),
    ("dense2", "Dense", "softmax", (10,), 2_570, 2_570, 2_560),
]
WATCHED = {"conv1": (26, 26, 32), "norm1": (24, 24, 32), "pool": (9, 9, 128), "dense1": (256,),
           "dense2": (10,)}


def write_run(folder: Path, mistakes=MISTAKES, source="kaggle", refit=True, repeats=(),
              leaks=(), **record) -> Run:
    """Write a made run; keywords that are fields of Record replace its values."""
    random = np.random.RandomState(0)
    writer = RunWriter(folder)
    recipe = Recipe(epochs=3, refit_epochs=2 if refit else 0, validation_fraction=0.3)
    writer.record(Record(**{
        "id": folder.name, "status": "finished", "recipe": recipe, "fingerprint": "0123456789",
        "data": DataFacts(source, "train.csv", "test.csv", TRAIN, TEST, "abcdef"),
        "versions": {"python": "3.11.7", "keras": "2.2.4"},
        "started": "2025-03-01T12:00:00+00:00", "finished": "2025-03-01T12:10:03+00:00",
        "device": DeviceFacts("llvm_cpu.0", "CPU (LLVM)", "no OpenCL device was found"),
        "seconds": {"fit": 60.0, "refit": 40.0}, **record}))
    writer.history(_history("fit", 3) + (_history("refit", 2) if refit else []))
    writer.model([Layer(*layer) for layer in LAYERS], "{}")
    writer.weights({"conv1/kernel": random.normal(size=(3, 3, 1, 32)).astype(np.float32)})
    labels = np.arange(TRAIN) % 10
    images = np.stack([drawn(label, random) for label in labels])
    rows = np.arange(VALIDATION) * 3
    places = random.normal(scale=0.1, size=(VALIDATION, 2)) + np.stack(
        [np.cos(labels[rows]), np.sin(labels[rows])], axis=1)
    writer.preview(Preview(
        train_head=np.hstack([labels[:5, None], images[:5].reshape(5, 784)]),
        test_head=images[5:10].reshape(5, 784), first_images=images[:64],
        first_labels=labels[:64].astype(np.uint8),
        class_images=np.stack([images[labels == label][:12] for label in range(10)]),
        class_means=np.stack([images[labels == label].mean(0) for label in range(10)]).astype(np.uint8),
        train_labels=labels.astype(np.uint8), validation_rows=rows, validation_images=images[rows],
        validation_labels=labels[rows].astype(np.uint8), pixel_range=np.array([[0, 255], [0, 254]]),
        repeats=np.array(repeats, int).reshape(-1, 2), leaks=np.array(leaks, int).reshape(-1, 2)))
    test = _sure(random.randint(0, 10, TEST))
    writer.predictions(Predictions(_with_mistakes(labels[rows], mistakes), test,
                                   places.astype(np.float32)))
    writer.activations(Activations(
        rows=np.array([10, 11]), labels=labels[10:12].astype(np.uint8), images=images[10:12],
        layers={name: np.maximum(random.normal(size=(2, *shape)), 0).astype(np.float16)
                if name != "dense2" else _sure(labels[10:12]) for name, shape in WATCHED.items()}))
    answers = "".join(f"{number},{label}\n" for number, label in enumerate(test.argmax(1), 1))
    writer.submission("ImageId,Label\n" + answers)
    return Run(folder)


def drawn(label: int, random) -> np.ndarray:
    """A digit of seven segments at a random place, uint8 (28, 28)."""
    lit = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcfgd"]
    strokes = {"a": (0, 2, 0, 10), "b": (0, 10, 8, 10), "c": (8, 18, 8, 10), "d": (16, 18, 0, 10),
               "e": (8, 18, 0, 2), "f": (0, 10, 0, 2), "g": (8, 10, 0, 10)}
    image = np.zeros((28, 28), np.uint8)
    top, left = random.randint(3, 7), random.randint(6, 12)
    for segment in lit[label]:
        y0, y1, x0, x1 = strokes[segment]
        image[top + y0:top + y1, left + x0:left + x1] = random.randint(180, 256)
    return image


def _history(stage, epochs):
    return [Epoch(stage, epoch, 0.5 / epoch, 1 - 0.2 / epoch, 0.4 / epoch, 1 - 0.15 / epoch, 20.0)
            for epoch in range(1, epochs + 1)]


def _sure(labels):
    probabilities = np.full((len(labels), 10), 0.001, np.float32)
    probabilities[np.arange(len(labels)), labels] = 0.991
    return probabilities


def _with_mistakes(labels, mistakes):
    probabilities = _sure(labels)
    free = {label: iter(np.flatnonzero(labels == label)) for label in range(10)}
    for true, predicted, probability in mistakes:
        row = next(free[true])
        probabilities[row] = 0.001
        probabilities[row, true] = min(0.992 - probability, 0.4)
        probabilities[row, predicted] = probability
    return probabilities
