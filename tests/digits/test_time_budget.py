"""Epochs and seeds planned from a time budget."""

import pytest

from digits import data, training
from digits.member import TrainingError
from digits.recipe import RecipeError
from digits.recipes import BEST, NOTEBOOK
from digits.run import Run
from digits.splits import plan_members
from digits.time_budget import Speed, measure, plan_training

SPEED = Speed(train=0.1, predict=0.03, rest=13)
ROWS = 37_800, 4_200, 28_000  # 296, 33 and 219 batches of 128
EPOCH = 296 * 0.1 + 33 * 0.03
OTHER = 13 + (296 + 5 * (33 + 219)) * 0.03 + 4_200 * 0.004 + 296 * 0.1  # explanations, five views, t-SNE, average


def planned(recipe, seconds, members=1, workers=1):
    return plan_training(recipe.changed({"time_budget": float(seconds)}), SPEED, ROWS, members, workers, seconds)


def test_the_plan_fills_the_budget_but_for_less_than_an_epoch():
    plan = planned(BEST, 1200)
    assert plan.epoch_seconds == plan.recipe.epoch_seconds == pytest.approx(EPOCH)
    assert 1200 - EPOCH < plan.seconds <= 1200 and plan.recipe.seeds == 1


def test_all_views_the_average_and_the_inspection_are_counted():
    assert planned(BEST, 1200).other_seconds == pytest.approx(OTHER)
    plain = BEST.changed({"averaged_fraction": 0.0, "test_time_augmentation": 1})
    assert planned(plain, 1200).other_seconds == pytest.approx(13 + (296 + 33 + 219) * 0.03 + 4_200 * 0.004)


def test_more_time_than_one_network_needs_trains_more_networks():
    one = 36 * EPOCH + OTHER
    assert [planned(BEST, share * one).recipe.seeds for share in (0.5, 1.9, 2.01, 3.5)] == [1, 1, 2, 3]
    plan = planned(BEST, 3.5 * one)
    assert plan.in_turn == 3 and plan.recipe.epochs > 36 and plan.seconds <= 3.5 * one


def test_networks_in_turn_share_the_budget_and_workers_widen_it():
    assert planned(BEST, 6000, members=5).recipe.epochs == planned(BEST, 1200).recipe.epochs
    assert planned(BEST, 3600, members=5, workers=2).in_turn == 3
    assert planned(BEST.changed({"seeds": 5}), 3600, members=5).recipe.seeds == 5


def test_the_refits_epochs_are_paid_for_too():
    plan = planned(NOTEBOOK, 1200)
    assert plan.epoch_seconds == pytest.approx(1.5 * EPOCH) and plan.recipe.epoch_seconds == pytest.approx(EPOCH)


def test_a_budget_without_room_for_an_epoch_says_what_one_takes():
    with pytest.raises(RecipeError, match="one epoch for each of 5 networks takes about [0-9]+ s"):
        planned(BEST, 60, members=5)


@pytest.mark.slow
def test_a_training_has_the_epochs_of_its_plan_and_goes_on_with_them(tmp_path, tiny):
    told, budget = [], {"time_budget": 100.0, "refit": {"epochs": 0}}
    run = tiny.train(tmp_path, budget, report=told.append)
    [plan] = [line for line in told if isinstance(line, str) and line.startswith("Plan for 100 s: ")]
    assert not list(tmp_path.glob(".speed-*"))
    assert run.record.recipe.epochs == max(len(member.history) for member in run.members)
    assert f" epochs of {run.record.recipe.epoch_seconds:.1f} s and " in plan  # their number follows the speed
    # Another speed would plan other epochs, but the run is the one that this budget asks for.
    again = tiny.train(tmp_path, budget, report=told.append)
    assert again.record == run.record and told[-1].startswith("Already trained")

    begun = run.folder.rename(run.folder.with_name(f"{run.folder.name}.unfinished"))
    (begun / "run.json").write_text((begun / "run.json").read_text().replace('"finished",', '"training",', 1))
    resumed = tiny.train(tmp_path, budget)
    assert resumed.record.recipe == Run(resumed.folder).record.recipe == run.record.recipe


@pytest.mark.slow
def test_two_networks_at_a_time_are_measured_two_at_a_time(tmp_path, tiny):
    trained, dataset, recipe = [], data.load(tiny.data), tiny.run.record.recipe
    [plan] = plan_members(dataset.train_labels, recipe)

    def train(folder, stored, recipe, plans):
        trained.extend(each.name for each in plans)
        training._train_members(folder, stored, recipe, plans, device="llvm_cpu.0", insist=False, jobs=2, dask=None)

    speed = measure(dataset, recipe, plan, 2, tmp_path, train)
    assert trained == ["network-0", "network-1"] and not list(tmp_path.iterdir())
    assert 0 < speed.predict and 0 < speed.train < speed.rest


def test_a_device_that_is_not_there_is_told(tmp_path, tiny):
    with pytest.raises(TrainingError, match="opencl_nothing.7"):
        tiny.train(tmp_path, {"time_budget": 60.0}, device="opencl_nothing.7")
    assert not list(tmp_path.glob("*/run.json"))
