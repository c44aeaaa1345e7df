"""The self-test of a device: a small network on it, compared with the same in NumPy.

It covers the forward pass, gradients, and BatchNormalization, whose gradient PlaidML computes
wrongly by itself. A fault that shows here would otherwise show after hours of training.
"""

import os


import numpy as np

from plaidkeras.device import DeviceError

TOLERANCE = 2e-3  # relative to the largest value; float32 on a GPU stays ten times below
EPSILON = 1e-3    # BatchNormalization's


def check() -> None:
    """Run the self-test on the installed device. Raises DeviceError, naming what is wrong.

    Takes a second or two, mostly for compiling. Call plaidkeras.install() before it.
    """
    for what, error in errors().items():
        if not error < TOLERANCE:  # NaN is not
            raise DeviceError(
                f"{os.environ['PLAIDML_DEVICE_IDS']}: self-test failed: {what} is off by "
                f"{error:.2g} of its largest value, where float32 allows {TOLERANCE:g}. Update the "
                "device's driver, or choose another device with --device (llvm_cpu.0 is the CPU)")


def errors(rows: int = 8) -> dict[str, float]:
    """For each part of the network, the largest difference to NumPy, relative to the largest value.

    `rows` is the number of images.
    """
    import keras.backend as K

    random = np.random.RandomState(0)
    images = random.normal(size=(rows, 6, 6, 2))
    kernel, gamma, beta = random.normal(size=(3, 3, 2, 4)), random.rand(4) + 0.5, random.rand(4)
    dense, targets = random.normal(size=(4 * 4 * 4, 10)), np.eye(10)[random.randint(0, 10, rows)]
    x, w, g, b, d = [K.variable(array) for array in (images, kernel, gamma, beta, dense)]
    y = K.variable(targets)

    convolved = K.relu(K.conv2d(x, w))
    normalized, _, _ = K.normalize_batch_in_training(convolved, g, b, [0, 1, 2], EPSILON)
    probabilities = K.softmax(K.dot(K.reshape(normalized, (rows, 64)), d))
    loss = K.mean(K.categorical_crossentropy(y, probabilities))
    computed = K.function([], [convolved, normalized, probabilities, loss,
                               *K.gradients(loss, [d, b, g, w])])([])
    expected = _in_numpy(images, kernel, gamma, beta, dense, targets)
    return {name: float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12))
            for (name, theirs), ours in zip(expected.items(), computed)}


def _in_numpy(images, kernel, gamma, beta, dense, targets) -> dict[str, np.ndarray]:
    """The same in float64, each gradient written out."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    convolved = np.einsum("nijcab,abcd->nijd", windows, kernel).clip(0)
    axes = (0, 1, 2)
    deviation = np.sqrt(convolved.var(axes) + EPSILON)
    whitened = (convolved - convolved.mean(axes)) / deviation
    normalized = whitened * gamma + beta
    flat = normalized.reshape(len(images), 64)
    powers = np.exp(flat @ dense - (flat @ dense).max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    loss = -np.log((probabilities * targets).sum(axis=1)).mean()

    to_logits = (probabilities - targets) / len(images)
    to_normalized = (to_logits @ dense.T).reshape(normalized.shape)
    to_whitened = to_normalized * gamma
    to_convolved = (to_whitened - to_whitened.mean(axes)
                    - whitened * (to_whitened * whitened).mean(axes)) / deviation
    to_kernel = np.einsum("nijcab,nijd->abcd", windows, to_convolved * (convolved > 0))
    return {"the convolution": convolved, "BatchNormalization": normalized,
            "the softmax": probabilities, "the cross-entropy": loss,
            "the gradient of a dense layer": flat.T @ to_logits,
            "the gradient of BatchNormalization's shift": to_normalized.sum(axes),
            "the gradient of BatchNormalization's scale": (to_normalized * whitened).sum(axes),
            "the gradient of a convolution before BatchNormalization": to_kernel}
