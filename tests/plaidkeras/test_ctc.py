"""The cost of a text is that of all ways to spell it, step by step."""

import itertools

import keras
import keras.backend as K
import numpy as np
import pytest

BLANK = 3  # the last class


def collapsed(path):
    """What a path of one class a step spells: of equal neighbours one, and then no blanks."""
    return [number for number, _ in itertools.groupby(path) if number != BLANK]


def cost_of_all_paths(probabilities, text):
    steps = range(len(probabilities))
    return -np.log(sum(np.prod(probabilities[steps, path])
                       for path in itertools.product(range(BLANK + 1), repeat=len(probabilities))
                       if collapsed(path) == list(text)))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def cost():
    """Of labels (n, 3), logits (n, 5, 4) and both lengths: the cost, and its gradient for the logits."""
    labels, logits, steps, letters = (K.placeholder(shape) for shape in
                                      ((None, 3), (None, 5, BLANK + 1), (None, 1), (None, 1)))
    costs = K.ctc_batch_cost(labels, K.softmax(logits), steps, letters)
    assert K.int_shape(costs) == (None, 1)
    return K.function([labels, logits, steps, letters], [costs, *K.gradients(K.sum(costs), [logits])])


LOGITS = np.random.RandomState(0).randn(4, 5, BLANK + 1) * 2
LABELS = np.array([[0, 1, 2], [1, 1, -1], [2, 0, 0], [1, 2, 1]])
STEPS, LETTERS = np.array([[5], [4], [5], [3]]), np.array([[3], [2], [0], [3]])


def test_cost_is_that_of_all_paths_that_spell_the_text(cost):
    found, _ = cost([LABELS, LOGITS, STEPS, LETTERS])
    expected = [cost_of_all_paths(softmax(logits)[:steps], text[:letters])
                for logits, text, (steps,), (letters,) in zip(LOGITS, LABELS, STEPS, LETTERS)]
    assert np.allclose(found[:, 0], expected, rtol=1e-4)


def test_gradient_agrees_with_finite_differences(cost):
    _, gradient = cost([LABELS, LOGITS, STEPS, LETTERS])
    assert not gradient[3, 3:].any()  # steps that do not count
    rng, width = np.random.RandomState(1), 1e-2
    for _ in range(4):
        direction = rng.randn(*LOGITS.shape)
        ahead, behind = (cost([LABELS, LOGITS + sign * width * direction, STEPS, LETTERS])[0].sum()
                         for sign in (1, -1))
        assert (ahead - behind) / (2 * width) == pytest.approx((gradient * direction).sum(), rel=1e-2, abs=1e-2)


def test_a_text_that_needs_more_steps_than_there_are_is_impossible(cost):
    found, gradient = cost([LABELS[1:2], LOGITS[1:2], [[2]], [[2]]])  # of equal letters, so three
    assert found[0, 0] > 1e29 and np.isfinite(gradient).all()


def test_a_sure_network_neither_overflows_nor_loses_its_gradient(cost):
    found, gradient = cost([LABELS[:1], 40 * np.eye(4)[[[3, 3, 3, 3, 3]]], STEPS[:1], LETTERS[:1]])
    assert 40 < found[0, 0] < 60 and np.isfinite(gradient).all()


def test_texts_are_read_from_the_likeliest_class_of_each_step():
    paths = np.array([[0, 0, 3, 0, 2], [3, 1, 2, 2, 0], [3, 3, 3, 3, 3]])
    probabilities = 0.1 + 0.6 * np.eye(BLANK + 1)[paths]
    (texts,), cost = K.ctc_decode(probabilities, np.array([5, 4, 5]))
    assert K.eval(texts).tolist() == [[0, 0, 2, -1, -1], [1, 2, -1, -1, -1], [-1] * 5]
    assert np.allclose(K.eval(cost)[:, 0], -np.log(0.7) * np.array([5, 4, 5]), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="greedy"):
        K.ctc_decode(probabilities, np.array([5, 4, 5]), greedy=False)


@pytest.mark.slow
def test_a_network_learns_to_read_without_being_told_where_the_letters_are():
    rng = np.random.RandomState(0)
    texts = rng.randint(0, BLANK, (64, 2))
    images = np.zeros((64, 6, BLANK), "float32")
    for image, text in zip(images, texts):
        image[np.sort(rng.permutation(3)[:2]) * 2, text] = 1.0
    labels = keras.Input((2,))
    read = keras.Input((6, BLANK))
    written = keras.layers.Dense(BLANK + 1, activation="softmax")(keras.layers.Conv1D(16, 3, padding="same")(read))
    costs = keras.layers.Lambda(lambda given: K.ctc_batch_cost(
        *given, 0.0 * given[0][:, :1] + 6.0, 0.0 * given[0][:, :1] + 2.0))([labels, written])
    model = keras.Model([labels, read], costs)
    model.compile(keras.optimizers.Adam(0.05), lambda _, cost: cost)
    losses = model.fit([texts, images], np.zeros((64, 1)), batch_size=32, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
    (found,), _ = K.ctc_decode(keras.Model(read, written).predict(images), np.full(64, 6))
    assert (K.eval(found)[:, :2] == texts).mean() > 0.95
