"""Which numbers a recipe may hold, how they are changed, and what the recipes with names are."""

import pytest

from digits import recipes
from digits.recipe import Augmentation, Optimizer, Recipe, RecipeError, Refit, Schedule, Validation

NOTEBOOK, QUICK, BEST = (recipes.named(name) for name in ("notebook", "quick", "best"))


def test_the_notebooks_numbers_are_the_notebooks():
    assert NOTEBOOK == Recipe(
        name="notebook", network="notebook", epochs=20, batch_size=128, seed=333, seeds=1,
        optimizer=Optimizer(name="adadelta", learning_rate=1.0, weight_decay=0.0),
        schedule=Schedule(name="constant"),
        augmentation=Augmentation(rotation=0.0, zoom=0.0, shift=0.0, elastic=0.0),
        validation=Validation(fraction=0.10, folds=0, seed=42),
        refit=Refit(epochs=10, validation_fraction=0.20),
        averaged_fraction=0.0, test_time_augmentation=1, time_budget=0.0, epoch_seconds=0.0)


def test_quick_keeps_the_notebooks_network_and_optimizer_and_does_without_a_refit():
    assert (QUICK.network, QUICK.optimizer, QUICK.refit.epochs) == ("notebook", NOTEBOOK.optimizer, 0)


def test_best_submits_the_network_that_was_judged():
    assert BEST.refit.epochs == 0 and BEST.augmentation.is_used and BEST.averaged_epochs(36) > 0


def test_each_recipe_is_found_by_its_own_name():
    assert all(recipe.name == name for name, recipe in recipes.RECIPES.items())


@pytest.mark.parametrize("name, says", [
    ("notbook", "there is no recipe 'notbook'. Did you mean 'notebook'?"),
    ("xyz", "there is no recipe 'xyz'. Known are: best, notebook, quick.")])
def test_a_name_that_is_not_there_is_answered_with_the_nearest_or_with_all(name, says):
    with pytest.raises(RecipeError) as caught:
        recipes.named(name)
    assert str(caught.value) == says


def test_a_change_reaches_into_its_table_and_leaves_all_else():
    changed = NOTEBOOK.changed({"batch_size": 64, "validation": {"fraction": 0.25},
                                "optimizer": {"name": "adamw", "weight_decay": 0.1}})
    assert changed.validation == Validation(fraction=0.25, folds=0, seed=42)
    assert changed.optimizer == Optimizer(name="adamw", learning_rate=1.0, weight_decay=0.1)
    assert changed.model_copy(update={
        "batch_size": 128, "validation": NOTEBOOK.validation, "optimizer": NOTEBOOK.optimizer}) == NOTEBOOK


def test_a_whole_number_will_do_where_a_fraction_is_expected():
    assert NOTEBOOK.changed({"optimizer": {"learning_rate": 1}}) == NOTEBOOK


def test_a_recipe_comes_back_from_json_as_it_was():
    recipe = BEST.changed({"optimizer": {"learning_rate": 0.1 + 0.2}, "schedule": {"warmup": 1e-17}})
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize("change", [
    {"epochs": 1}, {"refit": {"epochs": 0}}, {"batch_size": 8}, {"batch_size": 1024}, {"seed": 0},
    {"validation": {"folds": 2}}, {"test_time_augmentation": 1}, {"averaged_fraction": 0}])
def test_the_limits_themselves_are_allowed(change):
    BEST.changed(change)


@pytest.mark.parametrize("change, says", [
    ({"epochs": 0}, "epochs is '0'; expected a number greater than or equal to 1"),
    ({"epochs": True}, "epochs is 'True'; expected a valid integer"),
    ({"epochs": 2.5}, "epochs is '2.5'; expected a valid integer"),
    ({"epochs": "many"}, "epochs is 'many'; expected a valid integer"),
    ({"epochs": 10 ** 400}, "epochs is '1000"),
    ({"refit": {"epochs": -1}}, "refit.epochs is '-1'; expected"),
    ({"batch_size": 37}, "batch_size is '37'; expected a multiple of 8"),
    ({"batch_size": 1032}, "batch_size is '1032'; expected"),
    ({"batch_size": 0}, "batch_size is '0'; expected"),
    ({"seed": -1}, "seed is '-1'; expected"),
    ({"seed": 2 ** 32}, "seed is '4294967296'; expected"),
    ({"seed": 16 ** 5000}, "seed is 'a value too long to show'; expected"),
    ({"network": "deep"}, "network is 'deep'; expected 'notebook' or 'compact'"),
    ({"validation": {"fraction": 0}}, "validation.fraction is '0'; expected a number greater than 0"),
    ({"validation": {"fraction": 1.0}}, "validation.fraction is '1.0'; expected a number less than 1"),
    ({"validation": {"folds": 1}}, 
     "validation.folds is '1'; expected 0 (a hold-out) or at least 2 folds"),
    ({"refit": {"validation_fraction": 1.5}}, "refit.validation_fraction is '1.5'; expected"),
    ({"optimizer": {"learning_rate": float("nan")}}, "optimizer.learning_rate is 'nan'; expected"),
    ({"optimizer": {"learning_rate": 0}}, "optimizer.learning_rate is '0'; expected"),
    ({"schedule": {"name": "cyclic"}}, "schedule.name is 'cyclic'; expected 'constant' or 'one-cycle'"),
    ({"augmentation": {"rotation": 181}}, "augmentation.rotation is '181'; expected"),
    ({"epochs": 3, "refit": 5}, "refit is '5'; expected"),
    ({"averaged_fraction": 1.0}, "averaged_fraction is '1.0'; expected")])
def test_an_impossible_value_is_named_with_what_is_expected(change, says):
    with pytest.raises(RecipeError) as caught:
        NOTEBOOK.changed(change)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


@pytest.mark.parametrize("change, says", [
    ({"epoch": 3}, "[recipe] has no key 'epoch'. Did you mean 'epochs'?"),
    ({"optimizer": {"lr": 3}}, "[recipe.optimizer] has no key 'lr'. Known are: name, learning_rate, weight_decay."),
    ({"validation": {"fold": 3}}, "[recipe.validation] has no key 'fold'. Did you mean 'folds'?")])
def test_an_unknown_key_is_named_with_its_table_and_the_nearest_one(change, says):
    with pytest.raises(RecipeError) as caught:
        NOTEBOOK.changed(change)
    assert str(caught.value) == says


@pytest.mark.parametrize("change, epochs", [
    ({"epochs": 1}, 1), ({"epochs": 40}, 20), ({"epochs": 40, "refit": {"epochs": 3}}, 3),
    ({"epochs": 40, "refit": {"validation_fraction": 0.5}}, 20), ({"batch_size": 64}, 10)])
def test_the_refit_keeps_its_proportion_to_the_fit_unless_told(change, epochs):
    assert NOTEBOOK.changed(change).refit.epochs == epochs


def test_where_there_is_no_refit_more_epochs_bring_none():
    assert BEST.changed({"epochs": 40}).refit.epochs == 0


@pytest.mark.parametrize("epochs, fraction, averaged", [(36, 0.2, 8), (1, 0.2, 1), (6, 0.5, 3), (9, 0, 0)])
def test_a_part_of_the_epochs_is_averaged_at_least_one_if_any(epochs, fraction, averaged):
    assert BEST.changed({"averaged_fraction": fraction}).averaged_epochs(epochs) == averaged


def planned(done, epochs=20, **changes):
    return BEST.changed({"epoch_seconds": 30.0, **changes}).planned_epochs(epochs, done)


def test_without_a_time_budget_the_epochs_stay_whatever_they_take():
    assert planned([99.0] * 5, epoch_seconds=0.0) == 20


def test_epochs_that_take_what_was_planned_stay_and_the_first_one_compiles():
    assert {planned([45.0] + [30.0] * count) for count in range(20)} == {20}


@pytest.mark.parametrize("seconds", [10.0, 20.0, 29.0, 33.0, 45.0, 100.0])
@pytest.mark.parametrize("averaged", [0.0, 0.2])
def test_slower_or_faster_epochs_change_their_number_so_that_all_take_the_planned_time(seconds, averaged):
    done = [seconds]
    while len(done) < planned(done, averaged_fraction=averaged):
        done.append(seconds)
    assert abs(sum(done[1:]) - 19 * 30.0) <= 0.75 * seconds


def test_a_machine_that_is_slowed_down_half_way_keeps_nearly_to_the_plan():
    done = [30.0]
    while len(done) < planned(done):
        done.append(30.0 if len(done) < 8 else 45.0)
    assert len(done) == 16 and abs(sum(done) - 600) < 60


def test_the_number_stays_once_the_average_has_begun_and_is_never_less_than_what_is_done():
    assert planned([30.0] * 17 + [90.0] * 2) == planned([30.0] * 17) == 20
    assert planned([30.0, 700.0], averaged_fraction=0.0) == 2
