"""What goes on step by step, where the number of steps is known and where it is not."""

import keras.backend as K
import numpy as np
import pytest
from keras.layers import GRU, LSTM, Bidirectional, Dense, Embedding, TimeDistributed
from keras.models import Sequential

from plaidkeras.gradient_check import check_gradients

random = np.random.RandomState(3)


def trained(steps, tokens, labels):
    model = Sequential([Embedding(9, 4, input_length=steps, mask_zero=True),
                        Bidirectional(LSTM(2, return_sequences=True)), GRU(3), Dense(1)])
    for i, weights in enumerate(model.weights):
        K.set_value(weights, np.random.RandomState(i).standard_normal(K.int_shape(weights)))
    model.compile("sgd", "mse")
    losses = [model.train_on_batch(tokens, labels) for _ in range(2)]
    return model, losses


@pytest.mark.slow
def test_a_recurrent_network_learns_the_same_where_its_number_of_steps_is_not_known():
    tokens, labels = random.randint(1, 9, (4, 3)), random.standard_normal((4, 1))
    tokens[0, 0] = 0
    model, losses = trained(None, tokens, labels)
    known, expected = trained(3, tokens, labels)
    assert losses == expected
    np.testing.assert_array_equal(model.predict(tokens), known.predict(tokens))
    assert model.predict(tokens[:, 1:]).shape == (4, 1)


def test_states_of_a_recurrence_over_an_unknown_number_of_steps_are_those_of_the_batch():
    x = K.placeholder((None, None, 2))
    last, outputs, (state,) = K.rnn(lambda x, states: (states[0] + x, [states[0] + x]), x,
                                    [K.zeros_like(x[:, 0])])
    function = K.function([x], [last, outputs, state, *K.gradients(K.sum(last * last), [x])])
    for steps in (3, 2):
        array = random.standard_normal((2, steps, 2))
        last, outputs, state, gradient = function([array])
        np.testing.assert_allclose(outputs, array.cumsum(1), rtol=1e-5)
        np.testing.assert_allclose(last, array.sum(1), rtol=1e-5)
        np.testing.assert_array_equal(last, state)
        np.testing.assert_allclose(gradient, np.repeat(2 * array.sum(1, keepdims=True), steps, 1),
                                   rtol=1e-5)


def test_map_and_folds_are_those_of_python():
    rows = random.standard_normal((3, 2))
    x = K.placeholder((None, 2))
    values = [K.map_fn(lambda row: row * row, x), K.map_fn(lambda pair: pair[0] + pair[1], (x, 2.0 * x)),
              K.foldl(lambda a, row: 2.0 * a - row, x), K.foldr(lambda a, row: 2.0 * a - row, x),
              K.foldl(lambda a, row: 2.0 * a - row, x, K.ones((2,)))]
    a, b, c = rows
    expected = [rows ** 2, 3 * rows, 4 * a - 2 * b - c, 4 * c - 2 * b - a, 8 - 4 * a - 2 * b - c]
    for found, wanted in zip(K.function([x], values)([rows]), expected):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_gradients_go_through_map_and_folds():
    check_gradients(lambda x: K.foldl(lambda a, row: a * row, K.map_fn(K.exp, x)),
                    random.standard_normal((3, 2)))


def test_a_layer_is_applied_to_each_step_of_batches_of_one_size():
    model = Sequential([TimeDistributed(Dense(2), batch_input_shape=(4, 3, 5))])
    x = random.standard_normal((4, 3, 5))
    np.testing.assert_allclose(model.predict(x, batch_size=4), x @ model.get_weights()[0], rtol=1e-4,
                               atol=1e-5)


@pytest.mark.slow
def test_hundreds_of_tensors_are_joined():
    x = K.variable([[1.0, 2.0]])
    joined = K.concatenate([x * i for i in range(300)], axis=0)
    np.testing.assert_array_equal(K.eval(joined), np.arange(300)[:, None] * [1, 2])
