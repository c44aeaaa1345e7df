"""The walk: phases, falling back to PlaidML's own gradient, and what it refuses."""

import keras
import keras.backend as K
import numpy as np
import pytest
from plaidml import tile

from plaidkeras import gradients as engine
from plaidkeras.gradients import NotDifferentiable


def evaluate(*values, inputs=(), arrays=()):
    return K.function(list(inputs), list(values))(list(arrays))


def test_gradient_of_a_variable_that_the_loss_does_not_know_is_zero():
    x, other = K.variable([1.0, 2.0]), K.variable([[3.0, 4.0]])
    found, = evaluate(*K.gradients(K.sum(x), [other]))
    assert found.tolist() == [[0, 0]]


def test_contributions_of_several_uses_add_up():
    x = K.variable([3.0])
    found, = evaluate(*K.gradients(x * x + x * 2.0, [x]))
    assert found.tolist() == [8]


def test_gradient_of_a_gradient():
    x = K.variable([2.0])
    first, = K.gradients(x * x * x, [x])
    second, = evaluate(*K.gradients(first, [x]))
    assert second.tolist() == [12]


def test_a_critic_learns_from_its_gradient_as_in_a_penalty_on_it():
    """PlaidML's gradient of what steers a choice alone is a single zero, whatever the shape."""
    np.random.seed(3)
    image = keras.Input((4, 4, 1))
    critic = keras.Sequential([
        keras.layers.Conv2D(2, 3, strides=2, padding="same", input_shape=(4, 4, 1)),
        keras.layers.LeakyReLU(0.2), keras.layers.Flatten(), keras.layers.Dense(1)])
    model = keras.Model(image, critic(image))

    def penalty(_, judged):
        slope, = K.gradients(judged, [image])
        return K.square(1.0 - K.sqrt(K.sum(K.square(slope), [1, 2, 3]) + 1e-9))

    model.compile(keras.optimizers.Adam(0.02), penalty)
    images = np.random.RandomState(0).rand(8, 4, 4, 1)
    losses = [model.train_on_batch(images, np.zeros((8, 1))) for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


def test_intermediate_values_have_gradients_too():
    x = K.variable([2.0])
    y = x * 3.0
    found, = evaluate(*K.gradients(y * y, [y]))
    assert found.tolist() == [12]


def made_by(name, code, dims, **inputs):
    return tile.Operation(code, list(inputs.items()), [("O", tile.Shape(inputs["I"].shape.dtype, dims))],
                          name=name).sole_output()


def test_operation_without_a_rule_falls_back_to_plaidml():
    x = K.variable([[1.0, 2.0, 3.0]])
    cube = made_by("Cube", "function (I) -> (O) { O = I * I * I; }", x.shape.dims, I=x)
    found, = evaluate(*K.gradients(K.sum(cube * cube), [x]))
    assert found.tolist() == [[6, 192, 1458]]


def test_who_falls_back_to_plaidml_for_a_sum_of_products_is_warned_once(monkeypatch):
    monkeypatch.setattr(engine, "_warned", set())
    x = K.variable([[1.0, 2.0, 3.0]])
    product = made_by("Product", "function (I[N, K], W[K]) -> (O) { O[n : N] = +(I[n, k] * W[k]); }",
                      (1,), I=x, W=K.variable([1.0, 0.0, 2.0]))
    with pytest.warns(UserWarning, match="no gradient rule for Product") as caught:
        found, = evaluate(*K.gradients(K.sum(product * product), [x]))
        evaluate(*K.gradients(K.sum(product), [x]))
    assert found.tolist() == [[14, 0, 28]]
    assert len(caught) == 1


def test_no_derivative_is_an_error_that_names_the_operation():
    x = K.variable([[1.0, 5.0]])
    with pytest.raises(NotDifferentiable, match="ArgMax has no derivative"):
        evaluate(*K.gradients(K.sum(K.argmax(x) * 1.0), [x]))


def test_stopped_gradient_is_none():
    x = K.variable([3.0])
    found, = evaluate(*K.gradients(x * K.stop_gradient(x), [x]))
    assert found.tolist() == [3]


@pytest.mark.parametrize("phase, expected", [(1, [2, 2]), (0, [5, 5])])
def test_gradient_follows_the_branch_of_the_learning_phase(phase, expected):
    x = K.placeholder((2,))
    y = K.in_train_phase(x * 2.0, x * 5.0)
    found, = evaluate(*K.gradients(K.sum(y), [x]), inputs=[x, K.learning_phase()],
                      arrays=[np.ones(2), phase])
    assert found.tolist() == expected


def test_dropout_works_in_training_only():
    x = K.placeholder((64, 64))
    y = K.in_train_phase(lambda: K.dropout(x, 0.5), x)
    run = K.function([x, K.learning_phase()], [y])
    assert run([np.ones((64, 64)), 0])[0].min() == 1
    assert 0.4 < (run([np.ones((64, 64)), 1])[0] == 0).mean() < 0.6


def stock_gradient_of(loss, variable):
    import plaidml.op

    return evaluate(*plaidml.op.gradients(loss, [variable]))[0]


def test_plaidml_s_own_gradient_of_batch_normalization_is_wrong_and_ours_is_not():
    """The input gradient of a batch normalization sums to zero over each channel."""
    from plaidkeras.backend import stock

    random = np.random.RandomState(0)
    x, weights = K.variable(random.randn(4, 6, 6, 8)), K.variable(random.randn(4, 6, 6, 8))
    gamma, beta = K.variable(random.rand(8) + 0.5), K.variable(random.randn(8))

    theirs = stock["normalize_batch_in_training"](x, gamma, beta, [0, 1, 2])[0]
    ours = K.normalize_batch_in_training(x, gamma, beta, [0, 1, 2])[0]
    np.testing.assert_allclose(K.eval(ours), K.eval(theirs), atol=1e-4)  # forward they agree
    wrong = stock_gradient_of(K.sum(theirs * weights), x)
    right, = evaluate(*K.gradients(K.sum(ours * weights), [x]))
    assert np.abs(wrong.sum(axis=(0, 1, 2))).max() > 100
    assert np.abs(right.sum(axis=(0, 1, 2))).max() < 1e-3


def test_plaidml_s_own_gradient_of_a_max_pool_counts_ties_twice_and_ours_does_not():
    from plaidkeras.backend import stock

    x = K.variable(np.zeros((1, 4, 4, 1)))
    theirs = K.sum(stock["pool"](x, (2, 2), (2, 2), pool_mode="max"))
    ours = K.sum(K.pool2d(x, (2, 2), (2, 2), pool_mode="max"))
    assert stock_gradient_of(theirs, x).sum() == 16
    assert evaluate(*K.gradients(theirs, [x]))[0].sum() == 4
    assert evaluate(*K.gradients(ours, [x]))[0].sum() == 4


def test_moving_averages_of_a_model_are_unbiased_from_the_first_batch():
    layer = keras.layers.BatchNormalization(input_shape=(3,), momentum=0.9)
    model = keras.Sequential([layer, keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    batches = np.random.RandomState(0).standard_normal((4, 8, 3)) * [1.0, 0.1, 30.0] + 5
    for seen in range(1, 5):
        model.train_on_batch(batches[seen - 1], np.zeros((8, 2)))
        weights = 0.9 ** np.arange(seen)[::-1]
        _, _, mean, variance = layer.get_weights()
        np.testing.assert_allclose(
            mean, np.average(batches[:seen].mean(axis=1), axis=0, weights=weights), rtol=1e-5)
        np.testing.assert_allclose(variance, np.average(
            batches[:seen].var(axis=1, ddof=1), axis=0, weights=weights), rtol=1e-3)


def test_a_tensor_times_itself():
    """PlaidML's own contraction of one tensor with itself is wrong."""
    matrix = np.random.RandomState(0).standard_normal((3, 3))
    x = K.variable(matrix)
    for same in (x, K.identity(x), K.in_train_phase(x, x)):
        gradient, found = evaluate(*K.gradients(K.sum(K.dot(x, same)), [x]), K.dot(x, same),
                                   inputs=[K.learning_phase()], arrays=[0])
        np.testing.assert_allclose(found, matrix @ matrix, rtol=1e-5)
        ones = np.ones((3, 3))
        np.testing.assert_allclose(gradient, ones @ matrix.T + matrix.T @ ones, rtol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_max_pool_of_equal_numbers_passes_a_gradient_once(padding):
    for sides in (4, 4), (None, None):
        pool = keras.Sequential([keras.layers.MaxPooling2D(2, padding=padding, input_shape=(*sides, 1))])
        if sides == (None, None) and padding == "same":
            continue  # where the first window lies is not known
        found, = evaluate(*K.gradients(K.sum(pool.output), [pool.input]), inputs=[pool.input],
                          arrays=[np.zeros((1, 4, 4, 1))])
        assert found.sum() == 4


def test_a_whole_quotient_has_no_slope():
    x = K.variable([5.5, -1.5])
    assert evaluate(*K.gradients(K.sum(x + x // 2.0), [x]))[0].tolist() == [1, 1]


def test_the_slope_of_an_exponent_is_a_number_where_the_base_is_zero():
    base, exponent = K.variable([0.0, 2.0]), K.variable([2.0, 3.0])
    np.testing.assert_allclose(evaluate(*K.gradients(K.sum(K.pow(base, exponent)), [exponent]))[0],
                               [0, 8 * np.log(2)], rtol=1e-5)


def convolutional(sides, channels, filters):
    model = keras.Sequential([
        keras.layers.Conv2D(filters, 3, activation="relu", input_shape=(*sides, channels)),
        keras.layers.Conv2D(2, 2, padding="same"), keras.layers.GlobalAveragePooling2D()])
    model.compile("sgd", "mse")
    return model


@pytest.mark.slow
@pytest.mark.parametrize("channels, filters", [(2, 4), (1, 4), (2, 128)])
def test_images_of_unknown_size_train_as_those_of_a_known_size(channels, filters):
    known = convolutional((6, 8), channels, filters)
    unknown = convolutional((None, None), channels, filters)
    unknown.set_weights(known.get_weights())
    images, wanted = np.random.rand(4, 6, 8, channels), np.random.rand(4, 2)
    for model in (known, unknown):
        model.train_on_batch(images, wanted)
    for one, other in zip(known.get_weights(), unknown.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
