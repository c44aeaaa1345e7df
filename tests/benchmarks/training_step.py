"""Time the notebook's network: training and prediction, ours, PyTorch's and stock PlaidML's.

    python tests/benchmarks/training_step.py

Every engine runs in a process of its own and they take turns, step by step, so that a noisy
machine is noisy for all of them. A step is forward, backward and the Adadelta update of one
batch, with all that Keras does around it; a prediction is forward alone, in inference. Stock
PlaidML takes half a minute a step: it gets `--stock-steps`. PyTorch takes part where it is
installed; of its two memory layouts the faster counts.
"""

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time

import numpy as np

PYTORCH = ("torch", "torch channels-last")
ENGINES = ("ours", *PYTORCH, "stock")
BATCH_SIZES = (32, 64, 128, 256, 512)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--stock-steps", type=int, default=2)
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        return work(options.engine, options.batch_size)

    engines = [engine for engine in ENGINES
               if engine not in PYTORCH or importlib.util.find_spec("torch")]
    if not options.stock_steps:
        engines.remove("stock")
    compare(engines, options)
    print("\nby batch size: milliseconds a step, images a second trained and predicted")
    best = {}
    for batch_size in BATCH_SIZES:
        workers = {engine: Worker(engine, batch_size) for engine in engines if engine != "stock"}
        turns = max(3, options.steps * 64 // batch_size)
        step = take_turns(workers, "step", turns)
        predict = take_turns(workers, "predict", turns)
        print(f"  {batch_size:4}" + "".join(
            f"   {engine} {1000 * step[engine]:5.0f} ms {batch_size / step[engine]:4.0f} "
            f"{batch_size / predict[engine]:5.0f}" for engine in workers), flush=True)
        stop(workers)
        for engine in workers:
            best[engine] = max(best.get(engine, 0), batch_size / predict[engine])
    if "torch" in best:
        print(f"prediction, each at its best: ours {best['ours']:.0f} images/s, "
              f"{best['ours'] / max(best[engine] for engine in PYTORCH):.2f} of PyTorch's")
    print("\nwhere a step of ours spends its time: milliseconds more for each layer's part\n"
          "  layer      forward  backward")
    worker = Worker("ours", options.batch_size)
    for line in worker.ask("breakdown").split(";"):
        print(f"  {line}")
    stop({"ours": worker})


def compare(engines, options):
    """Print the figures that one batch size gives, and the ratios."""
    workers = {engine: Worker(engine, options.batch_size) for engine in engines}
    for engine, worker in workers.items():
        print(f"{engine}: first step done after {float(worker.ask('step')):.1f} s", flush=True)
    turns = {"stock": options.stock_steps}
    step = take_turns(workers, "step", options.steps, turns)
    predict = take_turns(workers, "predict", options.steps, turns)
    megabytes = {engine: float(worker.ask("memory")) for engine, worker in workers.items()}
    stop(workers)

    print(f"\nbatch {options.batch_size}        seconds a step   images/s trained   predicted   "
          "peak MB")
    for engine in engines:
        print(f"  {engine:19} {step[engine]:10.3f} {options.batch_size / step[engine]:18.0f} "
              f"{options.batch_size / predict[engine]:11.0f} {megabytes[engine]:9.0f}")
    if "stock" in step:
        print(f"ours against stock PlaidML: {step['stock'] / step['ours']:.1f} times as fast")
    if "torch" in step:
        for name, median in (("training", step), ("prediction", predict)):
            best = min(median[engine] for engine in PYTORCH)
            print(f"ours against PyTorch's better layout, {name}: "
                  f"{best / median['ours']:.2f} of its speed")
        print(f"ours against PyTorch's better layout, peak memory: "
              f"{megabytes['ours'] / min(megabytes[engine] for engine in PYTORCH):.2f} of it")


def take_turns(workers, request, count, counts={}):
    """The median seconds of each worker for a request, made `count` times in turn."""
    for worker in workers.values():
        worker.ask(request)  # compiles
    seconds = {engine: [] for engine in workers}
    for turn in range(count):
        for engine, worker in workers.items():
            if turn < counts.get(engine, count):
                seconds[engine].append(float(worker.ask(request)))
    return {engine: statistics.median(times) for engine, times in seconds.items()}


def stop(workers):
    for worker in workers.values():
        worker.process.stdin.close()
        worker.process.wait()


class Worker:
    """An engine in a process of its own that answers a line with a line."""

    def __init__(self, engine, batch_size):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--engine", engine, "--batch-size", str(batch_size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request) -> str:
        print(request, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()


def work(engine, batch_size):
    """Answer the requests on stdin: "step" and "predict" with their seconds, the first of which
    include the set-up; "memory" with this process's peak in MB; "breakdown" with a table."""
    actions = None
    for request in map(str.strip, sys.stdin):
        began = time.perf_counter()
        if actions is None:
            actions = (torch_actions(batch_size, channels_last=engine != "torch")
                       if engine in PYTORCH else keras_actions(batch_size, engine == "stock"))
        answer = actions[request]()
        print(answer if request in ("memory", "breakdown") else time.perf_counter() - began,
              flush=True)


def batch(batch_size):
    """Made images (n, 28, 28, 1) and classes (n,); what they hold does not change the time."""
    random = np.random.RandomState(0)
    return random.rand(batch_size, 28, 28, 1).astype("float32"), random.randint(0, 10, batch_size)


def peak_megabytes():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KB


def keras_actions(batch_size, is_stock):
    import plaidkeras

    if is_stock:  # only what makes Keras importable on this Python
        from plaidkeras import compat, device

        device.configure()
        compat.restore_collections()
        compat.install_backend()
        device.choose()
    else:
        plaidkeras.install()

    from digits import networks

    model = networks.notebook()
    model.compile("adadelta", "categorical_crossentropy", metrics=["accuracy"])
    images, classes = batch(batch_size)
    one_hot = np.eye(10, dtype="float32")[classes]
    return {"step": lambda: model.train_on_batch(images, one_hot),
            "predict": lambda: model.predict_on_batch(images), "memory": peak_megabytes,
            "breakdown": lambda: breakdown(model, images, one_hot)}


def breakdown(model, images, one_hot, turns=15):
    """What each layer adds to a step: the outputs asked for grow, and the medians of the
    differences within a turn tell. One element of each output is fetched, so that nothing but
    making them takes time.
    """
    import keras.backend as K

    arrays = [images, one_hot, np.ones(len(images), "float32"), 1]

    def program(values):
        first = [value[tuple([slice(0, 1)] * value.shape.ndims)] if value.shape.ndims else value
                 for value in values]
        run = K.function([*model.inputs, *model.targets, *model.sample_weights,
                          K.learning_phase()], first)
        return lambda: run(arrays)

    parts = [(layer.name, "forward", program([layer.output])) for layer in model.layers]
    parts.append(("loss", "forward", program([model.total_loss])))
    weights = []
    for layer in reversed([layer for layer in model.layers if layer.trainable_weights]):
        weights += layer.trainable_weights
        parts.append((layer.name, "backward", program(K.gradients(model.total_loss, weights))))
    parts.append(("updates", "backward", lambda: model.train_on_batch(images, one_hot)))

    times = np.array([[milliseconds(run) for _, _, run in parts]
                      for _ in range(turns + 1)][1:])  # the first turn compiles
    added = np.median(np.diff(times, axis=1, prepend=0), axis=0)
    table = {}
    for (name, way, _), more in zip(parts, added):
        table.setdefault(name, {"forward": "", "backward": ""})[way] = f"{more:.0f}"
    return ";".join(f"{name:10} {row['forward']:>7} {row['backward']:>9}"
                    for name, row in table.items())


def milliseconds(run):
    began = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - began)


def torch_actions(batch_size, channels_last):
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
        model.train()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), classes)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict():
        model.eval()
        with torch.inference_mode():
            return torch.softmax(model(images), dim=1).numpy()

    return {"step": step, "predict": predict, "memory": peak_megabytes}


if __name__ == "__main__":
    main()
