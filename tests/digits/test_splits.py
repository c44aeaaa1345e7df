"""Which rows each member learns from and is judged on."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from digits import recipes
from digits.recipe import RecipeError
from digits.splits import plan_members

NOTEBOOK, BEST = recipes.NOTEBOOK, recipes.BEST
LABELS = np.random.default_rng(0).integers(0, 10, 1_000)


def test_the_hold_out_is_the_notebooks_own():
    [plan] = plan_members(LABELS, NOTEBOOK)
    training, validation = train_test_split(np.arange(1_000), test_size=0.10, random_state=42)
    np.testing.assert_array_equal(plan.rows.training, training)
    np.testing.assert_array_equal(plan.rows.validation, validation)
    assert (len(training), len(validation)) == (900, 100)
    assert (plan.name, plan.seed, plan.fold) == ("seed-333", 333, None)


def test_another_seed_of_the_split_holds_out_other_rows():
    [plan], [other] = (plan_members(LABELS, NOTEBOOK.changed({"validation": {"seed": seed}})) for seed in (42, 43))
    assert set(plan.rows.validation) != set(other.rows.validation)


def test_the_refits_rows_are_those_of_kerass_validation_split():
    """Keras: split_at = int(len(x) * (1. - validation_split)); x[:split_at], x[split_at:]."""
    for count in (1_000, 997, 42_000):
        [plan] = plan_members(np.arange(count) % 10, NOTEBOOK)
        split_at = int(count * (1. - 0.2))
        np.testing.assert_array_equal(plan.rows.refit_training, np.arange(split_at))
        np.testing.assert_array_equal(plan.rows.refit_validation, np.arange(split_at, count))


def test_of_kaggles_rows_842_are_judged_after_the_refit_that_no_fit_has_learned():
    [plan] = plan_members(np.arange(42_000) % 10, NOTEBOOK)
    rows = plan.rows
    assert [len(part) for part in (rows.training, rows.validation, rows.refit_training, rows.refit_validation)] \
        == [37_800, 4_200, 33_600, 8_400]
    assert len(rows.unseen_by_both) == 842
    learned = np.union1d(rows.training, rows.refit_training)
    assert not np.intersect1d(rows.unseen_by_both, learned).size
    assert set(rows.unseen_by_both) == set(range(42_000)) - set(learned)


def test_without_a_refit_it_has_no_rows():
    [plan] = plan_members(LABELS, BEST)
    assert len(plan.rows.refit_training) == len(plan.rows.refit_validation) == 0


def test_folds_judge_every_row_once_and_learn_from_all_others():
    plans = plan_members(LABELS, BEST.changed({"validation": {"folds": 5}}))
    assert [(plan.name, plan.fold, plan.seed) for plan in plans] == [
        (f"fold-{fold}", fold, 333) for fold in range(1, 6)]
    np.testing.assert_array_equal(np.sort(np.concatenate([plan.rows.validation for plan in plans])), np.arange(1_000))
    for plan in plans:
        np.testing.assert_array_equal(
            np.sort(np.concatenate([plan.rows.training, plan.rows.validation])), np.arange(1_000))


def test_folds_have_every_digit_in_proportion():
    for plan in plan_members(LABELS, BEST.changed({"validation": {"folds": 4}})):
        shares = np.bincount(LABELS[plan.rows.validation], minlength=10) - np.bincount(LABELS) / 4
        assert np.abs(shares).max() < 1


def test_folds_are_shuffled():
    [plan, _] = plan_members(np.arange(100) % 10, BEST.changed({"validation": {"folds": 2}}))
    assert set(plan.rows.validation) != set(range(50))


def test_seeds_count_up_and_share_their_rows():
    plans = plan_members(LABELS, BEST.changed({"seed": 7, "seeds": 3}))
    assert [(plan.name, plan.seed, plan.fold) for plan in plans] == [
        ("seed-7", 7, None), ("seed-8", 8, None), ("seed-9", 9, None)]
    for plan in plans:
        np.testing.assert_array_equal(plan.rows.validation, plans[0].rows.validation)


def test_folds_and_seeds_make_one_member_of_each_pair():
    plans = plan_members(LABELS, BEST.changed({"seeds": 2, "validation": {"folds": 2}}))
    assert [(plan.name, plan.seed, plan.fold) for plan in plans] == [
        ("fold-1-seed-333", 333, 1), ("fold-1-seed-334", 334, 1),
        ("fold-2-seed-333", 333, 2), ("fold-2-seed-334", 334, 2)]


@pytest.mark.parametrize("changes, count, says", [
    ({"validation": {"fraction": 0.99}}, 12, "validation.fraction is 0.99, which leaves none of 12 rows"),
    ({"refit": {"validation_fraction": 0.99}}, 12, "refit.validation_fraction is 0.99, which leaves none of 12"),
    ({"validation": {"folds": 4}}, 32, "validation.folds is 4, but the rarest digit has only 3 rows")])
def test_a_split_that_leaves_nothing_is_refused(changes, count, says):
    with pytest.raises(RecipeError) as caught:
        plan_members(np.arange(count) % 10, NOTEBOOK.changed(changes))
    assert str(caught.value).startswith(says)
