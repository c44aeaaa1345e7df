"""Data in Kaggle's schema, made from the bundled digits, and a run that was trained on it."""

import shutil
import sys
from functools import partial
from pathlib import Path

import made_runs
import pytest
from made_runs import Tiny

from digits.data import Dataset, load


@pytest.fixture(scope="session")
def sample() -> Dataset:
    return load(Path("no such folder"))


@pytest.fixture(scope="session")
def write_csvs(sample):
    return partial(made_runs.write_csvs, sample)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, sample) -> Tiny:
    """A real training of the compact network, and what was reported on the way."""
    folder, reports = tmp_path_factory.mktemp("tiny"), []
    started = Tiny(made_runs.write_csvs(sample, folder / "data"), folder / "runs", None, reports)
    return Tiny(started.data, started.runs, started.train(started.runs, report=reports.append), reports)


@pytest.fixture
def runs(tiny, tmp_path) -> Path:
    """A copy of the folder with the finished run, to be spoilt."""
    return shutil.copytree(tiny.runs, tmp_path / "runs")


@pytest.fixture
def child_does(tmp_path, monkeypatch):
    """In place of Python, a program that does as it is told; $5 is the folder of its member."""
    def does(commands: str):
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{commands}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
    return does


@pytest.fixture
def make_run(tmp_path):
    return partial(made_runs.make_run, tmp_path / "made")
