"""Time networks in training and prediction: ours against PyTorch and, if asked for, stock PlaidML.

    python tests/benchmarks/training_step.py notebook best

Every engine runs in a process of its own and they take turns, step by step, so that a noisy machine
is noisy for all of them. A step is forward, backward and the optimizer's update of one batch, with
all that Keras does around it; a prediction is forward alone, in inference. Of PyTorch's two memory
layouts the faster counts. Times are medians, and a ratio is the median of the turns' ratios; above 1 it
is in our favour, but for memory. The first step is timed from before the imports: where nothing is
compiled yet, and in a process that finds its program kept.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import engines

NETWORKS = ("notebook", "best", "strided", "wide", "pooled", "residual", "separable")
PYTORCH = ("torch", "torch channels-last")
BATCH_SIZES = (1, 8, 32, 64, 128, 256, 512)
TRAINED = BATCH_SIZES[2:]
# Seconds between two engines: PyTorch's threads keep a core busy for some 5 ms after a step, to be there for the
# next, and would take it from the engine whose turn it is.
PAUSE = 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK",
                        help=f"of {', '.join(NETWORKS)}; all of them unless told")
    parser.add_argument("--batch-size", type=int, action="append", help="all of them unless told")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--stock-steps", type=int, default=0, metavar="N",
                        help="let stock PlaidML take N steps; one of the notebook's takes half a minute")
    parser.add_argument("--table", metavar="FILE", help="write what is printed to a file too")
    options = parser.parse_args()
    for unknown in set(options.networks) - set(NETWORKS):
        parser.error(f"there is no network {unknown!r}, there are {', '.join(NETWORKS)}")

    import plaidkeras

    plaidkeras.install()
    import networks

    with Table(options.table) as table:
        describe_machine(table, options)
        for name in options.networks or NETWORKS:
            network = Network(name, networks.described(name))
            table.print(f"\n{name}\n{HEADER}")
            for batch_size in options.batch_size or BATCH_SIZES:
                compare(network, batch_size, options, table)
            show_layers(network, table)


class Network:
    """A network by name, its description for the engines, and the optimizer that trains it."""

    def __init__(self, name, description):
        self.description = description
        self.optimizer = "adadelta" if name == "notebook" else "adam"


class Table:
    """Prints lines, and writes them to a file if there is one."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8") if path else None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.file:
            self.file.close()

    def print(self, line):
        print(line, flush=True)
        if self.file:
            print(line, file=self.file, flush=True)


def describe_machine(table, options):
    import torch

    from plaidkeras import processor

    table.print(f"{processor.described()}; PyTorch {torch.__version__}, its better layout; "
                f"medians of {options.turns} turns")


HEADER = """\
        milliseconds a step      images/s predicted       peak MB                  first step, s
 batch   ours PyTorch  ratio      ours PyTorch  ratio      ours PyTorch  ratio     ours   kept PyTorch"""


def compare(network, batch_size, options, table):
    """Print a line of the table: how all engines do with one batch size."""
    is_trained = batch_size in TRAINED
    request = "step" if is_trained else "predict"
    engine_names = "ours", *PYTORCH, *["stock"] * bool(options.stock_steps)
    with tempfile.TemporaryDirectory() as programs:
        compiling = Worker("ours", network, batch_size, programs)
        first_of_all = float(compiling.ask(request))
        compiling.ask(request)
        memory_of_ours = float(compiling.ask("memory"))
        compiling.stop()
        workers = {engine: Worker(engine, network, batch_size, programs) for engine in engine_names}
        first = {engine: float(worker.ask(request)) for engine, worker in workers.items()}
        step = take_turns(workers, "step", options) if is_trained else None
        memory = {engine: float(worker.ask("memory")) for engine, worker in workers.items()}
        memory["ours"] = max(memory["ours"], memory_of_ours)
        predict = take_turns(workers, "predict", options)
        for worker in workers.values():
            worker.stop()

    def better(of):
        return min(of[engine] for engine in PYTORCH)

    training = "{:7.0f} {:7.0f} {:6.2f}".format(*in_turns(step, 1000)) if is_trained else " " * 22
    ours, theirs, ratio = in_turns(predict)
    table.print(
        f"{batch_size:6} {training}   {batch_size / ours:7.0f} {batch_size / theirs:7.0f} {ratio:6.2f}   "
        f"{memory['ours']:7.0f} {better(memory):7.0f} {memory['ours'] / better(memory):6.2f}  "
        f"{first_of_all:7.1f} {first['ours']:6.1f} {better(first):7.1f}")
    if "stock" in workers and is_trained:
        times_as_long = [statistics.median(seconds["stock"]) / statistics.median(seconds["ours"])
                         for seconds in (step, predict)]
        table.print("       stock PlaidML takes {:.0f} times as long a step, {:.1f} times a prediction, and "
                    "{:.1f} times the memory".format(*times_as_long, memory["stock"] / memory["ours"]))


def take_turns(workers, request, options) -> dict[str, list[float]]:
    """The seconds that each worker takes for a request, turn by turn."""
    seconds = {engine: [] for engine in workers}
    for worker in workers.values():
        worker.ask(request)  # compiles
    for turn in range(options.turns):
        for engine, worker in workers.items():
            if engine != "stock" or turn < options.stock_steps:
                time.sleep(PAUSE)
                seconds[engine].append(float(worker.ask(request)))
    return seconds


def in_turns(seconds, unit=1):
    """The medians of ours and of PyTorch's better layout, and that of the ratio within a turn: whatever
    slows the machine for a while slows both."""
    theirs = min((seconds[engine] for engine in PYTORCH), key=statistics.median)
    ratio = statistics.median(their / our for our, their in zip(seconds["ours"], theirs))
    return unit * statistics.median(seconds["ours"]), unit * statistics.median(theirs), ratio


def show_layers(network, table, batch_size=128):
    """Print where a step of ours spends its time, and how near its products come to the peak."""
    worker = Worker("ours", network, batch_size)
    times, rates = json.loads(worker.ask("layers")), json.loads(worker.ask("products"))
    worker.stop()
    (peak,) = rates.pop("peak")
    table.print(f"\n layers at batch {batch_size}: milliseconds more a step, and GFLOP/s of each product by "
                f"itself, as a share\n of {peak:.0f}, a plain matrix product's\n"
                "                              forward  backward    product  for input  for weights")
    for name, (forward, backward) in times.items():
        parts = [f" {name:28}"] + [f"{'' if part is None else format(part, '.1f'):>9}"
                                   for part in (forward, backward)]
        parts += [" " * 11 if rate is None else f"{rate / peak:11.0%}" for rate in rates.get(name, ())]
        table.print("".join(parts).rstrip())


class Worker:
    """An engine in a process of its own that answers a line with a line."""

    def __init__(self, engine, network, batch_size, programs=""):
        self.process = subprocess.Popen(
            [sys.executable, engines.__file__, engine, network.optimizer, str(batch_size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PLAIDKERAS_CACHE": programs})
        print(network.description, file=self.process.stdin)

    def ask(self, request) -> str:
        print(request, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    main()
