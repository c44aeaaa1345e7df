"""The types of results, and what is computed of numbers, arrays and booleans beside tensors."""

import keras.backend as K
import numpy as np
import pytest
from keras.layers import Dense, Lambda
from keras.models import Sequential

X = np.arange(6, dtype="float32").reshape(2, 3)


@pytest.fixture(scope="module")
def x():
    return K.variable(X)


@pytest.fixture(scope="module")
def whole():
    return K.variable(X, dtype="int32")


def evaluated(*values):
    """In one program, which compiles faster than several."""
    return K.function([], list(values))([])


def test_a_python_number_leaves_a_tensor_its_type(x):
    values = [x / 255, x * 784, 2 - x, x + True, K.clip(x, 0, 1), K.pow(x, 3), x * 2.5,
              np.float64(2) * x, x * np.arange(3), x - [1, 2, 3], K.maximum(x, 1)]
    assert {K.dtype(value) for value in values} == {"float32"}
    found = evaluated(*values)
    assert {array.dtype for array in found} == {np.dtype("float32")}
    expected = [X / 255, X * 784, 2 - X, X + 1, X.clip(0, 1), X ** 3, X * 2.5,
                2 * X, X * np.arange(3), X - [1, 2, 3], X.clip(1)]
    for array, wanted in zip(found, expected):
        np.testing.assert_allclose(array, wanted, rtol=1e-6)


def test_numbers_of_any_size_are_taken(x):
    values = [x * 2 ** 40, x * float("inf"), K.equal(x, -1e-9), K.equal(x, float("inf"))]
    found = evaluated(*values)
    np.testing.assert_array_equal(found[0], X * np.float32(2 ** 40))
    np.testing.assert_array_equal(found[1][1], [np.inf] * 3)
    assert not found[2].any() and not found[3].any()


def test_type_that_is_told_is_the_type_that_is_computed(x, whole):
    wide, short = K.cast(x, "float64"), K.variable(X, dtype="uint8")
    values = [whole + 1, whole * x, whole * 2.5, whole / 2, wide * x, wide * 2, short + 1, short * whole,
              K.exp(whole), K.mean(whole), K.greater(x, 1), K.max(whole)]
    for value, array in zip(values, evaluated(*values)):
        assert array.dtype.name == K.dtype(value) == value.dtype, value


def test_dropout_and_constants_keep_type_and_shape():
    wide = K.variable(X, dtype="float64")
    dropped = K.dropout(wide, 0.5)
    assert K.dtype(dropped) == K.eval(dropped).dtype.name == "float64"
    assert K.get_value(K.zeros(())).shape == ()


def test_a_layer_follows_a_lambda_that_divides_by_an_integer():
    model = Sequential([Lambda(lambda x: x / 255, input_shape=(3,)), Dense(2)])
    weights = model.get_weights()[0]
    np.testing.assert_allclose(model.predict(255 * X), X @ weights, rtol=1e-5)


def test_a_product_with_zero_is_a_tensor_of_zeros(x):
    values = [0 * x, x * 0.0, 0.0 * x + 1.0, K.sum(0.0 * x, axis=1)]
    for array, wanted in zip(evaluated(*values), [0 * X, 0 * X, 0 * X + 1, np.zeros(2)]):
        np.testing.assert_array_equal(array, wanted)


def test_booleans_are_reckoned_with_as_numbers(x):
    above, below = K.greater(x, 2), K.less(x, 4)
    a, b = X > 2, X < 4
    values = [K.sum(above), K.max(above), K.min(below, axis=0), K.mean(above), above * below, above + above,
              K.concatenate([above, below], 0), K.cumsum(above, 0), K.argmax(above, -1)]
    expected = [a.sum(), 1, b.min(0), a.mean(), a & b, 2 * a, np.concatenate([a, b]),
                a.cumsum(0), a.argmax(-1)]
    for array, wanted in zip(evaluated(*values), expected):
        np.testing.assert_array_equal(array, wanted)


def test_logical_operations_are_those_of_numpy(x, whole):
    a, b = X > 2, X < 4
    above, below = K.greater(x, 2), K.less(x, 4)
    values = [above & below, above | below, above ^ below, ~above, whole & 1, whole << 2]
    expected = [a & b, a | b, a ^ b, ~a, X.astype(int) & 1, X.astype(int) << 2]
    for array, wanted in zip(evaluated(*values), expected):
        np.testing.assert_array_equal(array, wanted)


def test_bits_of_floats_are_refused(x):
    with pytest.raises(TypeError, match="And is an operation on integers"):
        x & x


def test_powers_and_remainders_are_those_of_numpy(x, whole):
    values = [x ** 2, 2 ** x, x ** 0.5, K.pow(x, x), x % 2, -x % 3, whole ** 2]
    expected = [X ** 2, 2 ** X, X ** 0.5, X ** X, X % 2, -X % 3, X ** 2]
    for array, wanted in zip(evaluated(*values), expected):
        np.testing.assert_allclose(array, wanted, rtol=1e-5)


def test_going_through_a_tensor_ends(x):
    first, second = x
    np.testing.assert_array_equal(K.eval(second - first), [3, 3, 3])
    with pytest.raises(TypeError, match="number of rows is not known"):
        list(K.placeholder((None, 3)))
