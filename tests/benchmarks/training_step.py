"""Time a training step of the notebook's network: ours, PyTorch's, stock PlaidML's.

    python tests/benchmarks/training_step.py

Every engine runs in a process of its own and they take turns, step by step, so that a noisy
machine is noisy for all of them. A step is forward, backward and the Adadelta update of one
batch, with all that Keras does around it. Stock PlaidML takes half a minute a step: it gets
`--stock-steps`. PyTorch takes part where it is installed.
"""

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time

import numpy as np

ENGINES = ("ours", "torch", "torch-channels-last", "stock")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--stock-steps", type=int, default=2)
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        return work(options.engine, options.batch_size)

    engines = [name for name in ENGINES
               if not name.startswith("torch") or importlib.util.find_spec("torch")]
    workers = {name: Worker(name, options.batch_size) for name in engines}
    for name, worker in workers.items():
        print(f"{name}: first step after {worker.step():.1f} s", flush=True)
    seconds = {name: [] for name in engines}
    for turn in range(options.steps):
        for name, worker in workers.items():
            if name != "stock" or turn < options.stock_steps:
                seconds[name].append(worker.step())
    for worker in workers.values():
        worker.stop()

    median = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"\nmedian seconds a step, batch {options.batch_size}")
    for name in engines:
        print(f"  {name:20} {median[name]:8.3f}   {options.batch_size / median[name]:8.0f} images/s")
    print(f"ours against stock PlaidML: {median['stock'] / median['ours']:.1f} times as fast")
    if "torch" in median:
        best = min(median["torch"], median["torch-channels-last"])
        print(f"ours against PyTorch's better layout: {best / median['ours']:.2f} of its speed")


class Worker:
    """An engine in a process of its own that makes one step when asked."""

    def __init__(self, engine, batch_size):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--engine", engine, "--batch-size", str(batch_size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def step(self) -> float:
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def work(engine, batch_size):
    """Make one step for each line on stdin and print its seconds; the first includes set-up."""
    requests = iter(sys.stdin)
    next(requests)
    began = time.perf_counter()
    step = (torch_step(batch_size, channels_last=engine != "torch") if engine.startswith("torch")
            else keras_step(batch_size, is_stock=engine == "stock"))
    step()
    print(time.perf_counter() - began, flush=True)
    for _ in requests:
        began = time.perf_counter()
        step()
        print(time.perf_counter() - began, flush=True)


def batch(batch_size):
    """Made images (n, 28, 28, 1) and classes (n,); what they hold does not change the time."""
    random = np.random.RandomState(0)
    return random.rand(batch_size, 28, 28, 1).astype("float32"), random.randint(0, 10, batch_size)


def keras_step(batch_size, is_stock):
    import plaidkeras

    if is_stock:  # only what makes Keras importable on this Python
        from plaidkeras import compat, device

        device.configure()
        compat.restore_collections()
        compat.install_backend()
        device.choose()
    else:
        plaidkeras.install()

    from digits import network

    model = network.build()
    model.compile("adadelta", "categorical_crossentropy", metrics=["accuracy"])
    images, classes = batch(batch_size)
    one_hot = np.eye(10, dtype="float32")[classes]
    return lambda: model.train_on_batch(images, one_hot)


def torch_step(batch_size, channels_last):
    import torch
    from torch import nn

    def conv(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3), nn.ReLU()

    model = nn.Sequential(
        *conv(1, 32), *conv(32, 32), nn.BatchNorm2d(32), *conv(32, 64), *conv(64, 64),
        nn.BatchNorm2d(64), *conv(64, 128), nn.BatchNorm2d(128), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.BatchNorm1d(10368), nn.Linear(10368, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.BatchNorm1d(256), nn.Linear(256, 10))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95, eps=1e-7)
    images, classes = (torch.from_numpy(array) for array in batch(batch_size))
    images = images.permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), classes)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
