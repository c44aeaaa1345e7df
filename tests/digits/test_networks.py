"""The networks, on PlaidML, and how their layers are described."""

import plaidkeras

plaidkeras.install("llvm_cpu.0")

import keras  # noqa: E402
import pytest  # noqa: E402

from digits import networks  # noqa: E402

SUMMARY = [  # name, kind, output shape, parameters: as in the notebook's model.summary()
    ("conv1", "Conv2D", (26, 26, 32), 320),
    ("conv2", "Conv2D", (24, 24, 32), 9_248),
    ("norm1", "BatchNormalization", (24, 24, 32), 128),
    ("conv3", "Conv2D", (22, 22, 64), 18_496),
    ("conv4", "Conv2D", (20, 20, 64), 36_928),
    ("norm2", "BatchNormalization", (20, 20, 64), 256),
    ("conv5", "Conv2D", (18, 18, 128), 73_856),
    ("norm3", "BatchNormalization", (18, 18, 128), 512),
    ("pool", "MaxPooling2D", (9, 9, 128), 0),
    ("dropout1", "Dropout", (9, 9, 128), 0),
    ("flatten", "Flatten", (10_368,), 0),
    ("norm4", "BatchNormalization", (10_368,), 41_472),
    ("dense1", "Dense", (256,), 2_654_464),
    ("dropout2", "Dropout", (256,), 0),
    ("norm5", "BatchNormalization", (256,), 1_024),
    ("dense2", "Dense", (10,), 2_570)]


@pytest.fixture(scope="module")
def layers():
    return {name: {layer.name: layer for layer in networks.describe(networks.build(name))}
            for name in ("notebook", "compact")}


def test_the_notebooks_layers_are_the_notebooks(layers):
    assert [(layer.name, layer.kind, layer.output_shape, layer.parameters)
            for layer in layers["notebook"].values()] == SUMMARY


@pytest.mark.parametrize("name, parameters, trained", [
    ("notebook", 2_839_274, 2_817_578), ("compact", 207_146, 206_250)])
def test_the_parameters_are_counted_and_those_that_are_trained(layers, name, parameters, trained):
    assert sum(layer.parameters for layer in layers[name].values()) == parameters
    assert sum(layer.trainable_parameters for layer in layers[name].values()) == trained


def test_multiply_adds_count_each_use_of_a_weight(layers):
    counts = {name: layer.multiply_adds for name, layer in layers["notebook"].items()}
    assert counts["conv1"] == 26 * 26 * 3 * 3 * 1 * 32
    assert counts["conv5"] == 18 * 18 * 3 * 3 * 64 * 128
    assert counts["dense1"] == 10_368 * 256
    assert counts["norm1"] == counts["pool"] == 0
    assert 9.5e6 < sum(layer.multiply_adds for layer in layers["compact"].values()) < 10.5e6


def test_a_layer_says_what_it_does_in_fields_that_a_program_reads(layers):
    notebook, compact = layers["notebook"], layers["compact"]
    conv = notebook["conv1"]
    assert (conv.kernel_size, conv.strides, conv.padding, conv.activation) == ((3, 3), (1, 1), "valid", "relu")
    assert (notebook["pool"].pool_size, notebook["pool"].strides) == ((2, 2), (2, 2))
    assert (notebook["dropout1"].rate, notebook["dropout2"].rate) == (0.25, 0.5)
    assert notebook["dense2"].activation == "softmax" and notebook["dense2"].kernel_size is None
    assert compact["relu1"].activation == "relu" and compact["conv1"].activation == "linear"


def test_every_convolution_of_the_compact_network_is_normalized_before_its_relu(layers):
    names = list(layers["compact"])
    for number in range(1, 6):
        place = names.index(f"conv{number}")
        assert names[place:place + 3] == [f"conv{number}", f"norm{number}", f"relu{number}"]


def test_a_description_is_of_the_model_that_keras_has():
    model = networks.build("compact")
    assert [layer.parameters for layer in networks.describe(model)] == [
        layer.count_params() for layer in model.layers]
    assert isinstance(model, keras.models.Sequential)
