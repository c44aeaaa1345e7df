"""What --jobs is best: networks trained one after the other on all cores, or several at a time on a part each.

    python tests/benchmarks/jobs.py --jobs 2

Both ways take turns, as `report train` trains the recipe `best`, on a part of made-up rows; a ratio of
medians is printed.
"""

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from digits import time_budget, training
from digits.data import Dataset
from digits.recipes import BEST
from digits.run import DataFacts
from digits.splits import plan_members


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    rows = 40 * BEST.batch_size
    images = np.random.default_rng(0).integers(0, 256, (rows, 28, 28), np.uint8)
    dataset = Dataset(images, (np.arange(rows) % 10).astype(np.uint8), images, DataFacts(
        source="kaggle", train_file="", test_file="", train_rows=rows, test_rows=rows, fingerprint="made-up"))
    [plan] = plan_members(dataset.train_labels, BEST)
    rates = {1: [], options.jobs: []}
    for _ in range(options.turns):
        for jobs, measured in rates.items():
            train = partial(training._train_members, device=None, insist=True, jobs=jobs, dask=None)
            with tempfile.TemporaryDirectory() as folder:
                speed = time_budget.measure(dataset, BEST, plan, jobs, Path(folder), train)
            measured.append(jobs * BEST.batch_size / speed.train)
    medians = {jobs: statistics.median(measured) for jobs, measured in rates.items()}
    for jobs, rate in medians.items():
        print(f"--jobs {jobs}: {rate:6.0f} images a second in all, {rate / medians[1]:.2f} of one at a time")


if __name__ == "__main__":
    main()
