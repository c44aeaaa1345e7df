"""A run on disk: what is written is what is read, and damage is named."""

from dataclasses import replace

import numpy as np
import pytest

from digits.recipe import Recipe
from digits.run import (FINISHED, FIT, TRAINING, Activations, DataFacts, DeviceFacts, Epoch, Layer,
                        Predictions, Preview, Record, Run, RunError, RunWriter)

RECORD = Record(
    id="kaggle-0123456789", status=TRAINING, recipe=Recipe(epochs=3), fingerprint="01" * 32,
    data=DataFacts("kaggle", "train.csv", "test.csv.gz", 12, 3, "ab" * 32),
    versions={"keras": "2.2.4"}, started="2020-01-01T00:00:00+00:00")
HISTORY = [Epoch(FIT, 1, 0.123456789012345, 0.5, 0.25, 0.75, 12.5),
           Epoch(FIT, 2, 1e-05, 1.0, 0.2, 0.8, 11.0)]
LAYERS = [Layer("conv1", "Conv2D", "3 x 3, relu", (26, 26, 32), 320, 320, 194_688),
          Layer("dense1", "Dense", "relu", (256,), 2_654_464, 2_654_464, 2_654_208)]


@pytest.fixture
def folder(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.record(RECORD)
    writer.history(HISTORY)
    writer.model(LAYERS, "{}")
    writer.weights({"conv1/kernel": np.ones((3, 3), np.float32), "conv1/bias": np.zeros(3)})
    writer.preview(preview())
    writer.predictions(Predictions(np.full((1, 10), 0.1), np.full((3, 10), 0.1)))
    writer.activations(Activations(np.array([4]), np.array([7]), np.zeros((1, 28, 28), np.uint8), {
        "conv1": np.ones((1, 26, 26, 32), np.float16), "dense1": np.ones((1, 256), np.float16)}))
    writer.submission("ImageId,Label\n1,7\n")
    return writer.folder


def test_a_run_comes_back_as_it_was_written(folder):
    run = Run(folder)
    assert run.record == RECORD
    assert run.history == HISTORY
    assert run.layers == LAYERS
    assert list(run.weights) == ["conv1/kernel", "conv1/bias"]
    for name, array in vars(preview()).items():
        np.testing.assert_array_equal(getattr(run.preview, name), array)
    assert run.predictions.validation.shape == (1, 10)
    assert run.predictions.test.shape == (3, 10)
    assert run.activations.labels == [7]
    assert list(run.activations.layers) == ["conv1", "dense1"]
    assert run.submission.read_text() == "ImageId,Label\n1,7\n"


def test_a_finished_record_comes_back_with_its_device_and_times(folder):
    record = replace(RECORD, status=FINISHED, device=DeviceFacts("llvm_cpu.0", "CPU", "no GPU"),
                     finished="2020-01-01T01:00:00+00:00", seconds={"fit": 1.5})
    RunWriter(folder).record(record)
    assert Run(folder).record == record


def test_writing_again_replaces_and_leaves_nothing_beside(folder):
    before = sorted(path.name for path in folder.iterdir())
    RunWriter(folder).history(HISTORY[:1])
    assert Run(folder).history == HISTORY[:1]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_write_that_fails_leaves_the_old_file(folder):
    with pytest.raises(TypeError):
        RunWriter(folder).weights(None)
    assert list(Run(folder).weights) == ["conv1/kernel", "conv1/bias"]
    assert not list(folder.glob("*.partial"))


READERS = {"history.csv": "history", "model.json": "layers", "weights.npz": "weights",
           "preview.npz": "preview", "predictions.npz": "predictions",
           "activations.npz": "activations"}


@pytest.mark.parametrize("name, reader", READERS.items())
def test_a_missing_file_is_named(folder, name, reader):
    (folder / name).unlink()
    with pytest.raises(RunError, match=f"{name}: not found"):
        getattr(Run(folder), reader)


@pytest.mark.parametrize("name, reader", READERS.items())
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_a_file_cut_short_is_named(folder, name, reader, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:int(len(content) * share)])
    with pytest.raises(RunError, match=f"{name}: damaged"):
        getattr(Run(folder), reader)


def test_flipped_bytes_in_an_array_are_noticed(folder):
    path = folder / "preview.npz"
    content = bytearray(path.read_bytes())
    content[120:160] = bytes(byte ^ 0xFF for byte in content[120:160])
    path.write_bytes(content)
    with pytest.raises(RunError, match="preview.npz: damaged"):
        Run(folder).preview


def test_arrays_that_would_run_code_are_refused(folder):
    np.savez(folder / "weights.npz", allow_pickle=True, conv1=np.array([{}], dtype=object))
    with pytest.raises(RunError, match="weights.npz: damaged"):
        Run(folder).weights


def test_a_folder_without_a_record(tmp_path):
    with pytest.raises(RunError, match="run.json: not found"):
        Run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1}'])
def test_a_damaged_record(folder, text):
    (folder / "run.json").write_text(text)
    with pytest.raises(RunError, match="run.json: damaged"):
        Run(folder)


def test_a_record_of_another_schema(folder):
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(RunError, match="schema 99, expected 1"):
        Run(folder)


def preview() -> Preview:
    images = np.arange(12 * 28 * 28).astype(np.uint8).reshape(12, 28, 28)
    labels = np.arange(12, dtype=np.uint8) % 10
    return Preview(
        train_head=np.zeros((5, 785), np.uint8), test_head=np.zeros((3, 784), np.uint8),
        first_images=images, first_labels=labels, class_images=images[:10, None],
        class_means=images[:10], train_labels=labels, validation_rows=np.array([7]),
        validation_images=images[7:8], validation_labels=labels[7:8])
