"""The figures of a run that a note may name, each written as it shall appear."""

from dataclasses import dataclass, field

import numpy as np

from digits.run import FIT, REFIT
from report.pages.study import Study, best_epoch
from report.text import formats
from report.text.promise import in_words, refit_rows


def _fact(about: str):
    return field(metadata={"about": about})


@dataclass(frozen=True)
class Facts:
    """All of them are text. `python -m report notes --names` lists them."""

    source: str = _fact('which data: "kaggle" or "sample"')
    train_rows: str = _fact("labelled rows")
    test_rows: str = _fact("rows without labels, which the submission labels")
    fit_rows: str = _fact("rows that a network learned from in the fit")
    validation_rows: str = _fact("rows on which the networks were judged, which they had not learned from")
    validation_share: str = _fact("their share of the labelled rows")
    networks: str = _fact("networks that were trained")
    folds: str = _fact('folds of the labelled rows, "0" for a hold-out')
    recipe: str = _fact("name of the recipe")
    accuracy: str = _fact("accuracy on the validation rows")
    errors: str = _fact("misclassified validation rows")
    misclassified: str = _fact('the same with its noun: "1 misclassified digit", "22 misclassified digits"')
    low: str = _fact("lower end of the accuracy's 95% interval (Wilson)")
    high: str = _fact("upper end of the accuracy's 95% interval (Wilson)")
    promise: str = _fact("which networks were judged and which made the submission")
    refit_verdict: str = _fact("what the refit did to the network, empty without one")
    expected_score: str = _fact("where the submission's score is expected")
    expected: str = _fact("the accuracy that comes nearest to the submission's score")
    expected_low: str = _fact("lower end of the submission's expected score (95%)")
    expected_high: str = _fact("upper end of the submission's expected score (95%)")
    most_confused: str = _fact('the most frequent confusion: "4 predicted to be 9 (3 times)"')
    hardest: str = _fact("the digit with the lowest recall")
    confident_errors: str = _fact('misclassified with a confidence above 90%: "3 digits"')
    layers: str = _fact("layers of the network")
    parameters: str = _fact("parameters of the network")
    trainable_parameters: str = _fact("those that training changes")
    largest_layer: str = _fact("the layer with the most parameters")
    largest_share: str = _fact("its share of all parameters")
    multiply_adds: str = _fact("multiply-adds for one digit, in millions")
    epochs: str = _fact("epochs of the fit")
    refit_epochs: str = _fact("epochs of the refit")
    refit_rows: str = _fact("rows that the refit learned from")
    batch_size: str = _fact("images a batch")
    best_epoch: str = _fact("epoch of the fit with the lowest validation loss")
    best_loss: str = _fact("its validation loss")
    best_accuracy: str = _fact("its validation accuracy")
    refit_accuracy: str = _fact("validation accuracy at the end of the refit: no estimate")
    time: str = _fact("time of all epochs")
    fit_time: str = _fact("time of the fit's epochs")
    refit_time: str = _fact("time of the refit's epochs")
    device: str = _fact("PlaidML's name of the device")
    device_description: str = _fact("what the device is")


def facts(study: Study) -> Facts:
    """Every fact of one run, formatted."""
    record, judged, layers = study.run.record, study.evaluation, study.run.layers
    fit, refit = study.mean_epochs(FIT), study.mean_epochs(REFIT)
    best, told = best_epoch(fit), in_words(study)
    low, high = study.promise.expected.interval_of_score(record.data.test_rows)
    recall = [(score.recall, score.label) for score in judged.classes if score.recall is not None]
    largest = max(layers, key=lambda layer: layer.parameters)
    most = judged.confusions[0] if judged.confusions else None
    sure = int(np.sum(judged.confidence[judged.misclassified] > 0.9))

    def time_of(*stages):
        return formats.duration(sum(epoch.seconds for member in study.members for epoch in member.history
                                    if epoch.stage in stages))

    return Facts(
        source=record.data.source,
        train_rows=formats.number(record.data.train_rows),
        test_rows=formats.number(record.data.test_rows),
        fit_rows=formats.span([len(member.rows.training) for member in study.members]),
        validation_rows=formats.number(judged.count),
        validation_share=formats.percent(judged.count / record.data.train_rows, 0),
        networks=formats.number(len(study.members)),
        folds=str(study.folds),
        recipe=record.recipe.name,
        accuracy=formats.percent(judged.accuracy),
        errors=formats.number(judged.errors),
        misclassified=formats.plural(judged.errors, "misclassified digit"),
        low=formats.percent(judged.interval[0]),
        high=formats.percent(judged.interval[1]),
        promise=told.relation,
        refit_verdict=told.refit_verdict,
        expected_score=told.expected_score,
        expected=formats.percent(study.promise.expected.accuracy),
        expected_low=formats.percent(low),
        expected_high=formats.percent(high),
        most_confused=(f"{most.true} predicted to be {most.predicted} "
                       f"({formats.plural(most.count, 'time')})" if most else "none"),
        hardest=str(min(recall)[1]),
        confident_errors=formats.plural(sure, "digit"),
        layers=formats.number(len(layers)),
        parameters=formats.number(study.parameters),
        trainable_parameters=formats.number(study.trainable_parameters),
        largest_layer=largest.name,
        largest_share=formats.percent(largest.parameters / study.parameters, 0),
        multiply_adds=f"{sum(layer.multiply_adds for layer in layers) / 1e6:.1f}",
        epochs=formats.number(len(fit)),
        refit_epochs=formats.number(len(refit)),
        refit_rows=refit_rows(study),
        batch_size=formats.number(record.recipe.batch_size),
        best_epoch=str(best.epoch),
        best_loss=formats.decimal(best.val_loss),
        best_accuracy=formats.percent(best.val_acc),
        refit_accuracy=formats.percent(refit[-1].val_acc) if refit else "none",
        time=time_of(FIT, REFIT),
        fit_time=time_of(FIT),
        refit_time=time_of(REFIT),
        device=", ".join(device.id for device in study.devices),
        device_description=", ".join(dict.fromkeys(device.description for device in study.devices)))
