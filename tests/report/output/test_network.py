"""The run's network as a script: in a real Chromium it says what PlaidML says."""

import json

import numpy as np
import pytest
from forward import forward

from digits.arrays import read_arrays, write_arrays
from digits.run import Layer, Run, write_record
from report.output import network
from report.paths import ASSETS

ANSWERS = """async images => {
    window.steps ||= await Network.read(DRAWN.steps);
    const answers = [];
    for (const image of images) answers.push([...(await Network.layersOf(steps, image)).at(-1).values]);
    return answers;
}"""
LAYERS_OF = """async image => (await Network.layersOf(await Network.read(DRAWN.steps), image))
    .map(({name, shape, values}) => [name, shape, [...values]])"""


@pytest.fixture
def computed(browser, tmp_path):
    """computed(member) is a page in which the member's network can be asked."""
    pages = []

    def load(member):
        (tmp_path / "weights.js").write_bytes(network.script(member))
        (tmp_path / "page.html").write_text(
            f'<!doctype html><script src="{(ASSETS / "draw" / "network.js").as_uri()}"></script>'
            '<script src="weights.js"></script>')
        pages.append(browser.new_page())
        pages[-1].goto((tmp_path / "page.html").as_uri())
        return pages[-1]

    yield load
    for page in pages:
        page.close()


def answers(page, images: np.ndarray) -> np.ndarray:
    """Probabilities (n, 10)."""
    return np.array(page.evaluate(ANSWERS, images.reshape(len(images), -1).tolist()))


@pytest.mark.slow
def test_the_notebooks_network_answers_as_computed_in_numpy(computed, made_run):
    member, images = made_run.members[0], made_run.data.first_images[:40]
    expected = list(forward(member, images).values())[-1]
    assert len(set(expected.argmax(axis=1))) > 1 and expected.max(axis=1).min() < 0.9
    # Before training many answers lie near each other, so that the likeliest digit may be another.
    np.testing.assert_allclose(answers(computed(member), images), expected, atol=0.01)


# Whatever a recipe's network may be made of, in sizes that divide into nothing.
ODD = [
    ("Conv2D", (14, 10, 5), {"kernel_size": (3, 4), "strides": (2, 3), "padding": "same", "activation": "relu"}),
    ("BatchNormalization", (14, 10, 5), {}),
    ("Conv2D", (13, 7, 6), {"kernel_size": (2, 4), "strides": (1, 1), "padding": "valid", "activation": "linear"}),
    ("Activation", (13, 7, 6), {"activation": "relu"}),
    ("MaxPooling2D", (5, 4, 6), {"pool_size": (3, 2), "strides": (3, 2), "padding": "same"}),
    ("MaxPooling2D", (4, 2, 6), {"pool_size": (2, 2), "strides": (1, 2), "padding": "valid"}),
    ("Dropout", (4, 2, 6), {"rate": 0.5}),
    ("Flatten", (48,), {}),
    ("BatchNormalization", (48,), {}),
    ("Dense", (7,), {"activation": "relu"}),
    ("Dense", (10,), {"activation": "linear"}),
    ("Activation", (10,), {"activation": "softmax"})]


def write_network(run: Run, kinds, **sizes) -> Run:
    """The run with another network, whose weights are drawn; `sizes` of the names of those."""
    random, member, weights, layers, channels = np.random.RandomState(0), run.members[0], {}, [], 1
    for number, (kind, shape, config) in enumerate(kinds):
        name, inputs = f"layer{number}", layers[-1].output_shape if layers else (28, 28, 1)
        if kind in ("Conv2D", "Dense"):
            kernel = (*config.get("kernel_size", ()), inputs[-1], shape[-1])
            weights[f"{name}/kernel"] = random.normal(0, np.prod(kernel[:-1]) ** -0.5, kernel)
            weights[f"{name}/bias"] = random.normal(0, 0.2, shape[-1])
        elif kind == "BatchNormalization":
            weights.update({f"{name}/{each}": random.uniform(0.5, 1.5, shape[-1])
                            for each in ("gamma", "beta", "moving_mean", "moving_variance")})
        layers.append(Layer(name=name, kind=kind, output_shape=shape, parameters=1, trainable_parameters=1,
                            multiply_adds=1, **config))
    write_record(member.folder / "model.json", layers)
    write_arrays(member.folder / "weights.npz",
                 {name: values.astype(np.float32) for name, values in weights.items()})
    (member.folder / "architecture.json").write_text(json.dumps({"config": {"layers": [
        {"config": {"name": layer.name, "epsilon": 0.01, "axis": -1}} for layer in layers]}}))
    return Run(run.folder)


@pytest.mark.parametrize("kind, off", [("float16", 0.005), ("int8", 0.1)])
def test_every_layer_of_an_odd_network_is_computed_right(computed, make_run, monkeypatch, kind, off):
    if kind == "int8":
        monkeypatch.setattr(network, "MAX_FLOAT16", 0)
        monkeypatch.setattr(network, "LARGE", 0)
    member = write_network(make_run(), ODD).members[0]
    image = np.random.RandomState(1).randint(0, 256, (1, 28, 28))
    expected = forward(member, image)
    found = computed(member).evaluate(LAYERS_OF, image.ravel().tolist())
    assert {step.kernel.kind for step in network.steps(member) if step.kind in ("Conv2D", "Dense")} == {kind}
    assert [name for name, _, _ in found] == list(expected)
    for name, shape, values in found:
        assert tuple(shape) == expected[name].shape[1:], name
        assert np.ptp(values) > 0.01, name
        np.testing.assert_allclose(np.reshape(values, shape), expected[name][0], atol=off, err_msg=name)


def spoilt(member, name: str, values) -> None:
    path = member.folder / "weights.npz"
    write_arrays(path, {**read_arrays(path), name: values})


@pytest.mark.parametrize("place, layer, says", [
    (0, ("LocallyConnected2D", (14, 10, 5), {}), "layer0 is of a kind that is not computed here, LocallyConnected2D"),
    (3, ("Activation", (13, 7, 6), {"activation": "elu"}), "layer3 has an activation that is not computed here, elu"),
    (11, ("Activation", (10,), {"activation": "relu"}), "does not end in the probabilities of ten digits"),
    (3, ("Activation", (13, 7, 6), {"activation": "softmax"}), "layer3 has an activation that is not computed here"),
    (4, ("MaxPooling2D", (5, 4, 6), {"pool_size": (3, 2), "strides": (0, 2), "padding": "same"}),
     "layer4 is not whole in this run (integer division or modulo by zero)"),
    (7, ("Flatten", (47,), {}), "layer7 is not whole in this run (its output is 47)")])
def test_a_network_that_cannot_be_computed_is_refused_with_the_layer_and_the_reason(make_run, place, layer, says):
    kinds = [layer if number == place else each for number, each in enumerate(ODD)]
    run = write_network(make_run(), kinds)
    with pytest.raises(network.NotComputed) as refused:
        network.script(run.members[0])
    assert says in str(refused.value)


@pytest.mark.parametrize("name, values, says", [
    ("layer0/kernel", np.ones((3, 4, 2, 5)), "layer0 is not whole in this run (its kernel is (3, 4, 2, 5))"),
    ("layer0/kernel", np.full((3, 4, 1, 5), 1e30), "layer0 is not whole in this run (some of its numbers are too"),
    ("layer0/bias", np.ones(4), "(its bias is (4,))"),
    ("layer1/moving_variance", np.full(5, -1.0), "layer1 is not whole in this run (some of its numbers are too"),
    ("layer1/moving_mean", np.ones(3), "(its channels do not fit)"),
    ("layer9/kernel", np.ones((48, 8)), "layer9 is not whole in this run (its kernel is (48, 8))")])
def test_weights_that_do_not_fit_are_refused(make_run, name, values, says):
    member = write_network(make_run(), ODD).members[0]
    spoilt(member, name, values)
    with pytest.raises(network.NotComputed) as refused:
        network.script(member)
    assert says in str(refused.value)


def test_a_convolution_with_holes_is_refused(make_run):
    member = write_network(make_run(), ODD).members[0]
    path = member.folder / "architecture.json"
    found = json.loads(path.read_text())
    found["config"]["layers"][0]["config"]["dilation_rate"] = [2, 2]
    path.write_text(json.dumps(found))
    with pytest.raises(network.NotComputed, match="layer0 is not whole in this run .it is dilated"):
        network.script(member)


@pytest.mark.slow
@pytest.mark.parametrize("recipe, epochs, most", [("best", 8, 1_000_000), ("notebook", 2, 4_200_000)])
def test_1000_validation_digits_get_the_answer_of_plaidml(computed, tmp_path, monkeypatch, recipe, epochs, most):
    """Trained here on few of the bundled digits, so that many of the others are doubtful."""
    from digits import data, training

    monkeypatch.chdir(tmp_path)  # where there are no other data
    run = training.train(None, recipe, {
        "epochs": epochs, "batch_size": 32, "test_time_augmentation": 1, "validation": {"fraction": 0.72},
        "refit": {"epochs": 0}}, tmp_path / "runs", "llvm_cpu.0", False, lambda told: None)
    member, images = run.members[0], data.load().train_images
    judged = member.predictions
    assert len(judged.validation_rows) >= 1000
    assert len(network.script(member)) <= most
    found = answers(computed(member), images[judged.validation_rows])
    assert np.mean(found.argmax(axis=1) == judged.validation.argmax(axis=1)) >= 0.999
    np.testing.assert_allclose(found, judged.validation, atol=0.01)
