"""The training: the curves of both fits, the epochs, the device and the time."""

from dataclasses import astuple, fields
from typing import List

from digits.run import Epoch
from report.figures import charts
from report.text import formats
from report.contexts import Fit, TrainingContext
from report.text.facts import best_epoch
from report.pages import shared as parts
from report.pages.study import Study
from report.output.bundle import Bundle


def context(study: Study, bundle: Bundle) -> TrainingContext:
    record, recipe = study.run.record, study.run.record.recipe
    fits = [_fit(study, "The first fit", "fit", study.fit, len(study.fit_labels), judges=True)]
    if study.refit:
        rows = int(record.data.train_rows * (1 - recipe.refit_validation_fraction))
        fits.append(_fit(study, "The refit on all rows", "refit", study.refit, rows, judges=False))
    return TrainingContext(
        fits=fits, device=record.device, started=record.started,
        settings=[("Batch size", formats.plural(recipe.batch_size, "image")),
                  ("Rows held back", formats.percent(recipe.validation_fraction, 0)),
                  ("Seed of the weights", str(recipe.seed)),
                  ("Seed of the split", str(recipe.split_seed))],
        versions=sorted(record.versions.items()),
        downloads=parts.downloads(bundle, "history", "every epoch of both fits",
                                  [field.name for field in fields(Epoch)],
                                  [astuple(epoch) for epoch in study.run.history]))


def _fit(study: Study, title: str, stage: str, epochs: List[Epoch], rows: int, judges: bool) -> Fit:
    best, draw = best_epoch(epochs), study.drawings.svg
    numbers = [epoch.epoch for epoch in epochs]
    seconds = sum(epoch.seconds for epoch in epochs)
    return Fit(
        title, stage, epochs, best, seconds, rows, rows * len(epochs) / seconds,
        draw(charts.curves, f"{stage}-loss", f"Line chart of the loss over {len(epochs)} epochs; the "
             f"validation loss is lowest, {best.val_loss:.4f}, in epoch {best.epoch}.",
             numbers, [epoch.loss for epoch in epochs], [epoch.val_loss for epoch in epochs],
             best.epoch, False),
        draw(charts.curves, f"{stage}-accuracy", f"Line chart of the accuracy over {len(epochs)} "
             f"epochs; validation accuracy ends at {formats.percent(epochs[-1].val_acc)}.",
             numbers, [epoch.acc for epoch in epochs], [epoch.val_acc for epoch in epochs],
             best.epoch, True),
        judges)
