"""The recipes that have a name, and the ladder between them."""

from digits.recipes import BEST, LADDER, NOTEBOOK, ladder


def test_the_ladder_leads_from_the_notebook_to_best_one_change_after_the_other():
    steps = [recipe for _, recipe in ladder({})]
    ways = {"name", "epochs", "refit", "validation"}  # which the whole ladder has of its own
    assert steps[0].model_dump(exclude=ways) == NOTEBOOK.model_dump(exclude=ways)
    assert steps[-1].model_dump(exclude=ways) == BEST.model_dump(exclude=ways)
    assert len({recipe.model_dump_json(exclude=ways) for recipe in steps}) == len(LADDER)


def test_all_of_the_ladder_is_judged_on_the_same_rows_after_as_many_epochs():
    steps = [recipe for _, recipe in ladder({"seeds": 3, "epochs": 5})]
    assert len({(recipe.epochs, recipe.seeds, recipe.validation, recipe.refit) for recipe in steps}) == 1
    assert steps[0].epochs == 5 and steps[0].seeds == 3 and not steps[0].refit.epochs
