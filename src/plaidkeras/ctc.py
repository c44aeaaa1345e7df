"""Connectionist temporal classification (Graves et al., 2006), of which PlaidML has none.

It learns to read texts from outputs (n, steps, classes) without being told at which step each letter
is; the last class is the blank between letters.
"""

import keras.backend as K
import numpy as np

IMPOSSIBLE = -1e30  # a logarithm whose exponential is 0, with room for sums of many


def ctc_batch_cost(y_true, y_pred, input_length, label_length):
    """The negative logarithm of the probability of each text: (n, 1).

    y_true (n, letters) are numbers of classes, of which the first label_length (n, 1) count; y_pred
    (n, steps, classes) probabilities, of which the first input_length (n, 1) steps do. A text that needs
    more steps than there are costs about 1e30.
    """
    *_, steps, classes = y_pred.shape.dims
    likely = K.log(y_pred + K.epsilon())
    likely -= K.expand_dims(K.logsumexp(likely, -1))
    letters = K.one_hot(K.cast(y_true, "int32"), classes)
    blank = 0.0 * letters + np.eye(classes, dtype=K.floatx())[-1]
    # Blanks stand before, between and after the letters, and each may be passed over.
    spelt = K.reshape(K.stack([blank, letters], 2), (-1, 2 * y_true.shape.dims[1], classes))
    spelt = K.concatenate([spelt, blank[:, :1]], 1)
    places = spelt.shape.dims[1]
    likely = K.batch_dot(likely, spelt, (2, 2))  # (n, steps, places)

    # One goes on from the place before, or past a blank from a letter to another letter.
    alike = K.sum(spelt[:, 2:] * spelt[:, :-2], -1)
    never = 0.0 * spelt[:, :1, 0] + IMPOSSIBLE
    past_blank = K.concatenate([never, never, IMPOSSIBLE * alike], 1)

    def step(likely_now, states):
        (before,) = states
        from_last = K.concatenate([never, before[:, :-1]], 1)
        from_letter = past_blank + K.concatenate([never, never, before[:, :-2]], 1)
        reached = likely_now + K.logsumexp(K.stack([before, from_last, from_letter], -1), -1)
        return reached, [reached]

    start = K.concatenate([0.0 * never, *[never] * (places - 1)], 1)
    counts = _float(K.arange(steps) < K.cast(input_length, "int32"))
    reached, _, _ = K.rnn(step, likely, [start], mask=counts)
    end = 2 * K.cast(K.flatten(label_length), "int32")
    is_end = K.one_hot(end, places) + K.one_hot(end - 1, places)
    return -K.logsumexp(reached + IMPOSSIBLE * (1.0 - is_end), -1, keepdims=True)


def ctc_decode(y_pred, input_length, greedy=True, beam_width=100, top_paths=1):
    """([the texts (n, steps)], the negative logarithms of their probabilities (n, 1)), of the likeliest class
    of each step. Texts are filled up with -1. Raises NotImplementedError for a beam search.
    """
    if not greedy:
        raise NotImplementedError("plaidkeras decodes with greedy=True only, without a search among beams")
    y_pred, input_length = (value if K.is_tensor(value) else K.variable(value)
                            for value in (y_pred, input_length))
    *_, steps, classes = y_pred.shape.dims
    counts = _float(K.arange(steps) < K.expand_dims(K.cast(input_length, "int32")))
    best = K.argmax(y_pred, -1)
    is_first = K.concatenate([0.0 * counts[:, :1] + 1.0, _float(K.not_equal(best[:, 1:], best[:, :-1]))], 1)
    is_letter = counts * is_first * _float(best < classes - 1)
    place = K.cast(K.cumsum(is_letter, 1) - 1.0, "int32")
    written = K.one_hot(place, steps) * K.expand_dims(is_letter)  # (n, steps, places)
    texts = K.sum(written * K.expand_dims(_float(best) + 1.0), 1) - 1.0
    cost = -K.sum(counts * K.log(K.max(y_pred, -1) + K.epsilon()), 1, keepdims=True)
    return [K.cast(texts, "int64")], cost


def _float(x):
    return K.cast(x, K.floatx())


REPLACEMENTS = ctc_batch_cost, ctc_decode
