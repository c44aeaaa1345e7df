"""What a training leaves behind: a real one, of the whole network on 40 digits."""

import csv
import json

import numpy as np
import pytest

from digits.data import load, split
from digits.progress import Progress


def test_the_run_is_finished_and_says_how_it_came_about(tiny):
    record = tiny.run.record
    assert record.status == "finished" and record.error is None
    assert record.id == tiny.run.folder.name == f"kaggle-{record.fingerprint[:10]}"
    assert record.device.id == "llvm_cpu.0" and record.device.reason
    assert record.started <= record.finished
    assert set(record.seconds) == {"fit", "refit", "predict"}
    assert record.versions["keras"] == "2.2.4" and record.versions["plaidml"] == "0.7.0"


def test_the_history_has_a_line_an_epoch(tiny):
    assert [(epoch.stage, epoch.epoch) for epoch in tiny.run.history] == [
        *(("fit", epoch) for epoch in range(1, 7)), ("refit", 1), ("refit", 2)]
    for epoch in tiny.run.history:
        assert epoch.loss > 0 and epoch.val_loss > 0 and epoch.seconds > 0
        assert 0 <= epoch.acc <= 1 and 0 <= epoch.val_acc <= 1


def test_the_network_learns(tiny):
    first, *_, last = tiny.run.history
    assert last.loss < first.loss


def test_the_network_predicts_what_it_has_learnt(tiny):
    """Predicting takes BatchNormalization's moving averages, which training does not."""
    assert tiny.run.history[-1].val_acc > 0.3  # of ten digits; mere guessing gives 0.1


def test_the_predictions_are_probabilities_of_every_row(tiny):
    validation, test = tiny.run.predictions.validation, tiny.run.predictions.test
    assert validation.shape == (10, 10) and test.shape == (12, 10)
    assert validation.dtype == test.dtype == np.float32
    np.testing.assert_allclose(np.concatenate([validation, test]).sum(axis=1), 1, atol=1e-5)


def test_the_validation_predictions_are_those_after_the_fit(tiny):
    fit = [epoch for epoch in tiny.run.history if epoch.stage == "fit"][-1]
    right = tiny.run.predictions.validation.argmax(axis=1) == tiny.run.preview.validation_labels
    assert right.mean() == pytest.approx(fit.val_acc)


def test_the_map_has_a_place_for_every_validation_row(tiny):
    layout = tiny.run.predictions.map
    assert layout.shape == (10, 2) and np.isfinite(layout).all()


def test_the_preview_says_what_is_wrong_with_the_data(tiny):
    preview = tiny.run.preview
    assert preview.pixel_range.tolist() == [[0, 255], [0, 255]]
    assert preview.repeats.shape[1] == preview.leaks.shape[1] == 2


def test_the_submission_holds_the_likeliest_digits(tiny):
    with open(tiny.run.submission, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["ImageId"]) for row in rows] == list(range(1, 13))
    assert [int(row["Label"]) for row in rows] == tiny.run.predictions.test.argmax(axis=1).tolist()


def test_the_preview_shows_the_data_as_it_is(tiny):
    dataset, preview = load(tiny.data, explicit=True), tiny.run.preview
    np.testing.assert_array_equal(preview.train_head[:, 0], dataset.train_labels[:5])
    np.testing.assert_array_equal(preview.train_head[:, 1:],
                                  dataset.train_images[:5].reshape(5, 784))
    np.testing.assert_array_equal(preview.test_head, dataset.test_images[:5].reshape(5, 784))
    np.testing.assert_array_equal(preview.first_images, dataset.train_images)
    np.testing.assert_array_equal(preview.first_labels, dataset.train_labels)
    np.testing.assert_array_equal(preview.train_labels, dataset.train_labels)

    _, validation_rows = split(dataset.train_labels, tiny.run.record.recipe)
    np.testing.assert_array_equal(preview.validation_rows, validation_rows)
    np.testing.assert_array_equal(preview.validation_images, dataset.train_images[validation_rows])
    np.testing.assert_array_equal(preview.validation_labels, dataset.train_labels[validation_rows])

    shown = np.bincount(dataset.train_labels).min()
    assert preview.class_images.shape == (10, shown, 28, 28)
    for digit in range(10):
        of_class = dataset.train_images[dataset.train_labels == digit]
        np.testing.assert_array_equal(preview.class_images[digit], of_class[:shown])
        assert np.abs(preview.class_means[digit] - of_class.mean(axis=0)).max() <= 0.5


def test_activations_start_at_the_notebooks_digit_and_show_each_class_once(tiny):
    dataset, activations = load(tiny.data, explicit=True), tiny.run.activations
    fit_rows, _ = split(dataset.train_labels, tiny.run.record.recipe)
    assert activations.rows[0] == fit_rows[10]
    assert set(activations.rows) <= set(fit_rows)
    assert sorted(activations.labels) == sorted(set(dataset.train_labels[fit_rows]))
    np.testing.assert_array_equal(activations.labels, dataset.train_labels[activations.rows])
    np.testing.assert_array_equal(activations.images, dataset.train_images[activations.rows])


def test_activations_have_every_layer_that_computes(tiny):
    activations, shapes = tiny.run.activations, {
        layer.name: layer.output_shape for layer in tiny.run.layers
        if layer.kind not in ("Dropout", "Flatten")}
    assert {name: array.shape[1:] for name, array in activations.layers.items()} == shapes
    assert list(activations.layers) == list(shapes)
    for array in activations.layers.values():
        assert len(array) == len(activations.rows) and array.dtype == np.float16
    np.testing.assert_allclose(activations.layers["dense2"].sum(axis=1), 1, atol=0.01)


def test_the_weights_fit_the_description(tiny):
    sizes = {layer.name: 0 for layer in tiny.run.layers}
    for name, array in tiny.run.weights.items():
        assert array.dtype == np.float32 and np.isfinite(array).all()
        sizes[name.split("/")[0]] += array.size
    assert sizes == {layer.name: layer.parameters for layer in tiny.run.layers}


def test_the_architecture_is_kerass_own(tiny):
    architecture = json.loads((tiny.run.folder / "architecture.json").read_text())
    assert architecture["class_name"] == "Sequential"
    layers = architecture["config"]["layers"]
    assert [layer["class_name"] for layer in layers] == [layer.kind for layer in tiny.run.layers]


def test_progress_is_told_from_the_first_batch_to_the_last(tiny):
    told = [report for report in tiny.reports if isinstance(report, Progress)]
    stages = [progress.stage for progress in told]
    assert list(dict.fromkeys(stages)) == ["compile", "fit", "refit", "predict"]
    ends = [progress for progress in told if progress.val_acc is not None]
    assert [(end.stage, end.epoch, end.val_acc) for end in ends] == [
        (epoch.stage, epoch.epoch, epoch.val_acc) for epoch in tiny.run.history]
    assert all(end.batch == end.batches for end in ends)
    assert told[0].seconds_left is None and told[-1].seconds_left == 0


# The loop, with a network small enough to check by hand

SMALL_LOOP = """
    import numpy as np
    from keras.layers import Dense, Flatten
    from keras.models import Sequential
    from pathlib import Path
    from digits.training import Reporter, TrainingFault, TrainingLoop

    class Writer:
        folder = Path()
        def history(self, epochs): pass

    images = np.random.RandomState(0).randint(0, 256, (13, 28, 28)).astype(np.uint8)
    labels = np.arange(13) % 10
    model = Sequential([Flatten(input_shape=(28, 28, 1)), Dense(10, activation="softmax")])
    model.compile("adadelta", "categorical_crossentropy", metrics=["accuracy"])
    loop = TrainingLoop(model, images, labels, 8, Writer(), Reporter(lambda **said: None, 2, 2))
"""


def test_predictions_of_a_last_batch_that_is_not_full_are_right(on_plaidml):
    assert on_plaidml(SMALL_LOOP + """
    kernel, bias = model.get_weights()
    logits = images.reshape(13, -1) / 255 @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    print(json.dumps([len(loop.predict(images[:count])) == count and
                      bool(np.allclose(loop.predict(images[:count]), expected[:count], atol=1e-5))
                      for count in (13, 8, 3)]))""") == [True, True, True]


def test_a_loss_that_is_no_number_ends_the_training(on_plaidml):
    assert "the loss became nan in epoch 1 of the fit, batch 1 of 2" in on_plaidml(SMALL_LOOP + """
    model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])
    try:
        loop.run("fit", 1, np.arange(13), np.arange(5))
        print(json.dumps("trained on"))
    except TrainingFault as error:
        print(json.dumps(str(error)))""")


WRONG_LOOP = SMALL_LOOP + """
    import tempfile
    from digits.run import RunWriter
    from plaidkeras import state

    def poison(progress):  # as a driver does that forgets the network in the midst of an epoch
        if (progress["epoch"], progress["batch"]) == (2, 1):
            model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])

    def wrong_loop(insist):
        reporter = Reporter(lambda progress: poison(progress), 2, 2)
        reporter._tell_now_and_then = reporter.tell
        return TrainingLoop(model, images, labels, 8, RunWriter(tempfile.mkdtemp()), reporter, insist)
"""


def test_who_insists_gets_the_results_of_the_epoch_before_the_loss_was_lost(on_plaidml):
    finite, epochs, warnings = on_plaidml(WRONG_LOOP + """
    loop = wrong_loop(insist=True)
    probabilities = loop.run("fit", 3, np.arange(13), np.arange(5))
    print(json.dumps([bool(np.isfinite(probabilities).all()), len(loop.history), loop.warnings]))""")
    assert finite and epochs == 1
    [warning] = warnings
    assert warning.startswith("the loss became nan in epoch 2 of the fit, batch 2 of 2")
    assert warning.endswith("These are the results of the epoch before")


# Accuracy at chance: every image is blank, so that there is nothing to learn

BLANK = """
    images = np.zeros((200, 28, 28), np.uint8)
    labels = np.arange(200) % 10
    class Loop(TrainingLoop):
        def _save_checkpoint(self): pass
    def run(insist, epochs, judged, labels=labels):
        loop = Loop(model, images, labels, 8, Writer(), Reporter(lambda **said: None, 2, 2), insist)
        try:
            loop.run("fit", epochs, np.arange(len(labels)), np.arange(judged))
            return loop.warnings
        except TrainingFault as fault:
            return str(fault)
"""


def test_accuracy_at_chance_is_told_from_the_third_epoch_on_if_enough_rows_were_judged(on_plaidml):
    early, late, insisted, few = on_plaidml(SMALL_LOOP + BLANK + """
    print(json.dumps([run(False, 2, 100), run(False, 3, 100), run(True, 3, 100),
                      run(False, 3, 99, labels[:99])]))""")
    assert early == [] and few == []
    assert late.startswith("the training accuracy is ")
    assert "after epoch 3 of the fit, no better than guessing (10.0%)" in late
    assert "--insist" in late and "llvm_cpu.0" in late
    assert [line.split(" is ")[0] for line in insisted] == [
        "the training accuracy", "the validation accuracy"]


def test_accuracy_above_chance_is_no_fault(on_plaidml):
    assert on_plaidml(SMALL_LOOP + BLANK + """
    images[np.arange(200), labels] = 255  # a line at the height of the label
    print(json.dumps(run(False, 4, 200)))""") == []
