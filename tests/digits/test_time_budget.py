"""Epochs planned from a time budget."""

import pytest

from digits.recipe import RecipeError
from digits.recipes import BEST, NOTEBOOK
from digits.run import Run
from digits.time_budget import Speed, measure, plan_epochs

SPEED = Speed(start=10, train=0.1, predict=0.03)
ROWS = 37_800, 4_200, 28_000  # 296, 33 and 219 batches of 128


def planned(recipe, seconds, members=1, jobs=1):
    return plan_epochs(recipe.changed({"time_budget": float(seconds)}), SPEED, ROWS, members, jobs)


def test_the_plan_fills_the_budget_but_for_less_than_an_epoch():
    plan = planned(BEST, 1200)
    assert plan.epoch_seconds == pytest.approx(296 * 0.1 + 33 * 0.03)
    assert 1200 - plan.epoch_seconds < plan.seconds <= 1200


def test_all_views_the_average_and_the_inspection_are_counted():
    views = 5 * (33 + 219) * 0.03
    assert planned(BEST, 1200).other_seconds == pytest.approx(10 + views + 3 + 4_200 * 0.004 + 296 * 0.1)
    plain = BEST.changed({"averaged_fraction": 0.0, "test_time_augmentation": 1})
    assert planned(plain, 1200).other_seconds == pytest.approx(10 + views / 5 + 3 + 4_200 * 0.004)


def test_networks_in_turn_share_the_budget_and_jobs_widen_it():
    assert planned(BEST, 6000, members=5).epochs == planned(BEST, 1200).epochs
    assert planned(BEST, 3600, members=5, jobs=2).in_turn == 3


def test_the_refits_epochs_are_paid_for_too():
    alone = NOTEBOOK.changed({"refit": {"epochs": 0}})
    assert planned(NOTEBOOK, 1200).epoch_seconds == pytest.approx(1.5 * planned(alone, 1200).epoch_seconds)


def test_a_budget_without_room_for_an_epoch_says_what_one_takes():
    with pytest.raises(RecipeError, match="one epoch for each of 5 networks takes about [0-9]+ s"):
        planned(BEST, 60, members=5)


@pytest.mark.slow
def test_a_build_trains_the_epochs_of_its_plan_and_goes_on_with_them(tmp_path, tiny):
    told, budget = [], {"time_budget": 45.0, "refit": {"epochs": 0}}
    run = tiny.train(tmp_path, budget, report=told.append)
    [plan] = [line for line in told if isinstance(line, str) and line.startswith("Plan for 45 s: ")]
    epochs = int(plan.split(": ")[1].split()[0])
    assert run.record.recipe.epochs == epochs == len(run.members[0].history)
    # Another speed would plan other epochs, but the run is the one that this budget asks for.
    again = tiny.train(tmp_path, budget, report=told.append)
    assert again.record == run.record and told[-1].startswith("Already trained")

    begun = run.folder.rename(run.folder.with_name(f"{run.folder.name}.unfinished"))
    (begun / "run.json").write_text((begun / "run.json").read_text().replace('"finished",', '"training",', 1))
    resumed = tiny.train(tmp_path, budget)
    assert resumed.record.recipe.epochs == Run(resumed.folder).record.recipe.epochs == epochs


@pytest.mark.slow
def test_the_speed_is_measured_on_the_device():
    speed = measure(BEST.changed({"batch_size": 8}), "llvm_cpu.0")
    assert speed.start > speed.train > speed.predict > 0


def test_a_device_that_is_not_there_is_told():
    with pytest.raises(RecipeError, match="the speed cannot be measured: .*opencl_nothing.7"):
        measure(BEST, "opencl_nothing.7")
