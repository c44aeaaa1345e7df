"""A whole run: a real training of the compact network on 40 digits, and what its parent promises."""

import csv
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from digits import recipes, training
from digits.data import DataError, load
from digits.member import TrainingError
from digits.recipe import Recipe, RecipeError
from digits.run import Run, RunError, finished_runs, latest
from digits.splits import plan_members
from digits.training import MemberProgress

# What a training leaves behind

def test_the_run_is_finished_and_says_how_it_came_about(tiny):
    record, [member] = tiny.run.record, tiny.run.members
    assert record.status == member.record.status == "finished" and record.error is member.record.error is None
    assert record.id == tiny.run.folder.name == f"kaggle-{record.fingerprint[:10]}"
    assert record.members == ("seed-333",) and member.record.seed == 333 and member.record.fold is None
    assert member.record.device.id == "llvm_cpu.0" and member.record.device.reason
    assert record.started <= member.record.started <= member.record.finished <= record.finished
    assert set(member.record.seconds) == {"fit", "refit", "predict"}
    assert record.versions["keras"] == "2.2.4" and record.versions["plaidml"] == "0.7.0"
    assert record.versions["plaidml-report"] == metadata.version("plaidml-report")
    if shutil.which("git"):
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
        assert record.versions.get("commit", "").partition("-")[0] == commit.stdout[:12]
    assert record.recipe.epochs == 6 and record.recipe.name == "best"


def test_all_of_it_can_be_read(tiny):
    Run(tiny.run.folder).read()


def test_a_run_is_files_in_this_order_and_nothing_that_training_needed_in_between(tiny):
    assert sorted(str(path.relative_to(tiny.run.folder)) for path in tiny.run.folder.rglob("*") if path.is_file()) == [
        "augmentation.npz", "data.npz", "handwriting.npz", "label_issues.npz",
        *(f"members/seed-333/{name}" for name in (
            "activations.npz", "architecture.json", "explanations.npz", "history.csv", "log.txt", "member.json",
            "model.json", "predictions.npz", "rows.npz", "weights.npz")),
        "misclassified.npz", "run.json", "submission.csv"]


def test_the_history_has_a_line_an_epoch(tiny):
    [member] = tiny.run.members
    assert [(epoch.stage, epoch.epoch) for epoch in member.history] == [
        *(("fit", epoch) for epoch in range(1, 7)), ("refit", 1), ("refit", 2)]
    for epoch in member.history:
        assert epoch.loss > 0 and epoch.val_loss > 0 and epoch.seconds > 0
        assert 0 <= epoch.acc <= 1 and 0 <= epoch.val_acc <= 1


def test_the_network_learns_and_predicts_what_it_has_learned(tiny):
    """Predicting takes BatchNormalization's moving averages, which training does not."""
    [member] = tiny.run.members
    assert member.history[-1].loss < member.history[0].loss
    assert member.history[-1].val_acc > 0.3  # of ten digits; mere guessing gives 0.1


def test_the_rows_are_those_that_the_recipe_plans(tiny):
    [member], [plan] = tiny.run.members, plan_members(tiny.run.data.train_labels, tiny.run.record.recipe)
    for name, rows in vars(plan.rows).items():
        np.testing.assert_array_equal(getattr(member.rows, name), rows)


def test_the_predictions_are_probabilities_of_every_row(tiny):
    [member] = tiny.run.members
    found = member.predictions
    assert found.validation.shape == (10, 10) and found.test.shape == (12, 10)
    np.testing.assert_array_equal(found.validation_rows, member.rows.validation)
    np.testing.assert_array_equal(found.submitted_rows, member.rows.unseen_by_both)
    for probabilities in (found.validation, found.submitted, found.test):
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_the_submission_holds_the_likeliest_digits(tiny):
    [member] = tiny.run.members
    with open(tiny.run.submission, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["ImageId"]) for row in rows] == list(range(1, 13))
    assert [int(row["Label"]) for row in rows] == member.predictions.test.argmax(axis=1).tolist()


def test_the_misclassified_images_are_those_of_the_validation_rows_predicted_wrongly(tiny):
    [member], dataset = tiny.run.members, load(tiny.data, explicit=True)
    predictions = member.predictions
    wrong = predictions.validation.argmax(axis=1) != dataset.train_labels[predictions.validation_rows]
    assert tiny.run.misclassified.rows.tolist() == sorted(predictions.validation_rows[wrong].tolist())
    np.testing.assert_array_equal(tiny.run.misclassified.images, dataset.train_images[tiny.run.misclassified.rows])


def test_the_preview_shows_the_data_as_it_is(tiny):
    dataset, preview = load(tiny.data, explicit=True), tiny.run.data
    np.testing.assert_array_equal(preview.train_head[:, 0], dataset.train_labels[:5])
    np.testing.assert_array_equal(preview.train_head[:, 1:], dataset.train_images[:5].reshape(5, 784))
    np.testing.assert_array_equal(preview.test_head, dataset.test_images[:5].reshape(5, 784))
    np.testing.assert_array_equal(preview.first_images, dataset.train_images)
    np.testing.assert_array_equal(preview.first_labels, dataset.train_labels)
    np.testing.assert_array_equal(preview.train_labels, dataset.train_labels)
    assert preview.pixel_range.tolist() == [[0, 255], [0, 255]]

    shown = np.bincount(dataset.train_labels).min()
    assert preview.class_images.shape == (10, shown, 28, 28)
    for digit in range(10):
        of_class = dataset.train_images[dataset.train_labels == digit]
        np.testing.assert_array_equal(preview.class_images[digit], of_class[:shown])
        assert np.abs(preview.class_means[digit] - of_class.mean(axis=0)).max() <= 0.5


def test_the_augmented_samples_are_stored_with_the_limits_that_made_them(tiny):
    dataset, shown = load(tiny.data, explicit=True), tiny.run.augmentation
    limits = tiny.run.record.recipe.augmentation
    assert shown.used.tolist() == [1]
    assert shown.limits.tolist() == [limits.rotation, limits.zoom, limits.shift, limits.elastic]
    np.testing.assert_array_equal(shown.images, dataset.train_images)
    assert (shown.augmented != shown.images).any(axis=(1, 2)).all()
    assert shown.varied_rows.tolist() == [3, 4, 5, 6, 7, 8] and shown.variations.shape == (6, 10, 28, 28)


def test_activations_start_at_the_notebooks_digit_and_show_each_class_once(tiny):
    [member], dataset = tiny.run.members, load(tiny.data, explicit=True)
    found, training_rows = member.activations, member.rows.training
    assert found.rows[0] == training_rows[10]
    assert set(found.rows) <= set(training_rows)
    assert sorted(found.labels) == sorted(set(dataset.train_labels[training_rows]))
    np.testing.assert_array_equal(found.labels, dataset.train_labels[found.rows])
    np.testing.assert_array_equal(found.images, dataset.train_images[found.rows])


def test_activations_have_every_layer_that_computes(tiny):
    [member] = tiny.run.members
    shapes = {layer.name: layer.output_shape for layer in member.layers if layer.kind not in ("Dropout", "Flatten")}
    assert {name: array.shape[1:] for name, array in member.activations.layers.items()} == shapes
    assert list(member.activations.layers) == list(shapes)
    for array in member.activations.layers.values():
        assert len(array) == len(member.activations.rows) and array.dtype == np.float16
    np.testing.assert_allclose(member.activations.layers["dense2"].sum(axis=1), 1, atol=0.01)


def test_the_weights_fit_the_description(tiny):
    [member] = tiny.run.members
    sizes = {layer.name: 0 for layer in member.layers}
    for name, array in member.weights.items():
        assert array.dtype == np.float32 and np.isfinite(array).all()
        sizes[name.split("/")[0]] += array.size
    assert sizes == {layer.name: layer.parameters for layer in member.layers}


def test_the_architecture_is_kerass_own(tiny):
    [member] = tiny.run.members
    architecture = json.loads((member.folder / "architecture.json").read_text())
    assert architecture["class_name"] == "Sequential"
    assert [layer["class_name"] for layer in architecture["config"]["layers"]] == [
        layer.kind for layer in member.layers]


def test_what_happens_is_told_as_it_happens(tiny):
    lines = [told for told in tiny.reports if isinstance(told, str)]
    assert lines[0] == f"Training in {tiny.run.folder}.unfinished"
    assert lines[1].startswith("Device: llvm_cpu.0 (") and len(lines) == 2

    told = [each for each in tiny.reports if isinstance(each, MemberProgress)]
    assert {(each.member, each.number, each.members) for each in told} == {("seed-333", 1, 1)}
    assert [each.epoch for each in told if each.epoch] == tiny.run.members[0].history
    stages = [each.progress.stage for each in told if not each.epoch]
    order = ["compile", "fit", "refit", "predict"]  # of these a look every 0.2 s may miss the short ones
    came = list(dict.fromkeys(stages))
    assert came == sorted(came, key=order.index) and came[0] == "compile" and len(came) > 1


# Runs are found again

def test_a_finished_run_of_the_same_data_and_recipe_is_taken(tiny, runs, child_does):
    child_does("exit 3")  # and not needed
    said = []
    run = tiny.train(runs, report=said.append)
    assert run.record == tiny.run.record
    assert said == [f"Already trained with this data and recipe: {run.folder}"]


@pytest.mark.parametrize("changes", [{"seed": 1}, {"augmentation": {"shift": 0.05}}, {"refit": {"epochs": 1}}])
def test_another_recipe_is_another_run(tiny, runs, child_does, changes):
    child_does("exit 3")
    with pytest.raises(TrainingError):
        tiny.train(runs, changes)
    [unfinished] = runs.glob("*.unfinished")
    assert not unfinished.name.startswith(tiny.run.record.id)


def test_force_trains_anew_and_one_that_fails_leaves_the_finished_run(tiny, runs, child_does):
    before = everything_in(runs / tiny.run.record.id)
    child_does("exit 3")
    with pytest.raises(TrainingError):
        tiny.train(runs, force=True)
    assert everything_in(runs / tiny.run.record.id) == before
    assert [run.record.id for run in finished_runs(runs)] == [tiny.run.record.id]


def everything_in(folder) -> dict:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_data_are_stored_once_for_all_recipes(tiny, runs, child_does):
    stored = list((runs / "datasets").iterdir())
    assert [path.name for path in stored] == [f"{tiny.run.record.data.fingerprint}.npz"]
    written = stored[0].stat().st_mtime_ns
    child_does('echo "$7" > "$5/dataset"; exit 3')
    for seed in (1, 2):
        with pytest.raises(TrainingError):
            tiny.train(runs, {"seed": seed})
    assert list((runs / "datasets").iterdir()) == stored and stored[0].stat().st_mtime_ns == written
    assert {path.read_text().strip() for path in runs.glob("*.unfinished/members/*/dataset")} == {str(stored[0])}


def test_a_run_that_an_older_version_wrote_is_trained_anew_not_filled_up(tiny, runs, child_does):
    path = runs / tiny.run.record.id / "run.json"
    path.write_text(path.read_text().replace('"schema_version": 3', '"schema": 1'))
    with pytest.raises(RunError, match="schema 1, expected 3\\). Train anew with: python -m report build"):
        latest(runs)
    child_does("exit 3")
    with pytest.raises(TrainingError):
        tiny.train(runs)


def test_killed_just_before_it_is_put_in_its_place_a_run_is_finished_without_training(tiny, runs, child_does):
    (runs / tiny.run.record.id).rename(runs / f"{tiny.run.record.id}.unfinished")
    child_does("exit 3")  # and not needed
    run = tiny.train(runs)
    assert run.folder == runs / tiny.run.record.id
    assert run.submission.read_bytes() == tiny.run.submission.read_bytes()
    assert not list(runs.glob("*.unfinished"))


def test_killed_while_a_forced_run_takes_its_place_either_is_found(tiny, runs, child_does):
    shutil.copytree(runs / tiny.run.record.id, runs / f"{tiny.run.record.id}.unfinished")
    (runs / tiny.run.record.id).rename(runs / f"{tiny.run.record.id}.previous")
    assert latest(runs).record.id == tiny.run.record.id
    child_does("exit 3")
    assert tiny.train(runs).folder == runs / tiny.run.record.id


# What goes wrong

@pytest.mark.parametrize("commands, says", [
    ("kill -SEGV $$", "on llvm_cpu.0 was ended by SIGSEGV; try again"), ("exit 3", "ended with exit code 3")])
def test_a_crash_is_explained_its_log_named_and_the_run_marked(tiny, runs, child_does, commands, says):
    child_does(f"echo last words >&2; {commands}")
    with pytest.raises(TrainingError, match=says) as caught:
        tiny.train(runs, force=True)
    [run] = map(Run, runs.glob("*.unfinished"))
    assert run.record.status == "failed" and run.record.error == str(caught.value)
    log = run.folder / "members" / "seed-333" / "log.txt"
    assert str(log.resolve()) in str(caught.value) and log.read_text() == "last words\n"


def test_a_device_that_is_not_there_is_one_message(tiny, runs):
    with pytest.raises(TrainingError, match="opencl_nothing.7") as caught:
        tiny.train(runs, force=True, device="opencl_nothing.7")
    [run] = map(Run, runs.glob("*.unfinished"))
    assert run.record.status == "failed" and run.record.error == str(caught.value)
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)


def test_after_ctrl_c_the_children_are_gone_and_the_run_is_no_finished_one(tiny, runs, child_does):
    child_does('echo $$ > "$5/pid"; exec sleep 60')
    pids = []

    def interrupt():
        while not pids:
            time.sleep(0.05)
            pids.extend(path.read_text() for path in runs.glob("*.unfinished/members/*/pid"))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        tiny.train(runs, force=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids[0]), 0)
    [run] = map(Run, runs.glob("*.unfinished"))
    assert (run.record.status, run.record.error) == ("failed", "KeyboardInterrupt")
    assert [run.record.id for run in finished_runs(runs)] == [tiny.run.record.id]


def test_without_data_the_sample_is_taken_with_its_own_recipe_and_said_so(tmp_path, monkeypatch, child_does):
    monkeypatch.chdir(tmp_path)
    child_does("exit 3")
    said = []
    with pytest.raises(TrainingError):
        training.train(None, None, {"epochs": 1}, tmp_path / "runs", None, False, said.append)
    assert said[0].startswith("No train.csv in data/: using the 1,797 digits")
    [run] = map(Run, (tmp_path / "runs").glob("*.unfinished"))
    assert run.record.id.startswith("sample-") and run.record.data.source == "sample"
    assert run.record.recipe == recipes.QUICK.changed({"epochs": 1})


def test_kaggles_data_are_trained_with_best_unless_another_recipe_is_named(tiny, tmp_path, child_does):
    child_does("exit 3")
    for name, expected in ((None, recipes.BEST), ("notebook", recipes.NOTEBOOK)):
        with pytest.raises(TrainingError):
            training.train(tiny.data, name, {}, tmp_path / str(name), None, False, lambda told: None)
        [run] = map(Run, (tmp_path / str(name)).glob("*.unfinished"))
        assert run.record.recipe == expected


def test_what_was_put_right_in_the_data_is_told(tiny, tmp_path, write_csvs, child_does):
    import pandas as pd

    data = write_csvs(tmp_path / "data")
    table = pd.read_csv(data / "test.csv")
    table[table.columns[::-1]].to_csv(data / "test.csv", index=False)
    child_does("exit 3")
    said = []
    with pytest.raises(TrainingError):
        tiny.train(tmp_path / "runs", data=data, report=said.append)
    assert "its columns were in another order and have been put in order" in said[0]


def test_data_that_was_asked_for_must_be_there(tiny, runs, tmp_path):
    with pytest.raises(DataError, match="not found"):
        tiny.train(runs, data=tmp_path / "gone")


@pytest.mark.parametrize("changes, says", [
    ({"batch_size": 37}, "batch_size is '37'"), ({"validation": {"folds": 5}}, "the rarest digit has only"),
    ({"validation": {"fraction": 0.99}}, "leaves none of 40 rows")])
def test_an_impossible_recipe_is_refused_before_anything_is_written(tiny, runs, changes, says):
    before = everything_in(runs)
    with pytest.raises(RecipeError, match=says):
        tiny.train(runs, changes)
    assert everything_in(runs) == before


def test_a_folder_for_runs_that_cannot_be_one_is_told(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="file.*: cannot be written \\(.*\\); free some space there, or choose"):
        tiny.train(tmp_path / "file")


def test_a_warning_of_a_finished_member_is_told(tiny, runs, child_does):
    record = runs / tiny.run.record.id / "members" / "seed-333" / "member.json"
    record.write_text(record.read_text().replace('"warnings": []', '"warnings": ["something odd"]'))
    (runs / tiny.run.record.id).rename(runs / f"{tiny.run.record.id}.unfinished")
    child_does("exit 3")
    said = []
    tiny.train(runs, report=said.append)
    assert "Warning: something odd" in said


# Several at once

class Started(threading.Thread):
    """A training in a thread, whose child waits until it is ended."""

    def __init__(self, tiny, runs, changes):
        super().__init__()
        self.tiny, self.runs, self.changes, self.error = tiny, runs, changes, None
        before = set(runs.glob("*.unfinished/members/*/pid"))
        self.start()
        while not (new := {path for path in set(runs.glob("*.unfinished/members/*/pid")) - before
                           if path.read_text()}):
            time.sleep(0.05)
        [self.pid] = [int(path.read_text()) for path in new]

    def run(self):
        try:
            self.tiny.train(self.runs, self.changes)
        except TrainingError as error:
            self.error = str(error)

    def end(self):
        with suppress(ProcessLookupError):  # a training that fails ends all others of its process
            os.kill(self.pid, signal.SIGTERM)
        self.join()


def test_two_recipes_are_trained_at_once_in_one_folder_and_the_same_run_is_not(tiny, tmp_path, child_does):
    child_does('echo $$ > "$5/pid"; exec sleep 60')
    runs = tmp_path / "runs"
    first, second = Started(tiny, runs, {"seed": 1}), Started(tiny, runs, {"seed": 2})
    try:
        with pytest.raises(TrainingError) as caught:
            tiny.train(runs, {"seed": 1})
        assert "another training of this run is going on; wait for its end" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert {Run(path).record.status for path in runs.glob("*.unfinished")} == {"training"}
        assert finished_runs(runs) == []  # what is unfinished is never shown
    finally:
        first.end(), second.end()
    assert "SIGTERM" in first.error and second.error


# The latest run

def test_the_latest_run_is_the_one_that_finished_last(tiny, runs):
    older = shutil.copytree(tiny.run.folder, runs / "older")
    record = (older / "run.json").read_text()
    (older / "run.json").write_text(record.replace(tiny.run.record.finished, "2001-01-01T00:00:00+00:00"))
    (runs / "unfinished").mkdir()
    (runs / "unfinished" / "run.json").write_text(record.replace('"finished",', '"training",', 1))
    (runs / "damaged").mkdir()
    (runs / "damaged" / "run.json").write_text("{")
    (runs / "note.txt").write_text("not a run")
    assert latest(runs).record.id == latest(runs).folder.name == tiny.run.record.id


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_no_finished_run_is_said_so(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=f"{folder}: no finished run"):
        latest(tmp_path / folder)


def test_the_recipe_comes_back_from_the_run_as_it_was_run(tiny):
    assert Recipe.model_validate_json(tiny.run.record.recipe.model_dump_json()) == recipes.BEST.changed({
        "epochs": 6, "batch_size": 8, "averaged_fraction": 0.3, "test_time_augmentation": 2,
        "validation": {"fraction": 0.25}, "refit": {"epochs": 2}})
