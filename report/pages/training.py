"""The training: the curves of both fits, the epochs, the device and the time."""

from typing import List

from digits.run import Epoch
from report import charts, formats
from report.contexts import Fit, TrainingContext
from report.facts import best_epoch
from report.pages import parts
from report.study import Study
from report.writer import Bundle


def context(study: Study, bundle: Bundle) -> TrainingContext:
    record, recipe = study.run.record, study.run.record.recipe
    fits = [_fit("The first fit", "fit", study.fit, judges=True)]
    if study.refit:
        fits.append(_fit("The refit on all rows", "refit", study.refit, judges=False))
    history = (study.run.folder / "history.csv").read_bytes()
    return TrainingContext(
        fits=fits, device=record.device, started=record.started,
        settings=[("Batch size", formats.plural(recipe.batch_size, "image")),
                  ("Rows held back", formats.percent(recipe.validation_fraction, 0)),
                  ("Seed of the weights", str(recipe.seed)),
                  ("Seed of the split", str(recipe.split_seed))],
        versions=sorted(record.versions.items()),
        downloads=[parts.download(bundle, "history.csv", history, "every epoch of both fits")])


def _fit(title: str, stage: str, epochs: List[Epoch], judges: bool) -> Fit:
    best = best_epoch(epochs)
    numbers = [epoch.epoch for epoch in epochs]
    return Fit(
        title, stage, epochs, best, sum(epoch.seconds for epoch in epochs),
        charts.curves(f"{stage}-loss", f"Line chart of the loss over {len(epochs)} epochs; the "
                      f"validation loss is lowest, {best.val_loss:.4f}, in epoch {best.epoch}.",
                      numbers, [epoch.loss for epoch in epochs],
                      [epoch.val_loss for epoch in epochs], best.epoch),
        charts.curves(f"{stage}-accuracy", f"Line chart of the accuracy over {len(epochs)} epochs; "
                      f"validation accuracy ends at {formats.percent(epochs[-1].val_acc)}.",
                      numbers, [epoch.acc for epoch in epochs],
                      [epoch.val_acc for epoch in epochs], best.epoch, percent=True),
        judges)
