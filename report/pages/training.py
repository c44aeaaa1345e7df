"""The training: learning curves of the fit and the refit, the networks, the devices and the time."""

from dataclasses import dataclass

from markupsafe import Markup

from digits.evaluation import evaluate_member
from digits.run import FIT, REFIT, DeviceFacts, Epoch, Member
from report.figures import charts
from report.output.bundle import Bundle
from report.pages.shared import Download, downloads
from report.pages.study import Study, best_epoch
from report.text import formats
from report.text.promise import in_words


@dataclass(frozen=True)
class Stage:
    """The fit or the refit: its learning curves and the figures of every epoch, both the mean over the
    networks. `seconds` is for all networks together, `images_a_second` for one. `seen` is how many of
    the validation rows were learned from before."""

    anchor: str
    epochs: list[Epoch]
    best: Epoch
    seconds: float
    rows: str
    validation_rows: str
    seen: str
    images_a_second: float
    loss: Markup
    accuracy: Markup
    learning_rate: Markup | None


@dataclass(frozen=True)
class Network:
    """One of several networks: what it learned from and how good it is by itself."""

    name: str
    seed: int
    training: int
    validation: int
    accuracy: float
    loss: float
    best: Epoch
    seconds: float
    device: str


@dataclass(frozen=True)
class Context:
    """`averaged_epochs`: whose weights were averaged at the end of the fit, `views` of each image whose
    predictions were. `refit_verdict` is empty without a refit, `networks` where there is one."""

    stages: list[Stage]
    averaged_epochs: int
    views: int
    accuracy: float
    refit_verdict: str
    networks: list[Network]
    devices: list[DeviceFacts]
    started: str
    settings: list[tuple[str, str]]
    versions: list[tuple[str, str]]
    downloads: list[Download]


def context(study: Study, bundle: Bundle) -> Context:
    record, recipe = study.run.record, study.run.record.recipe
    return Context(
        stages=[_stage(study, stage) for stage in (FIT, REFIT) if study.mean_epochs(stage)],
        averaged_epochs=recipe.averaged_epochs(len(study.mean_epochs(FIT))), views=recipe.test_time_augmentation,
        accuracy=study.evaluation.accuracy, refit_verdict=in_words(study).refit_verdict,
        networks=[_network(study, member) for member in study.members] if len(study.members) > 1 else [],
        devices=study.devices, started=record.started,
        settings=[("Batch size", formats.plural(recipe.batch_size, "image")),
                  ("Optimizer", f"{recipe.optimizer.name}, learning rate {recipe.optimizer.learning_rate:g}"),
                  ("Learning-rate schedule", recipe.schedule.name),
                  ("Seed of the weights", " to ".join(map(str, sorted({
                      recipe.seed, recipe.seed + recipe.seeds - 1})))),
                  ("Seed of the split", str(recipe.validation.seed))],
        versions=sorted(record.versions.items()),
        downloads=downloads(bundle, "history", "every epoch of every network", _history(study)))


def _stage(study: Study, stage: str) -> Stage:
    epochs = study.mean_epochs(stage)
    best, last, draw = best_epoch(epochs), epochs[-1], study.drawings.svg
    of_members = [found for member in study.members if (found := member.epochs(stage))]
    rows = [len(member.rows.training if stage == FIT else member.rows.refit_training)
            for member in study.members]
    validation = [len(member.rows.validation if stage == FIT else member.rows.refit_validation)
                  for member in study.members]
    seen = [0 if stage == FIT else len(member.rows.refit_validation) - len(member.rows.unseen_by_both)
            for member in study.members]
    seconds = sum(epoch.seconds for found in of_members for epoch in found)
    images = sum(count * len(member.epochs(stage)) for count, member in zip(rows, study.members))
    mean = f", the mean of {len(of_members)} networks" if len(of_members) > 1 else ""

    def of(name: str) -> list[list[float]]:
        return [[getattr(epoch, name) for epoch in found] for found in of_members]

    rates = [epoch.learning_rate for epoch in epochs]
    return Stage(
        stage, epochs, best, seconds, formats.span(rows), formats.span(validation), formats.span(seen),
        images / seconds,
        draw(charts.curves, f"{stage}-loss", f"Line chart of the loss over {len(epochs)} epochs{mean}; the "
             f"validation loss is lowest, {best.val_loss:.4f}, in epoch {best.epoch}.",
             of("loss"), of("val_loss"), [epoch.loss for epoch in epochs],
             [epoch.val_loss for epoch in epochs], best.epoch, False),
        draw(charts.curves, f"{stage}-accuracy", f"Line chart of the accuracy over {len(epochs)} epochs{mean}; "
             f"the validation accuracy ends at {formats.percent(last.val_acc)}.",
             of("acc"), of("val_acc"), [epoch.acc for epoch in epochs],
             [epoch.val_acc for epoch in epochs], best.epoch, True),
        draw(charts.learning_rate, f"{stage}-rate", f"Line chart of the learning rate: {max(rates):.2g} at most, "
             f"{rates[-1]:.2g} at the end.", rates) if len(set(rates)) > 1 else None)


def _network(study: Study, member: Member) -> Network:
    judged, device = evaluate_member(study.run, member), member.record.device
    return Network(
        member.record.name, member.record.seed, len(member.rows.training), judged.count, judged.accuracy,
        judged.loss, best_epoch(member.epochs(FIT)), sum(epoch.seconds for epoch in member.history),
        f"{device.description} ({device.id})")


def _history(study: Study) -> dict[str, list]:
    lines = [(member.record.name, epoch) for member in study.members for epoch in member.history]
    return {"network": [name for name, _ in lines],
            **{field: [getattr(epoch, field) for _, epoch in lines] for field in Epoch.model_fields}}
