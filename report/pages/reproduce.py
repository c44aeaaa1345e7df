"""How to make this again: the recipe as it was run, the versions, and the commands."""

from dataclasses import fields

from digits.recipe import SAMPLE_RECIPE, Recipe
from report.contexts import ReproduceContext, Setting
from report.pages.study import Study
from report.output.bundle import Bundle

_ABOUT = {
    "epochs": "epochs of the first fit, which is judged on rows it has not seen",
    "refit_epochs": "epochs of the second fit, on all labelled rows",
    "batch_size": "images that the network sees before it changes",
    "validation_fraction": "part of the rows held back to judge the first fit",
    "refit_validation_fraction": "part that the refit validates on, though it was learned from",
    "seed": "decides the first weights, dropout and the order of the rows",
    "split_seed": "decides which rows are held back",
}
_STAGES = {"fit": "First fit", "refit": "Refit on all rows", "predict": "Reading the test rows"}


def context(study: Study, bundle: Bundle) -> ReproduceContext:
    record = study.run.record
    defaults = SAMPLE_RECIPE if study.sample else Recipe()
    settings = [Setting(field.name, str(getattr(record.recipe, field.name)),
                        str(getattr(defaults, field.name)), _ABOUT.get(field.name, ""))
                for field in fields(Recipe)]
    return ReproduceContext(
        command="python -m report build" + ("" if study.sample else " --data data"),
        settings=settings,
        toml="\n".join(["[training]", *(f"{one.name} = {one.value}" for one in settings)]),
        versions=sorted(record.versions.items()), device=record.device,
        data_fingerprint=record.data.fingerprint, run_fingerprint=record.fingerprint,
        started=record.started, finished=record.finished,
        times=[(_STAGES.get(stage, stage), seconds)
               for stage, seconds in (record.seconds or {}).items()])
