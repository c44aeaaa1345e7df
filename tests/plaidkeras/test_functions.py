"""Functions of keras.backend that PlaidML lacks or has otherwise, against NumPy."""

import keras.backend as K
import numpy as np
import pytest
from keras.layers import Input, Lambda
from keras.models import Model, Sequential

random = np.random.RandomState(8)
X = random.standard_normal((3, 4)).astype("float32")


@pytest.fixture(scope="module")
def x():
    return K.variable(X)


def evaluated(*values):
    return K.function([], list(values))([])


def test_choices_are_those_of_numpy(x):
    chosen = [K.switch(K.greater(x, 0), x, -x), K.switch(K.constant([1.0, 0.0, 1.0]), x, -x),
              K.switch(K.greater(K.sum(x), 1e3), lambda: x, lambda: -x), K.switch(True, x, -x)]
    rows = np.array([[1], [-1], [1]])
    for found, expected in zip(evaluated(*chosen), [abs(X), rows * X, -X, X]):
        np.testing.assert_array_equal(found, expected)


def test_bounds_and_shapes_may_be_named(x):
    values = [K.clip(x, min_value=0), K.clip(x, max_value=0), K.clip(x, 1, -1), K.reshape(x, shape=(2, -1))]
    expected = [X.clip(0), X.clip(max=0), np.ones_like(X), X.reshape(2, 6)]
    for found, wanted in zip(evaluated(*values), expected):
        np.testing.assert_array_equal(found, wanted)


def test_first_of_equal_extremes_is_found():
    array = np.array([[1.0, 3, 3], [2, 2, 0]])
    v = K.variable(array)
    found = evaluated(K.argmax(v), K.argmax(v, 0), K.argmin(v), K.argmax(v, axis=None),
                      K.argmax(K.cast(K.one_hot(K.constant([1, 2]), 3), "float32")))
    for indices, expected in zip(found, [array.argmax(-1), array.argmax(0), array.argmin(-1), 1, [1, 2]]):
        np.testing.assert_array_equal(indices, expected)


def test_one_hot_is_of_numbers():
    indices = np.array([[0, 2], [1, 1]])
    made = K.one_hot(K.variable(indices, dtype="int32"), 3)
    found, total = evaluated(made, K.sum(made))
    np.testing.assert_array_equal(found, np.eye(3)[indices])
    assert (found.dtype, total) == (np.dtype("float32"), 4)


def test_a_tensor_is_printed_whenever_it_is_computed(capsys):
    x = K.placeholder((2,))
    function = K.function([x], [2.0 * K.print_tensor(x, "x is")])
    assert function([[1, 2]])[0].tolist() == [2, 4]
    function([[3, 4]])
    assert capsys.readouterr().out == "x is [1. 2.]\nx is [3. 4.]\n"


def test_a_bias_may_differ_from_place_to_place():
    x, bias = random.standard_normal((2, 3, 4, 5)), random.standard_normal((3, 4, 5))
    first = random.standard_normal((2, 5, 3, 4))
    found = evaluated(K.bias_add(K.variable(x), K.variable(bias), "channels_last"),
                      K.bias_add(K.variable(first), K.variable(bias[0, 0]), "channels_first"))
    np.testing.assert_allclose(found[0], x + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], first + bias[0, 0][:, None, None], rtol=1e-5, atol=1e-6)


def test_a_relu_between_bounds_below_zero_is_that_of_keras():
    array = np.array([-4.0, -1, -0.5, 0.5, 3, 7])
    found = K.eval(K.relu(K.variable(array), 0.1, max_value=5.0, threshold=-2.8))
    np.testing.assert_allclose(found, [-0.12, 0, 0, 0.5, 3, 5], rtol=1e-5)


@pytest.mark.parametrize("axes", [[0, 1, 2], [1]])
def test_normalization_over_any_axes_is_that_of_numpy(axes):
    array = random.standard_normal((4, 3, 2)) + 5
    found, mean, variance = evaluated(*K.normalize_batch_in_training(K.variable(array), None, None, axes))
    np.testing.assert_allclose(mean, array.mean(tuple(axes)), rtol=1e-5)
    np.testing.assert_allclose(variance, array.var(tuple(axes)), rtol=1e-4)
    np.testing.assert_allclose(found, (array - array.mean(tuple(axes), keepdims=True)) / np.sqrt(
        array.var(tuple(axes), keepdims=True) + 1e-3), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [6, 40, 2048])
def test_a_product_is_that_of_numpy_for_any_number_of_rows(length):
    y = np.random.RandomState(0).standard_normal((length, 5)).astype("float32")
    x = K.placeholder((None, length))
    product = K.function([x], [K.dot(x, K.variable(y))])
    for rows in 1, 2, 3, 8, 1:
        array = np.random.RandomState(rows).standard_normal((rows, length)).astype("float32")
        np.testing.assert_allclose(product([array])[0], array @ y, rtol=1e-3, atol=1e-4)


def test_parts_beyond_the_end_are_refused(x):
    with pytest.raises(IndexError, match="has no part at 3"):
        x[3]
    assert K.eval(x[K.constant(2, dtype="int32")]).tolist() == X[2].tolist()


def test_a_lambda_finds_the_shape_of_what_it_makes():
    assert Sequential([Lambda(lambda x: x[:, :2], input_shape=(5, 3))]).output_shape == (None, 2, 3)
    a, b = Input((3,)), Input((2,))
    both = Lambda(lambda pair: K.concatenate(pair, axis=-1))([a, b])
    assert Model([a, b], both).output_shape == (None, 5)


def test_a_scope_ends_at_an_exception():
    before = K.placeholder((2,), name="x").name
    with pytest.raises(KeyError), K.name_scope("layer"):
        raise KeyError
    assert K.placeholder((2,), name="x").name == before


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_tensors_of_unknown_sizes_are_stacked_along_any_axis(axis):
    a, b = K.placeholder((None, 3)), K.placeholder((None, 3))
    arrays = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    assert np.array_equal(K.function([a, b], [K.stack([a, b], axis)])(arrays)[0], np.stack(arrays, axis))


def test_tensors_of_different_shapes_are_not_stacked():
    for other in ((2, 4), (2, 3, 1)):
        with pytest.raises(ValueError, match="cannot be stacked"):
            K.stack([K.ones((2, 3)), K.ones(other)])


def test_a_slice_begins_and_ends_where_it_is_told():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert np.array_equal(K.eval(K.slice(K.variable(x), (0, 1, 1), (-1, 2, 2))), x[:, 1:3, 1:3])


def test_what_is_padded_for_one_operation_is_whole_for_the_others():
    x = K.variable(np.random.RandomState(3).rand(2, 5, 5, 4))
    doubled = x * 2
    weights = K.variable(np.ones((3, 3, 4, 1)))
    *_, flat, rows = K.function([], [
        K.conv2d(doubled, K.variable(np.ones((3, 3, 4, 2))), padding="same"),
        K.depthwise_conv2d(doubled, weights, padding="same"),
        K.pool2d(doubled, (2, 2), (1, 1), "same", pool_mode="avg"),
        K.flatten(doubled), K.reshape(doubled, (10, 20))])([])
    np.testing.assert_array_equal(flat, 2 * K.get_value(x).ravel())
    np.testing.assert_array_equal(rows, flat.reshape(10, 20))


def test_what_is_gathered_may_be_padded():
    table, rows = np.random.RandomState(3).rand(5, 4), np.array([[1, 0, 2], [4, 4, 3]])
    found = K.eval(K.conv1d(K.gather(K.variable(table), K.variable(rows, dtype="int32")),
                            K.variable(np.ones((3, 4, 2))), padding="same"))
    padded = np.pad(table[rows], ((0, 0), (1, 1), (0, 0))).sum(-1)
    np.testing.assert_allclose(found[..., 0], padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:], rtol=1e-5)
