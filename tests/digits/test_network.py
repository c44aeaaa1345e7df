"""The notebook's network, on PlaidML."""

import pytest

SUMMARY = [  # name, kind, output shape, parameters: as in the notebook's model.summary()
    ("conv1", "Conv2D", [26, 26, 32], 320),
    ("conv2", "Conv2D", [24, 24, 32], 9_248),
    ("norm1", "BatchNormalization", [24, 24, 32], 128),
    ("conv3", "Conv2D", [22, 22, 64], 18_496),
    ("conv4", "Conv2D", [20, 20, 64], 36_928),
    ("norm2", "BatchNormalization", [20, 20, 64], 256),
    ("conv5", "Conv2D", [18, 18, 128], 73_856),
    ("norm3", "BatchNormalization", [18, 18, 128], 512),
    ("pool", "MaxPooling2D", [9, 9, 128], 0),
    ("dropout1", "Dropout", [9, 9, 128], 0),
    ("flatten", "Flatten", [10_368], 0),
    ("norm4", "BatchNormalization", [10_368], 41_472),
    ("dense1", "Dense", [256], 2_654_464),
    ("dropout2", "Dropout", [256], 0),
    ("norm5", "BatchNormalization", [256], 1_024),
    ("dense2", "Dense", [10], 2_570)]


@pytest.fixture(scope="module")
def layers(on_plaidml):
    return on_plaidml("""
        from dataclasses import asdict
        from digits.network import build, describe
        print(json.dumps([asdict(layer) for layer in describe(build())]))""")


def test_the_layers_are_the_notebooks(layers):
    assert [(layer["name"], layer["kind"], layer["output_shape"], layer["parameters"])
            for layer in layers] == SUMMARY


def test_the_parameters_are_2839274_and_2817578_of_them_are_trained(layers):
    assert sum(layer["parameters"] for layer in layers) == 2_839_274
    assert sum(layer["trainable_parameters"] for layer in layers) == 2_817_578


def test_multiply_adds_count_each_use_of_a_weight(layers):
    counts = {layer["name"]: layer["multiply_adds"] for layer in layers}
    assert counts["conv1"] == 26 * 26 * 3 * 3 * 1 * 32
    assert counts["conv5"] == 18 * 18 * 3 * 3 * 64 * 128
    assert counts["dense1"] == 10_368 * 256
    assert counts["norm1"] == counts["pool"] == 0


def test_details_say_what_a_layer_does(layers):
    details = {layer["name"]: layer["detail"] for layer in layers}
    assert details["conv1"] == "3 x 3, relu"
    assert details["pool"] == "2 x 2"
    assert details["dropout1"] == "25% dropped"
    assert details["dense2"] == "softmax"
