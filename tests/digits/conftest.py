"""Data in Kaggle's schema, made from the bundled digits, and a run that was trained on it."""

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits import launch
from digits.data import PIXELS, Dataset, load
from digits.run import Run


@pytest.fixture(scope="session")
def sample() -> Dataset:
    return load(Path("no such folder"))


@pytest.fixture
def write_csvs(sample):
    return partial(_write_csvs, sample)


def _write_csvs(sample, folder: Path, train_rows=40, test_rows=12, suffix="") -> Path:
    """Writes train.csv and test.csv of the sample's first digits into a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    train = _table(sample.train_images[:train_rows])
    train.insert(0, "label", sample.train_labels[:train_rows])
    train.to_csv(folder / f"train.csv{suffix}", index=False)
    _table(sample.test_images[:test_rows]).to_csv(folder / f"test.csv{suffix}", index=False)
    return folder


def _table(images: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(images.reshape(-1, 28 * 28), columns=PIXELS)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, sample):
    """A real training of the whole network on 40 digits, and what was reported on the way."""
    folder = tmp_path_factory.mktemp("tiny")
    _write_csvs(sample, folder / "data")
    reports = []
    run = launch.train(folder / "data", TINY, folder / "runs", "llvm_cpu.0", False, reports.append)
    return Tiny(folder / "data", folder / "runs", TINY, run, reports)


@dataclass(frozen=True)
class Tiny:
    data: Path
    runs: Path
    recipe: dict
    run: Run
    reports: list


TINY = {"epochs": 6, "refit_epochs": 2, "batch_size": 8, "validation_fraction": 0.25}


@pytest.fixture(scope="session")
def on_plaidml():
    """Runs Python code in a process with Keras on PlaidML's CPU; what it prints, as JSON."""
    def run(code: str):
        setup = "import json, plaidkeras\nplaidkeras.install('llvm_cpu.0')\n"
        done = subprocess.run([sys.executable, "-c", setup + textwrap.dedent(code)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return run
