"""Updates leave the old value to all that read it, in whatever order they are given."""

import itertools

import keras
import keras.backend as K
import numpy as np
import pytest


def run(outputs, updates):
    return K.function([], outputs, updates=updates)([])


@pytest.mark.parametrize("turned", [False, True])
def test_update_reads_the_old_value_of_another_variable(turned):
    count, x, y = K.variable(1.0), K.variable([1.0, 2.0]), K.variable([0.0, 0.0])
    updates = [K.update_add(count, 1.0), K.update(y, x * count)]
    run([], updates[::-1] if turned else updates)
    assert K.get_value(y).tolist() == [1, 2] and K.get_value(count) == 2


def test_output_reads_the_old_value():
    x = K.variable([1.0, 2.0])
    found = run([x * 1.5, K.sum(x)], [K.update(x, x * 10.0)])
    assert found[0].tolist() == [1.5, 3] and found[1] == 3
    assert K.get_value(x).tolist() == [10, 20]


def test_variables_change_places():
    x, y = K.variable([1.0, 2.0]), K.variable([3.0, 4.0])
    run([], [K.update(x, y), K.update(y, x)])
    assert K.get_value(x).tolist() == [3, 4] and K.get_value(y).tolist() == [1, 2]


def test_each_takes_the_place_of_the_next():
    variables = [K.variable([float(i), 1.0]) for i in range(4)]
    run([], [K.update(x, y * 2.0 + x) for x, y in
             zip(variables, [*variables[1:], variables[0]])])
    assert [K.get_value(x)[0] for x in variables] == [2, 5, 8, 3]


def test_new_value_that_is_read_beside_the_old_one():
    """As in Nadam: what is written is an intermediate value of what reads the old one."""
    x, y = K.variable([2.0, 3.0]), K.variable([0.0, 0.0])
    new = x * 10.0
    found, = run([new + x], [K.update(x, new), K.update(y, (new + 1.0) * (x + 1.0))])
    assert found.tolist() == [22, 33]
    assert K.get_value(x).tolist() == [20, 30] and K.get_value(y).tolist() == [63, 124]


def test_update_that_moves_the_elements_of_its_own_variable():
    x = K.variable([[1.0, 2.0], [3.0, 4.0]])
    run([], [K.update(x, K.transpose(x))])
    assert K.get_value(x).tolist() == [[1, 3], [2, 4]]
    run([], [K.update(x, K.dot(x, x))])
    assert K.get_value(x).tolist() == [[7, 15], [10, 22]]


def test_updates_of_a_scalar_and_of_whole_numbers():
    x, n = K.variable(3.0), K.variable(np.array([1, 2]), dtype="int32")
    run([], [K.update(x, K.sum(K.cast(n, "float32")) + x), K.update(n, n + n)])
    assert K.get_value(x) == 6 and K.get_value(n).tolist() == [2, 4]


def test_weights_change_after_all_gradients_are_taken():
    """PlaidML alone writes by the alphabet, whatever the order of the layers."""
    random = np.random.RandomState(0)
    x, y = random.standard_normal((8, 5)), random.standard_normal((8, 3))
    layers = [keras.layers.Dense(size) for size in (6, 5, 4, 3)]
    model = keras.Sequential([keras.layers.InputLayer((5,)), *layers])
    weights = model.get_weights()
    kernels = [layer.kernel for layer in layers]
    loss = K.mean(K.square(model.outputs[0] - K.constant(y)))
    gradients = K.gradients(loss, kernels)
    found = []
    for order in itertools.islice(itertools.permutations(range(4)), 0, 24, 7):
        model.set_weights(weights)
        K.function(model.inputs, [loss], updates=[
            K.update(kernels[i], kernels[i] - 0.5 * gradients[i]) for i in order])([x])
        found.append(model.get_weights())
    for other in found[1:]:
        for ours, theirs in zip(found[0], other):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    model.set_weights(weights)
    expected = K.function(model.inputs, gradients)([x])
    for before, after, gradient in zip(weights[::2], found[0][::2], expected):
        np.testing.assert_allclose(after, before - 0.5 * gradient, rtol=1e-5, atol=1e-6)


def test_several_updates_of_one_variable_follow_one_another():
    x = K.variable([1.0, 2.0])
    run([], [K.update_add(x, 1.0), K.update(x, x * 10.0)])
    assert K.get_value(x).tolist() == [20, 30]


def test_shared_batch_normalization_averages_over_all_its_inputs():
    layer = keras.layers.BatchNormalization(momentum=0.9)
    inputs = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(inputs, keras.layers.Add()([layer(inputs[0]), layer(inputs[1])]))
    model.compile("sgd", "mse")
    random, means = np.random.RandomState(0), []
    for step in range(3):
        arrays = [random.standard_normal((8, 4)) + 5 * step, random.standard_normal((8, 4)) - 1]
        model.train_on_batch(arrays, np.zeros((8, 4)))
        means += [array.mean(axis=0) for array in arrays]
        expected = np.average(means, axis=0, weights=0.9 ** np.arange(len(means))[::-1])
        np.testing.assert_allclose(layer.get_weights()[2], expected, rtol=1e-5, atol=1e-6)
