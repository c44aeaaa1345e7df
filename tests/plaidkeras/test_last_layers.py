"""Keras's targets have unknown sizes: each kind of layer can be the last one all the same."""

import keras.backend as K
import numpy as np
import pytest
from keras import layers, losses
from keras.models import Sequential

random = np.random.RandomState(2)

IMAGE, STEPS, VOLUME = (6, 6, 2), (6, 2), (4, 4, 4, 2)
LAST = {
    "Conv2D": (layers.Conv2D(3, 3), IMAGE),
    "AveragePooling2D": (layers.AveragePooling2D(), IMAGE),
    "Conv2DTranspose": (layers.Conv2DTranspose(3, 3, strides=2), IMAGE),
    "Conv2D, channels first": (layers.Conv2D(3, 3, data_format="channels_first"), (2, 6, 6)),
    "Conv2D, strided": (layers.Conv2D(3, 3, strides=2, padding="same"), IMAGE),
    "Conv1D": (layers.Conv1D(3, 3), STEPS),
    "Conv3D": (layers.Conv3D(3, 2), VOLUME),
    "Conv3DTranspose": (layers.Conv3DTranspose(3, 2), VOLUME),
    "DepthwiseConv2D": (layers.DepthwiseConv2D(3), IMAGE),
    "SeparableConv2D": (layers.SeparableConv2D(3, 3), IMAGE),
    "SeparableConv1D": (layers.SeparableConv1D(3, 3), STEPS),
    "LocallyConnected2D": (layers.LocallyConnected2D(3, 3), IMAGE),
    "LocallyConnected1D": (layers.LocallyConnected1D(3, 3), STEPS),
    "AveragePooling1D": (layers.AveragePooling1D(), STEPS),
    "MaxPooling2D": (layers.MaxPooling2D(), IMAGE),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D(), IMAGE),
    "UpSampling2D": (layers.UpSampling2D(), IMAGE),
    "UpSampling2D, bilinear": (layers.UpSampling2D(interpolation="bilinear"), IMAGE),
    "ZeroPadding2D": (layers.ZeroPadding2D(), IMAGE),
    "Cropping2D": (layers.Cropping2D(), IMAGE),
    "ConvLSTM2D": (layers.ConvLSTM2D(2, 3), (2, *IMAGE)),
    "ConvLSTM2D, of all steps": (layers.ConvLSTM2D(2, 3, return_sequences=True), (2, *IMAGE)),
    "BatchNormalization": (layers.BatchNormalization(), IMAGE),
    "TimeDistributed": (layers.TimeDistributed(layers.Conv2D(2, 3)), (2, *IMAGE)),
}


def gradients(x, y, shape, loss, array, target, weights):
    t = K.placeholder(shape)
    total = K.mean(losses.get(loss)(t, y))
    function = K.function([x, t, K.learning_phase()], K.gradients(total, [x, *weights]))
    return function([array, target, 1])


@pytest.mark.parametrize("name", [
    name if i < 3 else pytest.param(name, marks=pytest.mark.slow) for i, name in enumerate(LAST)])
@pytest.mark.parametrize("loss", ["mse", pytest.param("categorical_crossentropy", marks=pytest.mark.slow)])
def test_gradients_are_those_of_targets_of_known_size(name, loss):
    layer, shape = LAST[name]
    x = K.placeholder((4, *shape))
    y = K.softmax(layer(x))
    target = random.uniform(size=K.int_shape(y))
    arguments = loss, random.standard_normal((4, *shape)), target, layer.trainable_weights
    found = gradients(x, y, (None,) * len(target.shape), *arguments)
    for gradient, expected in zip(found, gradients(x, y, target.shape, *arguments)):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-7)
        assert np.abs(gradient).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mae", "binary_crossentropy"])
def test_an_autoencoder_that_ends_in_a_transposed_convolution_learns(loss):
    model = Sequential([layers.Conv2D(4, 3, strides=2, padding="same", input_shape=(8, 8, 1)),
                        layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")])
    model.compile("adam", loss)
    images = random.uniform(size=(8, 8, 8, 1)).round()
    first, *_, last = [model.train_on_batch(images, images) for _ in range(20)]
    assert last < first


@pytest.mark.parametrize("shape", [(5,), pytest.param((4, 5), marks=pytest.mark.slow)], ids=str)
def test_sparse_targets_are_learned_like_one_hot_ones(shape):
    models = [Sequential([layers.Dense(3, activation="softmax", input_shape=shape)]) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    x, numbers = random.standard_normal((8, *shape)), random.randint(0, 3, (8, *shape[:-1]))
    models[0].compile("sgd", "sparse_categorical_crossentropy")
    models[1].compile("sgd", "categorical_crossentropy")
    found = models[0].train_on_batch(x, numbers[..., None])
    assert found == pytest.approx(models[1].train_on_batch(x, np.eye(3)[numbers]), rel=1e-6)
    for one, other in zip(*(model.get_weights() for model in models)):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("function", [K.categorical_crossentropy, K.sparse_categorical_crossentropy])
def test_classes_may_lie_along_any_axis(function):
    probabilities = random.dirichlet(np.ones(3), (2, 4)).transpose(0, 2, 1)  # (2, 3, 4)
    numbers = random.randint(0, 3, (2, 1, 4))
    targets = np.eye(3)[numbers[:, 0]].transpose(0, 2, 1)
    found = K.eval(function(K.constant(numbers if "sparse" in function.__name__ else targets),
                            K.constant(probabilities), axis=1))
    np.testing.assert_allclose(found, -np.log((probabilities * targets).sum(1)), rtol=1e-5)


def test_a_loss_of_weight_zero_changes_nothing():
    model = Sequential([layers.Conv2D(2, 3, input_shape=IMAGE)])
    model.compile("sgd", "mse", loss_weights=[0.0])
    before = model.get_weights()
    assert model.train_on_batch(np.ones((4, *IMAGE)), np.ones((4, 4, 4, 2))) == 0
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)
