"""What the report looks at inside a trained network: activations, and the last hidden layer as a map."""

import numpy as np
from keras.models import Model

from digits.batches import network_input
from digits.run import CLASSES, Activations

MAX_EMBEDDED = 5_000  # t-SNE takes half a minute for these
NOTEBOOKS_DIGIT = 10  # the notebook looked at X_train[10]
WITHOUT_ACTIVATIONS = "Dropout", "Flatten"  # at prediction these pass on what they are given


def tsne_embedding(hidden: np.ndarray, validation_rows: np.ndarray) -> dict[str, np.ndarray]:
    """tsne_rows (k,) and tsne_embedding float32 (k, 2) of the first validation rows: rows near each
    other are alike to the last layer before the softmax, `hidden` (n, units). Fewer than four make no
    embedding."""
    from sklearn.manifold import TSNE

    rows, values = validation_rows[:MAX_EMBEDDED], hidden[:MAX_EMBEDDED]
    if len(rows) < 4:
        return {"tsne_rows": np.empty(0, int), "tsne_embedding": np.empty((0, 2), np.float32)}
    # Its perplexity, the number of neighbours that a point is held to, must stay below the rows.
    # Where all rows are alike there are no principal components, and scikit-learn would crash.
    init = "pca" if np.ptp(values, axis=0).any() else "random"
    tsne = TSNE(perplexity=min(30, (len(rows) - 1) / 3), init=init, learning_rate="auto", random_state=0)
    return {"tsne_rows": rows, "tsne_embedding": tsne.fit_transform(values)}


def activations(model, images: np.ndarray, labels: np.ndarray, training_rows: np.ndarray) -> Activations:
    """The notebook's digit and one of each other class, through every layer that computes."""
    training_labels = labels[training_rows]
    chosen = [min(NOTEBOOKS_DIGIT, len(training_rows) - 1)]
    for label in CLASSES:
        if label != training_labels[chosen[0]]:
            chosen += np.flatnonzero(training_labels == label)[:1].tolist()
    rows = training_rows[chosen]

    layers = [layer for layer in model.layers if type(layer).__name__ not in WITHOUT_ACTIVATIONS]
    every_output = Model(model.input, [layer.output for layer in layers])
    filled = np.resize(rows, -(-len(rows) // 8) * 8)
    outputs = every_output.predict_on_batch(network_input(images[filled]))
    return Activations(rows, labels[rows], images[rows], {
        layer.name: output[:len(rows)].astype(np.float16) for layer, output in zip(layers, outputs)})
