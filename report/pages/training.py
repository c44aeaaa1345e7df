"""The training: learning curves of the fit and the refit, the networks, the devices and the time."""

from dataclasses import dataclass

from markupsafe import Markup

from digits.evaluation import Evaluation, evaluate
from digits.run import FIT, REFIT, Epoch, Member
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.shared import Download, downloads
from report.pages.study import Study
from report.text import formats


@dataclass(frozen=True)
class Stage:
    """The fit or the refit: its learning curves and the figures of every epoch, both the mean over the
    networks. `seconds` is for all networks together, `images_a_second` for one. Of each network: how many
    `rows` it learned from, on how many it was validated, and how many of these it had `seen` before."""

    name: str
    epochs: list[Epoch]
    best: Epoch
    seconds: float
    rows: list[int]
    validation_rows: list[int]
    seen: list[int]
    images_a_second: float
    loss: Markup
    accuracy: Markup
    learning_rate: Markup | None


@dataclass(frozen=True)
class Context:
    """`networks`, where there are several: each and how good it is by itself."""

    stages: list[Stage]
    networks: list[tuple[Member, Evaluation]]
    downloads: list[Download]


def context(study: Study, bundle: Bundle) -> Context:
    members = study.members
    lines = [(member.record.name, epoch) for member in members for epoch in member.history]
    return Context(
        [_stage(study, stage) for stage in (FIT, REFIT) if study.mean_epochs(stage)],
        [(member, evaluate(study.run, [member])) for member in members if len(members) > 1],
        downloads(bundle, "history", "every epoch of every network", {
            "network": [name for name, _ in lines],
            **{field: [getattr(epoch, field) for _, epoch in lines] for field in Epoch.model_fields}}))


def _stage(study: Study, stage: str) -> Stage:
    epochs, draw = study.mean_epochs(stage), study.drawings.svg
    best, last = study.best_epoch(stage), epochs[-1]
    rates = [epoch.learning_rate for epoch in epochs]
    of_members = [found for member in study.members if (found := member.epochs(stage))]
    parts = [member.rows for member in study.members]
    rows = [len(part.training if stage == FIT else part.refit_training) for part in parts]
    validation = [len(part.validation if stage == FIT else part.refit_validation) for part in parts]
    seen = [0 if stage == FIT else len(part.refit_validation) - len(part.unseen_by_both) for part in parts]
    images = sum(count * len(member.epochs(stage)) for count, member in zip(rows, study.members))
    mean = f", the mean of {len(of_members)} networks" if len(of_members) > 1 else ""

    def curves(measure: str, label: str) -> Markup:
        training, validation = ([[getattr(epoch, name) for epoch in found] for found in (epochs, *of_members)]
                                for name in (measure, f"val_{measure}"))
        name = f"{stage}-{'accuracy' if measure == 'acc' else measure}"
        return draw(charts.curves, name, label, training[1:], validation[1:], training[0], validation[0],
                    best.epoch, measure == "acc")

    return Stage(
        stage, epochs, best, study.seconds(stage), rows, validation, seen, images / study.seconds(stage),
        curves("loss", f"Line chart of the loss over {len(epochs)} epochs{mean}; the validation loss is "
                       f"lowest, {best.val_loss:.4f}, in epoch {best.epoch}."),
        curves("acc", f"Line chart of the accuracy over {len(epochs)} epochs{mean}; the validation accuracy "
                      f"ends at {formats.percent(last.val_acc)}."),
        draw(charts.learning_rate, f"{stage}-rate", f"Line chart of the learning rate: {max(rates):.2g} at "
             f"most, {rates[-1]:.2g} at the end.", rates) if len(set(rates)) > 1 else None)
