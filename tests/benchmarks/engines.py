"""A process that trains one network on one engine, and answers each line with a line.

The first line is a network as networks.py describes it. Then come requests: "step" and "predict", answered
with their seconds, of which the first include the set-up; "memory", with the process's peak in MB;
"layers" and "products", with tables as JSON.
"""

import json
import resource
import sys
import time

import numpy as np


def work(engine: str, optimizer: str, batch_size: int) -> None:
    description, actions = sys.stdin.readline(), None
    for request in map(str.strip, sys.stdin):
        began = time.perf_counter()
        if actions is None:
            make = torch_actions if engine.startswith("torch") else keras_actions
            actions = make(engine, description, optimizer, batch_size)
        answer = actions[request]()
        print(answer if request in ("memory", "layers", "products") else time.perf_counter() - began,
              flush=True)


def batch(batch_size):
    """Made images (n, 28, 28, 1) and classes (n,); what they hold does not change the time."""
    random = np.random.RandomState(0)
    return random.rand(batch_size, 28, 28, 1).astype("float32"), random.randint(0, 10, batch_size)


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KB


# Keras on PlaidML, ours and stock

def keras_actions(engine, description, optimizer, batch_size):
    import plaidkeras

    if engine == "stock":  # only what makes Keras importable on this Python
        from plaidkeras import compat, device

        device.configure()
        compat.restore_collections()
        compat.install_backend()
        device.choose()
    else:
        plaidkeras.install()

    from keras.models import model_from_json

    model = model_from_json(json.loads(description)["keras"])
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    images, classes = batch(batch_size)
    one_hot = np.eye(10, dtype="float32")[classes]
    return {"step": lambda: model.train_on_batch(images, one_hot),
            "predict": lambda: model.predict_on_batch(images), "memory": peak_megabytes,
            "layers": lambda: json.dumps(layer_times(model, images, one_hot)),
            "products": lambda: json.dumps(product_rates(model, batch_size))}


def one_element(value):
    """A slice of one element: all of the value is made, and nothing is fetched."""
    return value[tuple([slice(0, 1)] * value.shape.ndims)] if value.shape.ndims else value


def layer_times(model, images, one_hot, turns=9):
    """What each layer with weights adds to a step, forward and backward, with the layers without
    weights before it: {name: [milliseconds or None] * 2}.

    The outputs asked for grow, and the medians of the differences within a turn tell.
    """
    import keras.backend as K

    arrays = [images, one_hot, np.ones(len(images), "float32"), 1]

    def program(values):
        run = K.function([*model.inputs, *model.targets, *model.sample_weights, K.learning_phase()],
                         [one_element(value) for value in values])
        return lambda: run(arrays)

    weighted = [layer for layer in model.layers if layer.trainable_weights]
    parts = [(layer.name, 0, program([layer.output])) for layer in weighted]
    parts.append(("loss", 0, program([model.total_loss])))
    weights = []
    for layer in reversed(weighted):
        weights += layer.trainable_weights
        parts.append((layer.name, 1, program(K.gradients(model.total_loss, weights))))
    parts.append(("updates", 1, lambda: model.train_on_batch(images, one_hot)))

    times = np.array([[milliseconds(run) for _, _, run in parts]
                      for _ in range(turns + 1)][1:])  # the first turn compiles
    added = np.median(np.diff(times, axis=1, prepend=0), axis=0)
    table = {}
    for (name, way, _), more in zip(parts, added):
        table.setdefault(name, [None, None])[way] = more
    return table


def product_rates(model, batch_size, turns=9):
    """GFLOP/s of each layer's three products, alone: {name: [forward, for its input, for its
    weights]}; and under "peak" those of plain matrix products, the best of some shapes. None where
    a product takes no time that can be told."""
    import keras.backend as K

    rates = {"peak": [max(matrix_product_rate(size, turns) for size in (64, 128, 512))]}
    for layer in model.layers:
        if type(layer).__name__ not in ("Conv2D", "Dense"):
            continue
        shapes = [(batch_size, *map(int, shape[1:]))
                  for shape in (layer.input_shape, layer.output_shape)]
        x, dy = (K.variable(np.random.rand(*shape)) for shape in shapes)
        product = (K.conv2d(x, layer.kernel, layer.strides, layer.padding) if len(shapes[0]) == 4
                   else K.dot(x, layer.kernel))
        loss = K.sum(product * dy)
        of_product, of_input, of_weights = (
            seconds_of(K.gradients(loss, [value])[0], turns) for value in (product, x, layer.kernel))
        operations = 2 * np.prod(K.int_shape(layer.kernel)) * np.prod(shapes[1][:-1])
        rates[layer.name] = [float(operations) / seconds / 1e9 if seconds > 0 else None for seconds in (
            seconds_of(product, turns), of_input - of_product, of_weights - of_product)]
    return rates


def matrix_product_rate(size, turns):
    import keras.backend as K

    rows = 1 << 14
    x, y = K.variable(np.random.rand(rows, size)), K.variable(np.random.rand(size, 64))
    return 2 * rows * size * 64 / seconds_of(K.dot(x, y), turns) / 1e9


def seconds_of(value, turns):
    import keras.backend as K

    run = K.function([], [one_element(value)])
    run([])  # compiles
    return min(milliseconds(lambda: run([])) for _ in range(turns)) / 1000


def milliseconds(run):
    began = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - began)


# PyTorch

def torch_actions(engine, description, optimizer, batch_size):
    import torch

    network = torch_network(json.loads(description)["layers"])
    layout = torch.channels_last if engine == "torch channels-last" else torch.contiguous_format
    images, classes = (torch.from_numpy(array) for array in batch(batch_size))
    images = images.permute(0, 3, 1, 2).contiguous(memory_format=layout)
    network = network.to(memory_format=layout)
    optimizer = (torch.optim.Adadelta(network.parameters(), lr=1.0, rho=0.95, eps=1e-7)
                 if optimizer == "adadelta" else torch.optim.Adam(network.parameters()))

    def step():
        network.train()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images), classes)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict():
        network.eval()
        with torch.inference_mode():
            return torch.softmax(network(images), dim=1).numpy()

    return {"step": step, "predict": predict, "memory": peak_megabytes}


def torch_network(layers):
    """A PyTorch module of the same layers as a Keras model, which gives logits."""
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList(torch_layer(**layer) for layer in layers)

        def forward(self, x):
            made = {}
            for layer, part in zip(layers, self.parts):
                made[layer["output"]] = x = part(*(made.get(name, x) for name in layer["inputs"]))
            return x

    return Network()


def torch_layer(kind, config, channels, axes, **_):
    from torch import nn

    class Sum(nn.Module):
        def forward(self, x, y):
            return x + y

    def conv(filters, bias, **groups):
        padding = config["kernel_size"][0] // 2 if config["padding"] == "same" else 0
        return nn.Conv2d(channels, filters, config["kernel_size"], config["strides"], padding,
                         bias=bias, **groups)

    make = {
        "Conv2D": lambda: conv(config["filters"], config["use_bias"]),
        "SeparableConv2D": lambda: nn.Sequential(
            conv(channels, False, groups=channels),
            nn.Conv2d(channels, config["filters"], 1, bias=config["use_bias"])),
        "Dense": lambda: nn.Linear(channels, config["units"], bias=config["use_bias"]),
        "BatchNormalization": lambda: (nn.BatchNorm2d if axes == 4 else nn.BatchNorm1d)(channels),
        "MaxPooling2D": lambda: nn.MaxPool2d(config["pool_size"]),
        "GlobalAveragePooling2D": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "Activation": nn.ReLU, "Dropout": lambda: nn.Dropout(config["rate"]),
        "Flatten": nn.Flatten, "Add": Sum}
    is_activated = kind != "Activation" and config.get("activation") == "relu"
    return nn.Sequential(make[kind](), nn.ReLU()) if is_activated else make[kind]()


if __name__ == "__main__":
    engine, optimizer, batch_size = sys.argv[1:]
    work(engine, optimizer, int(batch_size))
