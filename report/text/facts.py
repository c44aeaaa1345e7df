"""The figures of a run that a note may name, each written as it shall appear."""

from dataclasses import dataclass, field

import numpy as np

from report.text import formats
from report.pages.study import Study


def _fact(about: str):
    return field(metadata={"about": about})


@dataclass(frozen=True)
class Facts:
    """All of them are text. `python -m report notes --names` lists them."""

    source: str = _fact('which data: "kaggle" or "sample"')
    train_rows: str = _fact("labelled rows")
    test_rows: str = _fact("rows without labels, which the submission answers")
    fit_rows: str = _fact("labelled rows that the first fit learned from")
    validation_rows: str = _fact("labelled rows held back to judge the first fit")
    validation_share: str = _fact("the part of the labelled rows held back")
    accuracy: str = _fact("accuracy on the validation rows")
    errors: str = _fact("mistakes on the validation rows")
    mistakes: str = _fact('the same with its noun: "1 mistake", "22 mistakes"')
    low: str = _fact("lower end of the accuracy's 95% interval (Wilson)")
    high: str = _fact("upper end of the accuracy's 95% interval (Wilson)")
    most_confused: str = _fact('the most frequent confusion: "4 read as 9 (3 times)"')
    hardest: str = _fact("the digit that is most often misread")
    sure_mistakes: str = _fact('mistakes made with a probability above 90%: "3 mistakes"')
    layers: str = _fact("layers of the network")
    parameters: str = _fact("parameters of the network")
    trainable_parameters: str = _fact("those that training changes")
    largest_layer: str = _fact("the layer with the most parameters")
    largest_share: str = _fact("its share of all parameters")
    multiply_adds: str = _fact("multiplications that reading one digit costs, in millions")
    epochs: str = _fact("epochs of the first fit")
    refit_epochs: str = _fact("epochs of the refit on all labelled rows")
    batch_size: str = _fact("images a batch")
    best_epoch: str = _fact("epoch of the first fit with the lowest validation loss")
    best_loss: str = _fact("its validation loss")
    best_accuracy: str = _fact("its validation accuracy")
    refit_accuracy: str = _fact("validation accuracy at the end of the refit: no estimate")
    time: str = _fact("time of all epochs")
    fit_time: str = _fact("time of the first fit's epochs")
    refit_time: str = _fact("time of the refit's epochs")
    device: str = _fact("PlaidML's name of the device")
    device_description: str = _fact("what the device is")


def facts(study: Study) -> Facts:
    """Every fact of one run, formatted."""
    record, judged, layers = study.run.record, study.evaluation, study.run.layers
    best = best_epoch(study.fit)
    recall = [(score.recall, score.label) for score in judged.classes if score.recall is not None]
    largest = max(layers, key=lambda layer: layer.parameters)
    most = judged.pairs[0] if judged.pairs else None
    sure = int(np.sum(judged.confidence[judged.mistakes] > 0.9))
    return Facts(
        source=record.data.source,
        train_rows=formats.number(record.data.train_rows),
        test_rows=formats.number(record.data.test_rows),
        fit_rows=formats.number(record.data.train_rows - judged.count),
        validation_rows=formats.number(judged.count),
        validation_share=formats.percent(judged.count / record.data.train_rows, 0),
        accuracy=formats.percent(judged.accuracy),
        errors=formats.number(judged.errors),
        mistakes=formats.plural(judged.errors, "mistake"),
        low=formats.percent(judged.interval[0]),
        high=formats.percent(judged.interval[1]),
        most_confused=(f"{most.true} read as {most.predicted} "
                       f"({formats.plural(most.count, 'time')})" if most else "none"),
        hardest=str(min(recall)[1]),
        sure_mistakes=formats.plural(sure, "mistake"),
        layers=formats.number(len(layers)),
        parameters=formats.number(study.parameters),
        trainable_parameters=formats.number(study.trainable_parameters),
        largest_layer=largest.name,
        largest_share=formats.percent(largest.parameters / study.parameters, 0),
        multiply_adds=f"{sum(layer.multiply_adds for layer in layers) / 1e6:.1f}",
        epochs=formats.number(len(study.fit)),
        refit_epochs=formats.number(len(study.refit)),
        batch_size=formats.number(record.recipe.batch_size),
        best_epoch=str(best.epoch),
        best_loss=formats.decimal(best.val_loss),
        best_accuracy=formats.percent(best.val_acc),
        refit_accuracy=formats.percent(study.refit[-1].val_acc) if study.refit else "none",
        time=formats.duration(study.seconds),
        fit_time=formats.duration(sum(epoch.seconds for epoch in study.fit)),
        refit_time=formats.duration(sum(epoch.seconds for epoch in study.refit)),
        device=record.device.id,
        device_description=record.device.description)


def best_epoch(epochs):
    """The epoch with the lowest validation loss."""
    return min(epochs, key=lambda epoch: epoch.val_loss)
