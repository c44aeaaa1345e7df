"""What programs read of a run: its metrics as JSON, and a model card in Markdown with the metadata that
Hugging Face calls model-index (https://huggingface.co/docs/hub/model-cards)."""

import json
from dataclasses import asdict

from digits.evaluation import reliability
from report.pages.study import Study
from report.text import formats
from report.text.promise import expected_score, figure, relation


def metrics(study: Study) -> dict:
    """Shares are in 0..1; `score` is where the submission's is expected, 95 times in 100."""
    judged, expected = study.evaluation, study.promise.expected
    return {
        "run": study.record.id, "recipe": study.recipe.name, "data": study.data.source,
        "data_fingerprint": study.data.fingerprint,
        "validation": {"rows": judged.count, "misclassified": judged.errors, "accuracy": judged.accuracy,
                       "accuracy_interval_95": judged.interval, "cross_entropy": judged.loss,
                       "expected_calibration_error": reliability(judged)[1],
                       "classes": [asdict(score) for score in judged.classes]},
        "submission": {"relation": study.promise.kind, "rows": study.data.test_rows, "accuracy": expected.accuracy,
                       "score_interval_95": expected.interval_of_score(study.data.test_rows)},
        "training": {"networks": len(study.members), "parameters": study.total("parameters"),
                     "multiply_adds": study.total("multiply_adds"), "seconds": study.seconds()}}


def model_card(study: Study) -> str:
    judged, sample = study.evaluation, study.sample
    name = "the bundled sample (scikit-learn's digits)" if sample else "Kaggle's Digit Recognizer (MNIST)"
    index = {
        "library_name": "keras", "pipeline_tag": "image-classification", "datasets": [] if sample else ["mnist"],
        "tags": ["handwritten-digits", "plaidml", "keras"], "metrics": ["accuracy"],
        "model-index": [{"name": study.record.id, "results": [{
            "task": {"type": "image-classification", "name": "Image classification"},
            "dataset": {"type": "digits" if sample else "mnist", "name": name, "split": "validation"},
            "metrics": [{"type": "accuracy", "name": "Accuracy", "value": judged.accuracy},
                        {"type": "loss", "name": "Cross-entropy", "value": judged.loss}]}]}]}
    metadata = "\n".join(f"{key}: {json.dumps(value)}" for key, value in index.items())  # JSON is YAML too
    networks = formats.plural(len(study.members), "network")
    low, high = (formats.percent(end) for end in judged.interval)
    return f"""---
{metadata}
---

# {study.record.id}

Reads a handwritten digit: an image of 28 x 28 pixels in, ten probabilities out. {networks} of
{formats.number(study.total("parameters"))} parameters, trained with Keras on PlaidML
by the recipe `{study.recipe.name}`.

## Data

{name}: {formats.number(study.data.train_rows)} labelled digits.

## Evaluation

Accuracy {formats.percent(judged.accuracy)} {figure(study)}; the 95 % interval of the accuracy on the
{formats.number(judged.count)} judged digits is {low} to {high}. {relation(study)} {expected_score(study)}

## Use

Pixels from 0 (paper) to 255 (ink) are divided by 255, shape (n, 28, 28, 1); the digit is centred as MNIST's are.
`architecture.json` is Keras's description of the network, `weights.npz` its arrays by name, in the order of
`model.get_weights()`:

```python
model = keras.models.model_from_json(open("architecture.json").read())
model.set_weights([values.astype("float32") for values in numpy.load("weights.npz").values()])
```

## Limits

It knows nothing but single digits: whatever else it is shown, it takes for one. Writing unlike that of the data
(other pens, countries, scanners) is read worse than the figures say.
"""
