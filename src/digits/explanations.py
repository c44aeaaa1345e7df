"""Why a digit was misclassified, asked of the network that did it: its nearest training digits, and what
happens when a part of it is covered. And of every validation digit how typical it is.

Keras is imported at once: call plaidkeras.install() before this module is imported.
"""

import numpy as np
from keras.models import Model

from digits.batches import predict
from digits.run import Explanations

MAX_EXPLAINED, NEAREST = 64, 5  # the most confident mistakes; a network that learned nothing has thousands
COVER, STRIDE = 6, 2  # pixels: the side of the square that covers, and how far it moves
PAPER = 0
PLACES = range(1 - COVER // 2, 28 - COVER // 2, STRIDE)  # of its first row: its middle is that of two pixels


def hidden_activations(model, images: np.ndarray, batch_size: int) -> np.ndarray:
    """float32 (n, units): the last layer before the softmax, of uint8 images (n, 28, 28)."""
    return predict(Model(model.input, model.layers[-2].output), images, batch_size)


def explain(model, images: np.ndarray, labels: np.ndarray, training_rows: np.ndarray, validation_rows: np.ndarray,
            probabilities: np.ndarray, hidden: np.ndarray, batch_size: int) -> Explanations:
    """images, labels: all labelled ones. probabilities (n, 10), hidden (n, units): of the validation rows.

    Near is what has a small cosine distance in the hidden activations, and typical what is near to ten
    training rows (Kuan and Mueller 2022, cleanlab's OutOfDistribution).
    """
    from cleanlab.outlier import OutOfDistribution

    known = hidden_activations(model, images[training_rows], batch_size)
    judge = OutOfDistribution({"k": min(10, max(1, len(known) - 1))})
    judge.fit(features=known, verbose=False)
    distances, nearest = judge.params["knn"].kneighbors(hidden)

    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels[validation_rows])
    wrong = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:MAX_EXPLAINED]
    shown = training_rows[nearest[wrong, :NEAREST]]
    asked = np.stack([labels[validation_rows[wrong]], probabilities[wrong].argmax(axis=1)], axis=1)
    return Explanations(
        validation_rows=validation_rows, typicality=judge.score(features=hidden).astype(np.float32),
        nearest_rows=training_rows[nearest[:, 0]], nearest_distances=distances[:, 0].astype(np.float32),
        rows=validation_rows[wrong], neighbour_rows=shown, neighbour_images=images[shown],
        occlusion=occlusion(model, images[validation_rows[wrong]], asked, batch_size))


def occlusion(model, images: np.ndarray, labels: np.ndarray, batch_size: int) -> np.ndarray:
    """float32 (n, k, places, places): the probability of each of an image's labels (n, k) when a square of
    paper covers it, after Zeiler and Fergus (2014), section 4.2."""
    covered = np.repeat(images, len(PLACES) ** 2, axis=0)
    squares = [(row, column) for row in PLACES for column in PLACES]
    for image, (row, column) in zip(covered, squares * len(images)):
        image[max(row, 0):row + COVER, max(column, 0):column + COVER] = PAPER
    found = predict(model, covered, batch_size).reshape(len(images), len(PLACES), len(PLACES), 10)
    return found[np.arange(len(images))[:, None], :, :, labels]
