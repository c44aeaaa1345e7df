"""The figures of a run that a note may name, each written as it shall appear."""

from collections.abc import Callable

import numpy as np

from digits.evaluation import Confusion
from digits.run import FIT, REFIT
from report.pages.study import Study
from report.text import promise
from report.text.formats import decimal, duration, number, percent, plural, span


def _score(study: Study, end: int) -> str:
    return percent(study.promise.expected.interval_of_score(study.data.test_rows)[end])


def _most_confused(confusions: list[Confusion]) -> str:
    """The first of the most frequent ones, and how many others are as frequent."""
    if not confusions:
        return "none"
    most = confusions[0]
    ties = sum(one.count == most.count for one in confusions) - 1
    as_often = f", as often as {plural(ties, 'other')}" if ties else ""
    return f"{most.true} predicted to be {most.predicted} ({plural(most.count, 'time')}{as_often})"


# By name: what it is, and the text of it. `python -m report notes --names` lists them.
FACTS: dict[str, tuple[str, Callable[[Study], str]]] = {
    "source": ('which data: "kaggle" or "sample"', lambda study: study.data.source),
    "train_rows": ("labelled rows", lambda study: number(study.data.train_rows)),
    "test_rows": ("rows without labels, which the submission labels", lambda study: number(study.data.test_rows)),
    "fit_rows": ("rows that a network learned from in the fit",
                 lambda study: span([len(member.rows.training) for member in study.members])),
    "validation_rows": ("rows on which the networks were judged, which they had not learned from",
                        lambda study: number(study.evaluation.count)),
    "validation_share": ("their share of the labelled rows",
                         lambda study: percent(study.evaluation.count / study.data.train_rows, 0)),
    "networks": ("networks that were trained", lambda study: number(len(study.members))),
    "folds": ('folds of the labelled rows, "0" for a hold-out', lambda study: str(study.recipe.validation.folds)),
    "recipe": ("name of the recipe", lambda study: study.recipe.name),
    "accuracy": ("accuracy on the validation rows", lambda study: percent(study.evaluation.accuracy)),
    "errors": ("misclassified validation rows", lambda study: number(study.evaluation.errors)),
    "misclassified": ('the same with its noun: "1 misclassified digit", "22 misclassified digits"',
                      lambda study: plural(study.evaluation.errors, "misclassified digit")),
    "low": ("lower end of the accuracy's 95% interval (Wilson)",
            lambda study: percent(study.evaluation.interval[0])),
    "high": ("upper end of the accuracy's 95% interval (Wilson)",
             lambda study: percent(study.evaluation.interval[1])),
    "promise": ("which networks were judged and which made the submission", promise.relation),
    "refit_verdict": ("what the refit did to the network, empty without one", promise.refit_verdict),
    "expected_score": ("where the submission's score is expected", promise.expected_score),
    "expected": ("the accuracy that comes nearest to the submission's score",
                 lambda study: percent(study.promise.expected.accuracy)),
    "expected_low": ("lower end of the submission's expected score (95%)", lambda study: _score(study, 0)),
    "expected_high": ("upper end of the submission's expected score (95%)", lambda study: _score(study, 1)),
    "most_confused": ('the most frequent confusion: "4 predicted to be 9 (3 times, as often as 1 other)"',
                      lambda study: _most_confused(study.evaluation.confusions)),
    "hardest": ('the digit with the lowest recall; of several "4 and the 9"',
                lambda study: " and the ".join(str(score.label) for score in study.evaluation.hardest)),
    "confident_errors": ('misclassified with a confidence above 90%: "3 digits"', lambda study: plural(
        int(np.sum(study.evaluation.confidence[study.evaluation.misclassified] > 0.9)), "digit")),
    "layers": ("layers of the network", lambda study: number(len(study.layers))),
    "parameters": ("parameters of the network", lambda study: number(study.total("parameters"))),
    "trainable_parameters": ("those that training changes",
                             lambda study: number(study.total("trainable_parameters"))),
    "largest_layer": ("the layer with the most parameters", lambda study: study.largest.name),
    "largest_share": ("its share of all parameters",
                      lambda study: percent(study.largest.parameters / study.total("parameters"), 0)),
    "multiply_adds": ("multiply-adds for one digit, in millions",
                      lambda study: f"{study.total('multiply_adds') / 1e6:.1f}"),
    "epochs": ("epochs of the fit", lambda study: number(len(study.mean_epochs(FIT)))),
    "refit_epochs": ("epochs of the refit", lambda study: number(len(study.mean_epochs(REFIT)))),
    "refit_rows": ("rows that the refit learned from", promise.refit_rows),
    "batch_size": ("images a batch", lambda study: number(study.recipe.batch_size)),
    "best_epoch": ("epoch of the fit with the lowest validation loss", lambda study: str(study.best_epoch().epoch)),
    "best_loss": ("its validation loss", lambda study: decimal(study.best_epoch().val_loss)),
    "best_accuracy": ("its validation accuracy", lambda study: percent(study.best_epoch().val_acc)),
    "refit_accuracy": ("validation accuracy at the end of the refit: no estimate", lambda study: next(
        (percent(last.val_acc) for last in study.mean_epochs(REFIT)[-1:]), "none")),
    "time": ("time of all epochs", lambda study: duration(study.seconds())),
    "fit_time": ("time of the fit's epochs", lambda study: duration(study.seconds(FIT))),
    "refit_time": ("time of the refit's epochs", lambda study: duration(study.seconds(REFIT))),
    "device": ("PlaidML's name of the device", lambda study: ", ".join(device.id for device in study.devices)),
    "device_description": ("what the device is", lambda study: ", ".join(
        dict.fromkeys(device.description for device in study.devices))),
}


def facts(study: Study) -> dict[str, str]:
    """Every fact of one run, by name."""
    return {name: write(study) for name, (_, write) in FACTS.items()}
