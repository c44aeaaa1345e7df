"""How to make this again: the recipe as it was run, the versions, and the commands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from digits.recipe import Recipe
from digits.recipes import NOTEBOOK, RECIPES
from report.output.bundle import Bundle
from report.pages.study import Study

_ABOUT = {
    "network": "the layers, see the model page",
    "epochs": "epochs of the fit, which is judged on rows that it has not seen",
    "batch_size": "images that the network sees before its weights change",
    "seed": "decides the first weights, dropout and the order of the rows",
    "seeds": "networks trained from as many seeds, whose mean is submitted",
    "optimizer.learning_rate": "at the peak of the schedule",
    "optimizer.weight_decay": "how far weights shrink, times the learning rate",
    "schedule.name": "how the learning rate changes from batch to batch",
    "schedule.warmup": "share of the batches in which it rises",
    "augmentation.rotation": "degrees, either way",
    "augmentation.zoom": "share of the size, either way",
    "augmentation.shift": "share of the size, either way",
    "augmentation.elastic": "pixels by which places are displaced smoothly",
    "validation.fraction": "share of the rows held out to judge the fit",
    "validation.folds": "folds, each judged by the network that did not learn from it",
    "validation.seed": "decides which rows are held out",
    "refit.epochs": "epochs of the second fit, on the first rows of the file",
    "refit.validation_fraction": "share of the rows, the last ones, that the refit validates on",
    "averaged_fraction": "share of the epochs, the last ones, whose weights are averaged",
    "test_time_augmentation": "views of each image whose predictions are averaged",
    "time_budget": "seconds that epochs and seeds were planned to fill",
    "epoch_seconds": "seconds that an epoch was planned to take; the number of epochs follows what they take",
}
_STAGES = {"fit": "Fit", "refit": "Refit", "predict": "Prediction of the test rows"}


@dataclass(frozen=True)
class Setting:
    """A number of the recipe: as it was run, and in the recipe of that name."""

    name: str
    value: str
    named: str
    about: str


@dataclass(frozen=True)
class Place:
    """A device, which networks were trained on it, and how long the stages took."""

    description: str
    id: str
    networks: list[str]
    times: list[tuple[str, float]]


@dataclass(frozen=True)
class Context:
    command: str
    recipe: str
    toml: str
    settings: list[Setting]
    differing: int
    versions: list[tuple[str, str]]
    data_fingerprint: str
    run_fingerprint: str
    places: list[Place]
    started: str
    finished: str


def context(study: Study, bundle: Bundle) -> Context:
    record = study.run.record
    named = RECIPES.get(record.recipe.name, NOTEBOOK)
    settings = [Setting(name, str(value), str(usual), _ABOUT.get(name, ""))
                for (name, value), (_, usual) in zip(_flat(record.recipe.model_dump()), _flat(named.model_dump()))
                if name != "name"]
    return Context(
        command=" ".join(["python -m report build --recipe", named.name, *([] if study.sample else ["--data data"]),
                          "--device", study.devices[0].id]),
        recipe=named.name, toml=_toml(_differences(record.recipe, named)), settings=settings,
        differing=sum(setting.value != setting.named for setting in settings),
        versions=sorted(record.versions.items()),
        data_fingerprint=record.data.fingerprint, run_fingerprint=record.fingerprint,
        places=[_place(study, device) for device in study.devices],
        started=record.started, finished=record.finished)


def _place(study: Study, device) -> Place:
    here = [member.record for member in study.members if member.record.device.id == device.id]
    stages = dict.fromkeys(stage for record in here for stage in record.seconds)
    return Place(device.description, device.id, [record.name for record in here] if len(study.members) > 1 else [],
                 [(_STAGES.get(stage, stage), sum(record.seconds.get(stage, 0) for record in here))
                  for stage in stages])


def _flat(table: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _differences(recipe: Recipe, named: Recipe) -> dict:
    """What report.toml must say for the named recipe to be this one. The time budget has planned the
    epochs and is not planned with again."""
    changes = _other_values(recipe.model_dump(exclude={"name", "time_budget", "epoch_seconds"}), named.model_dump())
    if "epochs" in changes and named.refit.epochs:  # else the refit would keep its proportion to the fit
        changes["refit"] = {"epochs": recipe.refit.epochs, **changes.get("refit", {})}
    return changes


def _other_values(table: dict, usual: dict) -> dict:
    changed = {key: _other_values(value, usual[key]) if isinstance(value, dict) else value
               for key, value in table.items() if value != usual[key]}
    return {key: value for key, value in changed.items() if value != {}}


def _toml(changes: dict) -> str:
    """"" where nothing differs."""
    tables = {"recipe": {key: value for key, value in changes.items() if not isinstance(value, dict)},
              **{f"recipe.{key}": value for key, value in changes.items() if isinstance(value, dict)}}
    return "\n\n".join("\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())])
                       for name, table in tables.items() if table)
