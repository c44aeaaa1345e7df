"""How to make this again: the recipe as it was run, the versions, and the commands."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from digits.recipe import Recipe
from digits.recipes import NOTEBOOK, RECIPES
from digits.run import DeviceFacts
from report.output.bundle import Bundle
from report.pages.shared import Download, download
from report.pages.study import Study

NOT_PINNED = "python", "commit", "plaidml-report"
CONSTRAINT = re.compile(r"\w[\w.-]*==\d[\w.+]*\n", re.ASCII)


@dataclass(frozen=True)
class Place:
    """A device, which networks were trained on it, and how long the stages took."""

    device: DeviceFacts
    networks: list[str]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Context:
    """`constraints` has the versions of the run for pip to install; `named` is the recipe of that name,
    `toml` what was changed of it, empty where nothing was. `settings` are the numbers of both by their
    names: as they were run, and as they are in that recipe."""

    constraints: Download
    named: Recipe
    toml: str
    settings: dict[str, tuple[object, object]]
    differing: int
    places: list[Place]


def context(study: Study, bundle: Bundle) -> Context:
    named = RECIPES.get(study.recipe.name, NOTEBOOK)
    run, usual = (dict(_flat(recipe.model_dump(exclude={"name"}))) for recipe in (study.recipe, named))
    settings = {name: (run[name], usual[name]) for name in run}
    constraints = download(bundle, "constraints.txt", _pinned(study.record.versions).encode(),
                           "the versions of this run")
    return Context(constraints, named, _toml(run, usual), settings,
                   sum(value != other for value, other in settings.values()),
                   [_place(study, device) for device in study.devices])


def _pinned(versions: dict[str, str]) -> str:
    """The packages of the run as pip's constraints. A stranger's run may hold any text, pip obeys some."""
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items()) if name not in NOT_PINNED]
    return "".join(line for line in lines if CONSTRAINT.fullmatch(line))


def _place(study: Study, device: DeviceFacts) -> Place:
    here = [member.record for member in study.members if member.record.device.id == device.id]
    stages = dict.fromkeys(stage for record in here for stage in record.seconds)
    return Place(device, [record.name for record in here if len(study.members) > 1],
                 {stage: sum(record.seconds.get(stage, 0) for record in here) for stage in stages})


def _flat(table: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _toml(run: dict[str, object], usual: dict[str, object]) -> str:
    """What report.toml must say for the named recipe to be this one. The time budget has planned the
    epochs and is not planned with again."""
    changes = {name: value for name, value in run.items()
               if value != usual[name] and name not in ("time_budget", "epoch_seconds")}
    if "epochs" in changes and usual["refit.epochs"]:  # else the refit would keep its proportion to the fit
        changes["refit.epochs"] = run["refit.epochs"]
    return "\n".join(["[recipe]", *(f"{name} = {json.dumps(value)}" for name, value in changes.items())]
                     if changes else [])
