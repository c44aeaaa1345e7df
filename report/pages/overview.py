"""The overview: how good, on what, how trained, what next."""

from dataclasses import dataclass

from report.output.bundle import Bundle
from report.pages.shared import Download, JudgedDigit, misclassified_digits, submission_download
from report.pages.study import Study
from report.text import formats

SHOWN = 12


@dataclass(frozen=True)
class Context:
    """`about` says in the words of schema.org, as JSON-LD, what the site is about."""

    most_confident: list[JudgedDigit]
    submission: Download
    about: dict


def context(study: Study, bundle: Bundle) -> Context:
    return Context(misclassified_digits(study, bundle, SHOWN), submission_download(study, bundle), _about(study))


def _about(study: Study) -> dict:
    rows = f"{study.data.train_rows} labelled images of handwritten digits, 28 x 28 pixels, and {study.data.test_rows}"
    data = {"@type": "Dataset", "description": f"{rows} without labels",
            "name": "The bundled sample of handwritten digits" if study.sample else "Digit Recognizer (MNIST)",
            **({} if study.sample else {"url": "https://www.kaggle.com/c/digit-recognizer"})}
    network = {"@type": "SoftwareApplication", "name": study.record.id, "applicationCategory": "Image classification",
               "operatingSystem": "any that runs Keras", "dateCreated": study.record.finished,
               "description": f"A convolutional network of {study.total('parameters')} parameters that reads "
                              f"handwritten digits; {formats.percent(study.evaluation.accuracy)} accuracy"}
    return {"@context": "https://schema.org", "@graph": [data, network]}
