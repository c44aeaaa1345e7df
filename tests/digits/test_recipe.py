"""Which numbers a recipe may hold."""

from dataclasses import replace

import pytest

from digits.recipe import SAMPLE_RECIPE, Recipe, RecipeError


def test_the_defaults_are_the_notebooks():
    assert Recipe() == Recipe(
        epochs=20, refit_epochs=10, batch_size=128, validation_fraction=0.1,
        refit_validation_fraction=0.2, seed=333, split_seed=42)


@pytest.mark.parametrize("change", [
    {"epochs": 1}, {"refit_epochs": 0}, {"batch_size": 8}, {"batch_size": 1024}, {"seed": 0}])
def test_the_limits_themselves_are_allowed(change):
    replace(SAMPLE_RECIPE, **change)


@pytest.mark.parametrize("name, value", [
    ("epochs", 0), ("refit_epochs", -1), ("batch_size", 0), ("batch_size", 37),
    ("batch_size", 1032), ("validation_fraction", 0),
    ("validation_fraction", 1.0),
    ("refit_validation_fraction", 1.5), ("seed", -1), ("split_seed", 2 ** 32)])
def test_an_impossible_number_is_named(name, value):
    with pytest.raises(RecipeError, match=f"^{name} is {value}; expected "):
        replace(Recipe(), **{name: value})


def test_a_number_of_too_many_digits_is_named():
    with pytest.raises(RecipeError, match="^seed is a value too long to show; expected "):
        Recipe(seed=16 ** 5000)


@pytest.mark.parametrize("changes, refit_epochs", [
    ({"epochs": 1}, 1), ({"epochs": 40}, 20), ({"epochs": 40, "refit_epochs": 3}, 3),
    ({"batch_size": 64}, 10), ({"epochs": 0, "refit_epochs": 2}, None)])
def test_the_refit_keeps_its_proportion_unless_told(changes, refit_epochs):
    if refit_epochs is None:
        with pytest.raises(RecipeError):
            Recipe().changed(**changes)
    else:
        assert Recipe().changed(**changes).refit_epochs == refit_epochs
