"""A small made run, the site made from it, and a browser."""

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from digits.recipe import Recipe
from digits.run import (Activations, DataFacts, DeviceFacts, Epoch, Layer, Predictions, Preview,
                        Record, RunWriter, Run)
from report.render import render
from report.settings import SiteSettings

TRAIN, VALIDATION, TEST = 200, 60, 40
# (true, predicted, probability) of the made mistakes; all other rows are read right.
MISTAKES = [(4, 9, 0.97), (4, 9, 0.64), (7, 2, 0.55), (3, 8, 0.91), (9, 4, 0.49)]

# kind, detail, output shape, parameters, trainable: the notebook's network as it is.
LAYERS = [
    ("conv1", "Conv2D", "3 x 3, relu", (26, 26, 32), 320, 320, 194_688),
    ("conv2", "Conv2D", "3 x 3, relu", (24, 24, 32), 9_248, 9_248, 5_308_416),
    ("norm1", "BatchNormalization", "", (24, 24, 32), 128, 64, 18_432),
    ("conv3", "Conv2D", "3 x 3, relu", (22, 22, 64), 18_496, 18_496, 8_921_088),
    ("conv4", "Conv2D", "3 x 3, relu", (20, 20, 64), 36_928, 36_928, 14_745_600),
    ("norm2", "BatchNormalization", "", (20, 20, 64), 256, 128, 25_600),
    ("conv5", "Conv2D", "3 x 3, relu", (18, 18, 128), 73_856, 73_856, 23_887_872),
    ("norm3", "BatchNormalization", "", (18, 18, 128), 512, 256, 41_472),
    ("pool", "MaxPooling2D", "2 x 2", (9, 9, 128), 0, 0, 0),
    ("dropout1", "Dropout", "0.25", (9, 9, 128), 0, 0, 0),
    ("flatten", "Flatten", "", (10_368,), 0, 0, 0),
    ("norm4", "BatchNormalization", "", (10_368,), 41_472, 20_736, 10_368),
    ("dense1", "Dense", "relu", (256,), 2_654_464, 2_654_464, 2_654_208),
    ("dropout2", "Dropout", "0.5", (256,), 0, 0, 0),
    ("norm5", "BatchNormalization", "", (256,), 1_024, 512, 256),
    ("dense2", "Dense", "softmax", (10,), 2_570, 2_570, 2_560),
]
WATCHED = {"conv1": (26, 26, 32), "norm1": (24, 24, 32), "pool": (9, 9, 128), "dense1": (256,),
           "dense2": (10,)}


@pytest.fixture
def make_run(tmp_path):
    """make_run(mistakes=..., source=..., ...) writes a run and reads it."""
    def make(folder="run", **changes) -> Run:
        return write_run(tmp_path / folder, **changes)
    return make


@pytest.fixture(scope="session")
def made_run(tmp_path_factory) -> Run:
    """A finished run of 200 drawn digits with five known mistakes. Read it, do not change it."""
    return write_run(tmp_path_factory.mktemp("runs") / "kaggle-0123456789")


@pytest.fixture(scope="session")
def made_site(made_run, tmp_path_factory) -> Path:
    """The site of `made_run`. Read it, do not change it."""
    output = tmp_path_factory.mktemp("published") / "site"
    render(made_run, output, Path("no-notes"), SiteSettings())
    return output


@pytest.fixture(scope="session")
def browser():
    """Chromium, where there is one; with REPORT_REQUIRE=chromium its absence is a failure."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") \
        or shutil.which("google-chrome")
    if not executable:
        if "chromium" in os.environ.get("REPORT_REQUIRE", ""):
            pytest.fail("REPORT_REQUIRE asks for chromium, but none is on the PATH")
        pytest.skip("no chromium on the PATH")
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=[
            "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        # One page that stays open: starting and ending the last one costs a second each time.
        chromium.new_page()
        yield chromium
        chromium.close()


def write_run(folder: Path, mistakes=MISTAKES, source="kaggle", refit=True, **record) -> Run:
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
    labels = np.arange(TRAIN) % 10
    images = np.stack([drawn(label, random) for label in labels])
    rows = np.arange(VALIDATION) * 3
    writer.preview(Preview(
        train_head=np.hstack([labels[:5, None], images[:5].reshape(5, 784)]),
        test_head=images[5:10].reshape(5, 784), first_images=images[:64],
        first_labels=labels[:64].astype(np.uint8),
        class_images=np.stack([images[labels == label][:12] for label in range(10)]),
        class_means=np.stack([images[labels == label].mean(0) for label in range(10)]),
        train_labels=labels.astype(np.uint8), validation_rows=rows, validation_images=images[rows],
        validation_labels=labels[rows].astype(np.uint8)))
    test = _sure(random.randint(0, 10, TEST))
    writer.predictions(Predictions(_with_mistakes(labels[rows], mistakes), test))
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


class _Tree(HTMLParser):
    """HTML to an ElementTree, which also shows that every element is closed where it should be."""

    VOID = {"meta", "link", "img", "br", "hr"}

    def __init__(self):
        super().__init__()
        self.builder, self.open = ElementTree.TreeBuilder(), []

    def handle_starttag(self, tag, attributes):
        self.builder.start(tag, {name: value or "" for name, value in attributes})
        if tag in self.VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.builder.start(tag, {name: value or "" for name, value in attributes})
        self.builder.end(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> on line {self.getpos()[0]} closes another element"
        self.builder.end(tag)

    def handle_data(self, data):
        self.builder.data(data)


def read_html(path: Path) -> ElementTree.Element:
    """A page as a tree, to be asked with find and findall."""
    tree = _Tree()
    tree.feed(path.read_text(encoding="utf-8"))
    tree.close()
    assert not tree.open
    return tree.builder.close()


def text_of(element) -> str:
    """All text of an element, with single spaces."""
    return " ".join(" ".join(element.itertext()).split())


@pytest.fixture(scope="session")
def read_page(made_site):
    """read_page("index") is that page of the made site as a tree."""
    return lambda name: read_html(made_site / f"{name}.html")
