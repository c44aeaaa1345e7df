"""What follows from variables alone is computed once, and again as soon as one of them changes."""

import keras
import keras.backend as K
import numpy as np
import plaidml
import pytest
from keras.layers import Activation, BatchNormalization, Conv2D, Dense, Flatten

IMAGES = np.random.RandomState(0).rand(6, 8, 8, 1).astype("float32")


@pytest.fixture
def runs(monkeypatch):
    """The programs that PlaidML has run since the list was last cleared."""
    invoke, made = plaidml.Invoker.invoke, []
    monkeypatch.setattr(plaidml.Invoker, "invoke", lambda self: (made.append(self), invoke(self))[1])
    return made


def network():
    model = keras.Sequential([Conv2D(4, 3, use_bias=False, input_shape=(8, 8, 1)), BatchNormalization(),
                              Activation("relu"), Flatten(), Dense(3)])
    model.compile("sgd", "mse")
    return model


def twice(x, variable):
    """A function whose result depends on what follows from the variable alone."""
    return K.function([x], [x * K.exp(variable)])


def test_normalization_is_folded_into_weights_only_when_these_have_changed(runs):
    model = network()
    model.predict_on_batch(IMAGES)
    for count in (1, 1, 2, 1):
        if count == 2:
            model.set_weights(model.get_weights())
        runs.clear()
        model.predict_on_batch(IMAGES)
        assert len(runs) == count


def test_prediction_of_a_network_follows_its_training_and_its_weights():
    model = network()
    first, weights = model.predict(IMAGES), model.get_weights()
    model.train_on_batch(IMAGES, np.ones((6, 3)))
    trained = model.predict(IMAGES)
    assert np.abs(trained - first).max() > 1e-3
    copy = network()
    copy.set_weights(model.get_weights())
    assert np.allclose(copy.predict(IMAGES), trained, atol=1e-6)
    model.set_weights(weights)
    assert np.array_equal(model.predict(IMAGES), first)


def test_moving_averages_are_followed_where_no_weight_learns():
    model = network()
    K.set_value(model.optimizer.lr, 0.0)
    first = model.predict(IMAGES)
    for _ in range(3):
        model.train_on_batch(IMAGES, np.ones((6, 3)))
    assert np.abs(model.predict(IMAGES) - first).max() > 1e-3


def test_program_sees_what_another_program_wrote():
    x, variable = K.placeholder((2,)), K.variable([0.0, 0.0])
    program, step = twice(x, variable), K.function([], [], [K.update_add(variable, 1.0)])
    for steps in range(3):
        assert np.allclose(program([[1.0, 2.0]])[0], np.exp(steps) * np.array([1, 2]))
        step([])


def test_program_sees_a_value_that_was_set():
    x, variable = K.placeholder((2,)), K.variable([0.0, 0.0])
    program = twice(x, variable)
    for value in ([1.0, 2.0], [3.0, -1.0]):
        K.set_value(variable, value)
        assert np.allclose(program([[1.0, 1.0]])[0], np.exp(value))


def test_each_phase_has_its_own():
    x, variable = K.placeholder((2,)), K.variable([1.0, 2.0])
    scale = K.in_train_phase(K.exp(variable), K.sqrt(variable))
    program = K.function([x, K.learning_phase()], [x * scale])
    for _ in range(2):
        assert np.allclose(program([[1.0, 1.0], 1])[0], np.exp([1, 2]))
        assert np.allclose(program([[1.0, 1.0], 0])[0], np.sqrt([1, 2]))


def test_program_that_updates_computes_everything_anew(runs):
    x, variable = K.placeholder((2,)), K.variable([0.0, 0.0])
    program = K.function([x], [x * K.exp(variable)], [K.update_add(variable, 1.0)])
    for steps in range(3):
        assert np.allclose(program([[1.0, 2.0]])[0], np.exp(steps) * np.array([1, 2]))
    assert len(runs) == 3


def test_random_numbers_are_drawn_anew():
    x = K.placeholder((4,))
    program = K.function([x], [x + K.random_uniform((4,))])
    assert not np.array_equal(program([np.zeros(4)])[0], program([np.zeros(4)])[0])


def test_result_that_is_an_output_itself():
    x, variable = K.placeholder((2,)), K.variable([0.0, 1.0])
    scale = K.exp(variable)
    program = K.function([x], [scale, x * scale, variable])
    for value in ([0.0, 1.0], [1.0, 2.0]):
        K.set_value(variable, value)
        found = program([[1.0, 2.0]])
        assert np.allclose(found, [np.exp(value), np.exp(value) * [1, 2], value])


def test_results_of_two_networks_that_share_a_layer():
    shared = BatchNormalization(input_shape=(3,))
    one, two = keras.Sequential([shared, Dense(2)]), keras.Sequential([shared, Dense(2)])
    one.compile("sgd", "mse")
    x = np.random.RandomState(1).rand(8, 3).astype("float32") + 5
    before = two.predict(x)
    one.train_on_batch(x, np.ones((8, 2)))
    after = two.predict(x)
    assert np.abs(after - before).max() > 1e-3
    assert np.allclose(after, K.function([two.input, K.learning_phase()], two.outputs)([x, 0])[0])
