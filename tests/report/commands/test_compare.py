"""`report compare`: its table, and a step of the ladder that is really trained."""

import pandas as pd
import pytest

from digits.data import PIXELS, load
from digits.run import Run
from report import cli
from report.commands.compare import table


def test_each_recipe_is_compared_with_the_one_before_it(made_run):
    earlier = Run(made_run.folder.with_name("kaggle-earlier"))
    lines = table([("Notebook", earlier), ("Best", made_run)]).splitlines()
    heads, _, first, second = (line.split(" | ") for line in lines)
    assert len(heads) == len(first) == len(second)
    assert first[2:4] == ["", ""] and first[1].endswith("%")
    assert float(second[2]) > 0 and second[3].endswith(", noise")


def test_a_step_of_named_recipes_is_a_usage_error(capsys):
    assert cli.main(["compare", "notebook", "--step", "4"]) == 2
    assert "--step is of the ladder" in capsys.readouterr().err


@pytest.mark.slow
def test_a_step_of_the_ladder_is_trained_beside_the_one_before_it(tmp_path, capsys):
    sample, data = load(tmp_path / "none"), tmp_path / "data"
    data.mkdir()
    train = pd.DataFrame(sample.train_images[:200].reshape(200, -1), columns=PIXELS)
    train.insert(0, "label", sample.train_labels[:200])
    train.to_csv(data / "train.csv", index=False)
    train[PIXELS][:8].to_csv(data / "test.csv", index=False)
    assert cli.main(["compare", "--step", "7", "--epochs", "1", "--seeds", "1", "--data", str(data),
                     "--runs", str(tmp_path / "runs"), "--device", "llvm_cpu.0"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| Averaged weights", "| Five views of each image"]
