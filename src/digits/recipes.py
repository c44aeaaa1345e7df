"""The recipes that have a name: `--recipe NAME`. Any of their numbers can be set in report.toml."""

from digits.recipe import (Augmentation, Optimizer, Recipe, RecipeError, Refit, Schedule, Validation)
from digits.records import did_you_mean

# The notebook that this project grew from, number by number.
NOTEBOOK = Recipe(
    name="notebook", network="notebook", epochs=20, batch_size=128,
    optimizer=Optimizer(name="adadelta", learning_rate=1.0),
    validation=Validation(fraction=0.10, seed=42),
    refit=Refit(epochs=10, validation_fraction=0.20))

# The bundled sample is small: fewer epochs of smaller batches show the same picture in minutes,
# and a larger hold-out shows a mistake or two.
QUICK = Recipe(
    name="quick", network="notebook", epochs=8, batch_size=64,
    validation=Validation(fraction=0.25, seed=42))

# What measurement supports, step by step: see LADDER below.
BEST = Recipe(
    name="best", network="compact", epochs=36, batch_size=128,
    optimizer=Optimizer(name="adamw", learning_rate=0.004, weight_decay=0.01),
    schedule=Schedule(name="one-cycle", warmup=0.15),
    augmentation=Augmentation(rotation=10, zoom=0.1, shift=0.1, elastic=1.0),
    averaged_fraction=0.2, test_time_augmentation=5)

# From the notebook to `best`, one change after the other; `report compare` trains them all. Learning
# from a quarter of the rows takes minutes a network, and the other three quarters tell a difference of
# a tenth of a point from noise, which a hold-out of a tenth does not.
BOTTOM = NOTEBOOK.changed({"epochs": 12, "refit": {"epochs": 0}, "validation": {"fraction": 0.75}})
LADDER = (
    ("The notebook's fit", {}),
    ("Compact network", {"network": "compact"}),
    ("AdamW, one cycle", {"optimizer": BEST.optimizer.model_dump(), "schedule": BEST.schedule.model_dump()}),
    ("Rotation, zoom, shift", {"augmentation": BEST.augmentation.model_dump() | {"elastic": 0.0}}),
    ("Elastic distortion", {"augmentation": BEST.augmentation.model_dump()}),
    ("Averaged weights", {"averaged_fraction": BEST.averaged_fraction}),
    ("Five views of each image", {"test_time_augmentation": BEST.test_time_augmentation}),
)

RECIPES = {recipe.name: recipe for recipe in (BEST, NOTEBOOK, QUICK)}


def named(name: str) -> Recipe:
    """Raises RecipeError, with the names that there are."""
    if name not in RECIPES:
        raise RecipeError(f"there is no recipe {name[:60]!r}.{did_you_mean(name[:60], list(RECIPES))}")
    return RECIPES[name]


def ladder(changes: dict) -> list[tuple[str, Recipe]]:
    """The steps of LADDER, each with all changes before it, and then `changes`. Raises RecipeError."""
    steps, recipe = [], BOTTOM
    for number, (title, step) in enumerate(LADDER, start=1):
        recipe = recipe.changed({**step, "name": f"step-{number}"})
        steps.append((title, recipe.changed(changes)))
    return steps
