"""A made run: drawn digits, known misclassifications, and the notebook's network in its true sizes."""

import json
from pathlib import Path

import numpy as np

from digits import recipes
from digits.arrays import write_arrays, write_group
from digits.evaluation import evaluate, submitted_probabilities
from digits.files import atomic_write
from digits.handwriting import handwriting
from digits.label_issues import label_issues
from digits.recipe import Recipe
from digits.run import (FINISHED, FIT, REFIT, AugmentationPreview, DataFacts, DataPreview, DeviceFacts, Epoch,
                        Explanations, Layer, MemberRecord, MemberRows, Misclassified, Predictions, Run, RunRecord,
                        write_history, write_record)
from digits.submission import to_csv

TRAIN, VALIDATION, TEST = 200, 60, 40
# (true, predicted, probability) of what is misclassified; all other rows are classified correctly.
MISCLASSIFIED = [(4, 9, 0.97), (4, 9, 0.64), (7, 2, 0.55), (3, 8, 0.91), (9, 4, 0.49)]
DEVICE = DeviceFacts(id="llvm_cpu.0", description="CPU (LLVM)", reason="no OpenCL device was found")

# The notebook's network as it is: name, kind, output shape, parameters, trainable, multiply-adds.
CONV = {"kernel_size": (3, 3), "strides": (1, 1), "padding": "valid", "activation": "relu"}
LAYERS = [Layer(name=name, kind=kind, output_shape=shape, parameters=parameters,
                trainable_parameters=trainable, multiply_adds=cost, **config)
          for name, kind, shape, parameters, trainable, cost, config in [
    ("conv1", "Conv2D", (26, 26, 32), 320, 320, 194_688, CONV),
    ("conv2", "Conv2D", (24, 24, 32), 9_248, 9_248, 5_308_416, CONV),
    ("norm1", "BatchNormalization", (24, 24, 32), 128, 64, 0, {}),
    ("conv3", "Conv2D", (22, 22, 64), 18_496, 18_496, 8_921_088, CONV),
    ("conv4", "Conv2D", (20, 20, 64), 36_928, 36_928, 14_745_600, CONV),
    ("norm2", "BatchNormalization", (20, 20, 64), 256, 128, 0, {}),
    ("conv5", "Conv2D", (18, 18, 128), 73_856, 73_856, 23_887_872, CONV),
    ("norm3", "BatchNormalization", (18, 18, 128), 512, 256, 0, {}),
    ("pool", "MaxPooling2D", (9, 9, 128), 0, 0, 0,
     {"pool_size": (2, 2), "strides": (2, 2), "padding": "valid"}),
    ("dropout1", "Dropout", (9, 9, 128), 0, 0, 0, {"rate": 0.25}),
    ("flatten", "Flatten", (10_368,), 0, 0, 0, {}),
    ("norm4", "BatchNormalization", (10_368,), 41_472, 20_736, 0, {}),
    ("dense1", "Dense", (256,), 2_654_464, 2_654_464, 2_654_208, {"activation": "relu"}),
    ("dropout2", "Dropout", (256,), 0, 0, 0, {"rate": 0.5}),
    ("norm5", "BatchNormalization", (256,), 1_024, 512, 0, {}),
    ("dense2", "Dense", (10,), 2_570, 2_570, 2_560, {"activation": "softmax"})]]
WATCHED = {"conv1": (26, 26, 32), "norm1": (24, 24, 32), "pool": (9, 9, 128), "dense1": (256,),
           "dense2": (10,)}


def write_run(folder: Path, misclassified=MISCLASSIFIED, source="kaggle", refit=True, worse=False, kept=160,
              folds=0, seeds=1, duplicates=(), leaks=(), recipe={}, warnings=(), device=DEVICE, seconds=None,
              whole=False, **record) -> Run:
    """Writes a made run; keywords that are fields of RunRecord replace its values.

    refit: the notebook's, from the first `kept` rows; `worse` than the fit where that is asked for.
    folds, seeds: more networks; each but the first is right about one digit that the others
    misclassify. recipe: other numbers of the recipe, nested. whole: the first network with all its weights,
    which are 11 MB, in place of its first kernel alone.
    """
    random = np.random.RandomState(0)
    recipe = recipes.NOTEBOOK.changed({
        "epochs": 3, "seeds": seeds, "validation": {"fraction": VALIDATION / TRAIN, "folds": folds}}).changed(
        {"refit": {"epochs": 2 if refit and not folds else 0}}).changed(recipe)
    labels = (np.arange(TRAIN) % 10).astype(np.uint8)
    images = np.stack([drawn(label, random) for label in labels])
    rows = _folds(folds) if folds else [np.arange(VALIDATION) * 3]
    names = [f"fold-{fold}-seed-{seed}" if folds else f"seed-{seed}"
             for fold in range(1, len(rows) + 1) for seed in range(333, 333 + seeds)]
    (folder / "members").mkdir(parents=True)
    write_record(folder / "run.json", RunRecord(**{
        "id": folder.name, "status": FINISHED, "recipe": recipe, "fingerprint": "0123456789",
        "members": tuple(names), "versions": {"python": "3.11.7", "keras": "2.2.4"},
        "data": DataFacts(source=source, train_file="train.csv", test_file="test.csv", train_rows=TRAIN,
                          test_rows=TEST, fingerprint="abcdef"),
        "started": "2025-03-01T12:00:00+00:00", "finished": "2025-03-01T12:10:03+00:00", **record}))
    write_group(folder / "data.npz", DataPreview(
        train_head=np.hstack([labels[:5, None], images[:5].reshape(5, 784)]),
        test_head=images[5:10].reshape(5, 784), first_images=images[:64], first_labels=labels[:64],
        class_images=np.stack([images[labels == label][:12] for label in range(10)]),
        class_means=np.stack([images[labels == label].mean(0) for label in range(10)]).astype(np.uint8),
        train_labels=labels, pixel_range=np.array([[0, 255], [0, 254]], np.uint8),
        duplicates=np.array(duplicates, int).reshape(-1, 2), leaks=np.array(leaks, int).reshape(-1, 2)))
    _write_augmentation(folder, recipe, images)
    of_folds = [misclassified] if not folds else \
        [list(misclassified)[fold::folds] for fold in range(folds)]
    test_labels = random.randint(0, 10, TEST)
    for number, name in enumerate(names):
        fold, seed = number // seeds, number % seeds
        placed = zip(_rows_of(labels, rows[fold], of_folds[fold]), of_folds[fold])
        wrong = [each for place, each in enumerate(placed) if seed == 0 or place != seed - 1]
        _write_member(folder / "members" / name, MemberRecord(
            name=name, status=FINISHED, seed=333 + seed, fold=fold + 1 if folds else None, device=device,
            started="2025-03-01T12:00:00+00:00", finished="2025-03-01T12:10:00+00:00",
            seconds=seconds or {FIT: 60.0, **({REFIT: 40.0} if recipe.refit.epochs else {}), "predict": 3.0},
            warnings=tuple(warnings)), recipe, labels, images, rows[fold], wrong, test_labels, worse, kept, random,
            whole and not number)
    run = Run(folder)
    judged = evaluate(run)
    wrong_rows = judged.rows[np.sort(judged.misclassified)]
    write_group(folder / "misclassified.npz", Misclassified(wrong_rows, images[wrong_rows]))
    write_group(folder / "label_issues.npz", label_issues(run, judged, images))
    write_group(folder / "handwriting.npz", handwriting(judged.rows, images))
    (folder / "submission.csv").write_text(to_csv(submitted_probabilities(run)))
    return run


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


def _folds(count: int) -> list[np.ndarray]:
    """Each has every digit as often."""
    fold = np.arange(TRAIN) // 10 % count
    return [np.flatnonzero(fold == number) for number in range(count)]


def _write_augmentation(folder: Path, recipe: Recipe, images: np.ndarray) -> None:
    """Digits that have moved by a pixel or two."""
    limits = recipe.augmentation if recipe.augmentation.is_used else recipes.BEST.augmentation
    first, varied = images[:64], np.arange(3, 9)
    write_group(folder / "augmentation.npz", AugmentationPreview(
        used=np.array([recipe.augmentation.is_used], int),
        limits=np.array([limits.rotation, limits.zoom, limits.shift, limits.elastic]),
        images=first, augmented=np.roll(first, (1, 2), (1, 2)), varied_rows=varied,
        variations=np.stack([[np.roll(images[row], move, 1) for move in range(-5, 5)] for row in varied])))


def _write_member(folder: Path, record: MemberRecord, recipe: Recipe, labels, images, validation, wrong,
                  test_labels, worse, kept, random, whole) -> None:
    folder.mkdir()
    write_record(folder / "member.json", record)
    kept = kept if recipe.refit.epochs else 0
    rows = MemberRows(np.setdiff1d(np.arange(TRAIN), validation), validation, np.arange(kept),
                      np.arange(kept, TRAIN) if kept else np.empty(0, int))
    write_group(folder / "rows.npz", rows)
    write_record(folder / "model.json", LAYERS)
    with atomic_write(folder / "architecture.json") as file:
        file.write(json.dumps({"config": {"layers": [
            {"config": {"name": layer.name, "epsilon": 0.001, "axis": -1}} for layer in LAYERS]}}).encode())
    write_history(folder / "history.csv", [
        *_history(FIT, recipe, record.seed), *_history(REFIT, recipe, record.seed)])
    write_arrays(folder / "weights.npz", {
        "conv1/kernel": random.normal(size=(3, 3, 1, 32)).astype(np.float32), **(_weights() if whole else {})})
    probabilities = _confident(labels[validation])
    for row, (true, predicted, probability) in wrong:
        place = np.searchsorted(validation, row)
        probabilities[place] = 0.001
        probabilities[place, true] = min(0.992 - probability, 0.4)
        probabilities[place, predicted] = probability
    submitted_rows, submitted = validation, probabilities
    if recipe.refit.epochs:
        submitted_rows = rows.unseen_by_both
        submitted = _confident(labels[submitted_rows], 0.6 if worse else 0.995)
    places = random.normal(scale=0.1, size=(len(validation), 2)) + np.stack(
        [np.cos(labels[validation]), np.sin(labels[validation])], axis=1)
    write_group(folder / "predictions.npz", Predictions(
        validation, probabilities, submitted_rows, submitted, np.arange(TEST), _confident(test_labels),
        validation, places.astype(np.float32)))
    write_group(folder / "explanations.npz", _explanations(labels, images, rows.training, validation, wrong))
    write_arrays(folder / "activations.npz", {
        "rows": np.array([10, 11]), "labels": labels[10:12], "images": images[10:12],
        **{name: np.maximum(random.normal(size=(2, *shape)), 0).astype(np.float16)
           if name != "dense2" else _confident(labels[10:12]) for name, shape in WATCHED.items()}})


def _explanations(labels, images, training, validation, wrong) -> Explanations:
    """Of real distances between the images; a cover lowers a probability by the ink that it hides."""
    pixels = images.reshape(len(images), -1) / 255.0
    distances = np.sqrt(((pixels[validation, None] - pixels[None, training]) ** 2).sum(axis=2))
    order = distances.argsort(axis=1)
    rows = np.array([row for row, _ in sorted(wrong, key=lambda each: -each[1][2])], int)
    nearest = training[order[np.searchsorted(validation, rows)][:, :5]].reshape(-1, 5)
    hidden = images[rows].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    told = {row: (probability, predicted) for row, (_, predicted, probability) in wrong}
    occlusion = np.array([[(0.3 * (1 + ink)).clip(0, 1), told[row][0] * (1 - ink)] for row, ink in zip(rows, hidden)])
    return Explanations(
        validation_rows=validation, typicality=(1 / (1 + distances.min(axis=1))).astype(np.float32),
        nearest_rows=training[order[:, 0]], nearest_distances=distances.min(axis=1).astype(np.float32),
        rows=rows, neighbour_rows=nearest, neighbour_images=images[nearest],
        occlusion=occlusion.reshape(-1, 2, 14, 14).astype(np.float32))


def _weights() -> dict[str, np.ndarray]:
    """Of all layers but the first kernel, as they might be before training."""
    random, weights = np.random.RandomState(1), {}
    for layer in LAYERS:
        of_layer, channels = {}, layer.output_shape[-1]
        if layer.kind in ("Conv2D", "Dense"):
            inputs = (layer.parameters - channels) // channels
            shape = (3, 3, inputs // 9, channels) if layer.kind == "Conv2D" else (inputs, channels)
            of_layer = {"kernel": random.normal(0, (1.5 / inputs) ** 0.5, shape),
                        "bias": random.normal(0, 0.1, channels)}
        elif layer.kind == "BatchNormalization":
            of_layer = {"gamma": random.uniform(0.8, 1.2, channels), "beta": random.normal(0, 0.1, channels),
                        "moving_mean": random.uniform(0, 0.5, channels),
                        "moving_variance": random.uniform(0.5, 1.5, channels)}
        weights.update({f"{layer.name}/{name}": each.astype(np.float32) for name, each in of_layer.items()})
    weights.pop("conv1/kernel")
    return weights


def _history(stage: str, recipe: Recipe, seed: int) -> list[Epoch]:
    epochs = recipe.epochs if stage == FIT else recipe.refit.epochs
    falls = recipe.schedule.name == "one-cycle"
    return [Epoch(stage=stage, epoch=epoch, learning_rate=1 / epoch if falls else 1.0, loss=0.5 / epoch,
                  acc=1 - 0.2 / epoch, val_loss=(0.4 + (seed - 333) / 20) / epoch,
                  val_acc=1 - (0.15 + (seed - 333) / 50) / epoch, seconds=20.0)
            for epoch in range(1, epochs + 1)]


def _confident(labels, probability: float = 0.991) -> np.ndarray:
    probabilities = np.full((len(labels), 10), (1 - probability) / 9, np.float32)
    probabilities[np.arange(len(labels)), labels] = probability
    return probabilities


def _rows_of(labels, validation, wrong) -> list[int]:
    """The rows that are misclassified: of each true label the first ones."""
    free = {label: iter(validation[labels[validation] == label]) for label in range(10)}
    return [int(next(free[true])) for true, _, _ in wrong]
