"""PyTorch as a reference: at float64, and at float32 as a peer."""

import numpy as np


def torch():
    """The module, for tests marked `needs("torch")`."""
    import torch
    return torch


def tensor(array, differentiable=True, dtype="float64"):
    return torch().tensor(np.array(array, dtype=dtype), requires_grad=differentiable)


FEWEST = 2.0 ** -22  # errors that a float32 may have by luck, of a length


def as_exact_as_torch(ours, peers, truths, names):
    """Whether gradients, each a list of arrays for each of several draws of weights and inputs, are
    at most twice as far from those at float64 as PyTorch's at float32: all as one, and each.

    The median of the draws counts: a relu or max pool that decides otherwise for a number near its
    edge makes single ones. Gradients that are zero but for rounding have no relative error.
    """
    def errors(found, which):
        return np.median([relative(np.concatenate([each.ravel() for each in a[which]]),
                                   np.concatenate([each.ravel() for each in b[which]]))
                          for a, b in zip(found, truths)])

    whole = np.median([np.linalg.norm([np.linalg.norm(each) for each in truth]) for truth in truths])
    parts = {"all": slice(None)} | {
        name: slice(i, i + 1) for i, name in enumerate(names)
        if np.median([np.linalg.norm(truth[i]) for truth in truths]) > 1e-6 * whole}
    table = {name: (errors(ours, which), errors(peers, which)) for name, which in parts.items()}
    assert {name: f"{own:.1e}, PyTorch's {peer:.1e}" for name, (own, peer) in table.items()
            if not own <= 2 * peer + FEWEST} == {}


def relative(found, expected):
    """The length of the error as a part of the length."""
    return np.linalg.norm(found.astype("float64") - expected) / np.linalg.norm(expected)


def close(found, expected, what, tolerance=2e-5):
    """Whether two arrays agree but for a part of the largest value."""
    expected = expected.detach().numpy() if hasattr(expected, "detach") else np.asarray(expected)
    assert found.shape == expected.shape, what
    scale = max(np.abs(expected).max(), 1e-3) if expected.size else 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=what)


# Channels go first in PyTorch, and stay last in Keras.

def first(x):
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def padded_to_same(x, window, strides, dilation=None, value=0.0):
    """x (n, c, *spatial), padded as TensorFlow does: the odd element goes behind."""
    amounts, dilation = [], dilation or (1,) * len(window)
    for size, wide, stride, rate in zip(x.shape[2:], window, strides, dilation):
        reach = (wide - 1) * rate + 1
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
        amounts.append((total // 2, total - total // 2))
    innermost_first = [amount for pair in reversed(amounts) for amount in pair]
    return torch().nn.functional.pad(x, innermost_first, value=value)


def convolved(x, weights, strides, padding="valid", dilation=None, groups=1):
    """A convolution of x (n, c, *spatial) with weights in Keras' order (*window, c, d)."""
    rank = x.ndim - 2
    strides, dilation = strides or (1,) * rank, dilation or (1,) * rank
    window = weights.shape[:rank]
    if padding == "same":
        x = padded_to_same(x, window, strides, dilation)
    elif padding == "causal":
        x = torch().nn.functional.pad(x, [dilation[0] * (window[0] - 1), 0])
    function = getattr(torch().nn.functional, f"conv{rank}d")
    weights = weights.movedim((-1, -2), (0, 1)).contiguous()
    return function(x, weights, stride=strides, dilation=dilation, groups=groups)


def depthwise_convolved(x, weights, strides, padding="valid", dilation=None):
    """Each channel of x (n, c, *spatial) by itself, with weights (*window, c, multiplier)."""
    channels = weights.shape[-2]
    of_groups = weights.reshape(*weights.shape[:-2], 1, -1)
    return convolved(x, of_groups, strides, padding, dilation, groups=channels)


def transposed_convolved(x, weights, strides, padding="valid"):
    """A transposed convolution of x (n, c, *spatial) with weights (*window, d, c)."""
    rank = x.ndim - 2
    function = getattr(torch().nn.functional, f"conv_transpose{rank}d")
    y = function(x, weights.movedim((-1, -2), (0, 1)), stride=strides)
    for axis, (size, wide, stride) in enumerate(zip(x.shape[2:], weights.shape, strides), 2):
        overlap = max(0, wide - stride)
        before, length = (overlap // 2, size * stride) if padding == "same" else (
            0, size * stride + overlap)
        missing = max(0, length - y.shape[axis])
        y = torch().nn.functional.pad(y, [0, 0] * (y.ndim - 1 - axis) + [0, missing])
        y = y.narrow(axis, before, length)
    return y


def pooled(x, mode, window, strides=None, padding="valid"):
    """The max or mean of each window of x (n, c, *spatial), of what is not padding."""
    functional, strides = torch().nn.functional, tuple(strides or window)
    rank = x.ndim - 2
    if mode == "max":
        if padding == "same":
            x = padded_to_same(x, window, strides, value=-np.inf)
        return getattr(functional, f"max_pool{rank}d")(x, window, strides)
    ones = torch().ones_like(x)
    if padding == "same":
        x, ones = (padded_to_same(values, window, strides) for values in (x, ones))
    mean = getattr(functional, f"avg_pool{rank}d")
    return mean(x, window, strides) / mean(ones, window, strides)


def normalized(x, axis, gamma=None, beta=None, epsilon=1e-3, moments=None):
    """x normalized over all axes but one; of given moments (mean, variance) where there are."""
    if x.dtype == torch().float32 and not moments:  # a peer does it as PyTorch does
        return torch().nn.functional.batch_norm(
            x.movedim(axis, 1), None, None, gamma, beta, True, eps=epsilon).movedim(1, axis)
    axes = [i for i in range(x.ndim) if i != axis % x.ndim]
    shape = [size if i == axis % x.ndim else 1 for i, size in enumerate(x.shape)]
    mean, variance = moments or (x.mean(axes), x.var(axes, unbiased=False))
    x = (x - mean.reshape(shape)) / (variance.reshape(shape) + epsilon).sqrt()
    x = x if gamma is None else x * gamma.reshape(shape)
    return x if beta is None else x + beta.reshape(shape)
