"""A run on disk: what is written is what is read, damage is named, and nothing in it is executed."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from made_runs import MADE_HISTORY, MADE_LAYERS, MadeMember

from digits import recipes
from digits.arrays import write_group
from digits.files import atomic_write
from digits.run import (FINISHED, AugmentationPreview, DataPreview, Epoch, Misclassified, Run, RunError, finished_runs,
                        write_history, write_record)

LABELS = (np.arange(12) % 10).astype(np.uint8)
ROWS = np.array([7, 2])
RECORD, MEMBER = "run.json", "members/member-1/"

# Every file that is read, and by what
READERS = {
    "run.json": lambda folder: Run(folder),
    "data.npz": lambda folder: Run(folder).data,
    "augmentation.npz": lambda folder: Run(folder).augmentation,
    "misclassified.npz": lambda folder: Run(folder).misclassified,
    "submission.csv": lambda folder: Run(folder).submitted,
    MEMBER + "member.json": lambda folder: Run(folder).members[0].record,
    MEMBER + "rows.npz": lambda folder: Run(folder).members[0].rows,
    MEMBER + "model.json": lambda folder: Run(folder).members[0].layers,
    MEMBER + "architecture.json": lambda folder: Run(folder).members[0].architecture,
    MEMBER + "history.csv": lambda folder: Run(folder).members[0].history,
    MEMBER + "weights.npz": lambda folder: Run(folder).members[0].weights,
    MEMBER + "predictions.npz": lambda folder: Run(folder).members[0].predictions,
    MEMBER + "explanations.npz": lambda folder: Run(folder).members[0].explanations,
    MEMBER + "architecture.json": lambda folder: Run(folder).members[0].architecture,
    "label_issues.npz": lambda folder: Run(folder).label_issues,
    "handwriting.npz": lambda folder: Run(folder).handwriting,
    MEMBER + "activations.npz": lambda folder: Run(folder).members[0].activations}
ARRAYS = [name for name in READERS if name.endswith(".npz")]
FEW = [name for name in READERS if name != "submission.csv"]  # a short submission is for the site to judge


@pytest.fixture
def folder(make_run):
    return make_run(LABELS, [MadeMember(ROWS, np.full((2, 10), 0.1, np.float32))]).folder


def test_a_run_comes_back_as_it_was_written(folder):
    run = Run(folder)
    run.read()
    [member] = run.members
    assert run.record.status == FINISHED and run.record.recipe == recipes.BEST
    assert run.record.data.test_file == "test.csv.gz" and run.record.members == ("member-1",)
    assert member.record.seconds == {"fit": 1.5} and member.record.device.id == "llvm_cpu.0"
    assert member.history == MADE_HISTORY and member.layers == MADE_LAYERS
    assert member.architecture == {"conv1": {"name": "conv1", "epsilon": 0.001}}
    assert list(member.weights) == ["conv1/kernel", "conv1/bias"]
    assert member.rows.validation.tolist() == [7, 2] and member.predictions.test.shape == (3, 10)
    assert member.activations.labels == [4] and list(member.activations.layers) == ["conv1", "dense1"]
    assert run.data.leaks.tolist() == [[2, 7]] and run.data.train_labels.tolist() == LABELS.tolist()
    assert run.submission.read_text() == "ImageId,Label\n1,0\n2,1\n3,2\n"


@pytest.mark.parametrize("group, name", [
    (DataPreview, "data"), (AugmentationPreview, "augmentation"), (Misclassified, "misclassified")])
def test_a_group_of_arrays_comes_back_bit_for_bit(folder, tmp_path, group, name):
    before = getattr(Run(folder), name)
    write_group(folder / f"{name}.npz", before)
    for field, array in vars(getattr(Run(folder), name)).items():
        np.testing.assert_array_equal(array, getattr(before, field))
        assert array.dtype == getattr(before, field).dtype


def test_what_was_worked_out_from_rows_is_not_written_with_them(folder):
    member = Run(folder).members[0]
    assert member.rows.unseen_by_both.size == 0
    write_group(member.folder / "rows.npz", member.rows)
    assert Run(folder).members[0].rows.validation.tolist() == [7, 2]


def test_writing_again_replaces_and_leaves_nothing_beside(folder):
    before = sorted(path.name for path in folder.rglob("*"))
    write_history(folder / MEMBER / "history.csv", MADE_HISTORY[:1])
    assert Run(folder).members[0].history == MADE_HISTORY[:1]
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_write_that_fails_leaves_the_old_file(folder):
    with pytest.raises(ZeroDivisionError), atomic_write(folder / "misclassified.npz") as file:
        file.write(b"half of it")
        1 / 0
    assert Run(folder).misclassified.rows.tolist() == [1]
    assert not list(folder.glob("*.partial"))


def test_what_a_driver_calls_its_device_is_made_printable(folder):
    member = Run(folder).members[0]
    device = member.record.device.model_copy(update={"description": "bad\x1b[31m\u202ename"})
    write_record(member.folder / "member.json", member.record.model_copy(update={"device": device}))
    assert Run(folder).members[0].record.device.description == "bad\ufffd[31m\ufffdname"


# Damage

@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(RunError, match=f"{name}: not found"):
        READERS[name](folder)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0])
def test_a_file_cut_short_is_named(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:int(len(content) * share)])
    with pytest.raises(RunError, match=f"{name}: damaged .*; delete the run and train again") as caught:
        READERS[name](folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ARRAYS)
def test_flipped_bytes_in_an_array_are_noticed(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[60:100] = bytes(byte ^ 0xFF for byte in content[60:100])
    (folder / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{name}: damaged"):
        READERS[name](folder)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
def test_a_file_that_is_none_is_not_opened(folder, name, kind, tmp_path):
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(content)
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(RunError, match=f"{name}: damaged \\(it is a link, a folder or a device, not a file\\)"):
        READERS[name](folder)


@pytest.mark.parametrize("name", [name for name in READERS if name not in ARRAYS])
def test_a_text_that_is_too_long_is_not_read_to_its_end(folder, name):
    with open(folder / name, "ab") as file:
        file.truncate(10 ** 10)  # of nothing, on the disk
    with pytest.raises(RunError, match=f"{name}: damaged \\(it has more than 20,000,000 bytes\\)"):
        READERS[name](folder)


class Executed(Exception):
    pass


class Trap:
    def __reduce__(self):
        return (_spring, ())


def _spring():
    raise Executed


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_would_run_code_are_refused_unexecuted(folder, name):
    with zipfile.ZipFile(folder / name) as archive:
        names = archive.namelist()
    content = io.BytesIO()
    np.lib.format.write_array(content, np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(Executed):  # the trap works
        pickle.loads(content.getvalue()[content.getvalue().index(b"\x80"):])
    with zipfile.ZipFile(folder / name, "w") as archive:
        for each in names:
            archive.writestr(each, content.getvalue())
    with pytest.raises(RunError, match=f"{name}: damaged \\(Object arrays cannot be loaded"):
        READERS[name](folder)


def test_arrays_that_would_fill_the_memory_are_refused(folder):
    name = MEMBER + "weights.npz"
    with zipfile.ZipFile(folder / name, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb.npy", "w") as bomb:
        for _ in range(401):
            bomb.write(bytes(1_000_000))
    with pytest.raises(RunError, match=f"{name}: damaged .* at most 1000 of 400,000,000 are read"):
        READERS[name](folder)


def change(folder, name, **arrays):
    """Replaces or, with None, removes arrays of a file."""
    with np.load(folder / name) as found:
        kept = {**found, **arrays}
    np.savez(folder / name, **{key: array for key, array in kept.items() if array is not None})


@pytest.mark.parametrize("name, arrays, says", [
    ("data.npz", {"train_labels": np.arange(11, dtype=np.uint8) % 10}, r"train_labels is uint8 \(11,\)"),
    ("data.npz", {"train_labels": np.full(12, 10, np.uint8)}, "train_labels runs from 10 to 10, expected 0 to 9"),
    ("data.npz", {"pixel_range": np.zeros((2, 2))}, "pixel_range is float64"),
    ("data.npz", {"duplicates": np.array([[12, 1]])}, "duplicates runs from 1 to 12, expected 0 to 11"),
    ("data.npz", {"leaks": None}, "expected train_head, "),
    ("data.npz", {"more": np.zeros(1)}, "it holds .*more"),
    ("augmentation.npz", {"limits": np.full(4, np.nan)}, "limits runs from nan"),
    ("augmentation.npz", {"augmented": np.zeros((7, 28, 28), np.uint8)}, r"augmented is uint8 \(7, 28, 28\)"),
    ("misclassified.npz", {"rows": np.array([-1])}, "rows runs from -1"),
    (MEMBER + "rows.npz", {"validation": np.array([2, 2])}, "a validation row is there twice"),
    (MEMBER + "rows.npz", {"validation": np.array([0, 7])}, "or is a training row too"),
    (MEMBER + "rows.npz", {"training": np.empty(0, int)}, "there are no training rows"),
    (MEMBER + "rows.npz", {"validation": np.array([7, 12])}, "validation runs from 7 to 12, expected 0 to 11"),
    (MEMBER + "predictions.npz", {"validation_rows": np.array([2, 7])}, "not those of rows.npz"),
    (MEMBER + "predictions.npz", {"submitted_rows": np.array([3, 7])}, "not among the validation rows"),
    (MEMBER + "predictions.npz", {"tsne_rows": np.array([3, 7])}, "not among the validation rows"),
    (MEMBER + "predictions.npz", {"validation": np.full((2, 10), 1.5)}, "validation runs from 1.5"),
    (MEMBER + "predictions.npz", {"validation": np.full((3, 10), 0.1)}, r"validation is float64 \(3, 10\)"),
    (MEMBER + "predictions.npz", {"test": np.full((2, 10), 0.1)}, r"test is float64 \(2, 10\)"),
    (MEMBER + "predictions.npz", {"tsne_embedding": np.full((2, 2), np.inf)}, "tsne_embedding runs from inf"),
    (MEMBER + "weights.npz", {"conv1/bias": np.array([np.nan])}, "conv1/bias is float64 .* or not finite"),
    (MEMBER + "weights.npz", {"conv1/bias": np.array(["a"])}, "conv1/bias is <U1"),
    (MEMBER + "explanations.npz", {"validation_rows": np.array([2, 7])}, "not those of rows.npz"),
    (MEMBER + "explanations.npz", {"rows": np.array([3])}, "not among the validation rows"),
    (MEMBER + "explanations.npz", {"occlusion": np.full((1, 2, 14, 13), 0.5)}, r"occlusion is float64 \(1, 2, 14, 13\)"),
    ("label_issues.npz", {"label_quality": np.array([1.5])}, "label_quality runs from 1.5"),
    ("handwriting.npz", {"traits": np.full((12, 4), np.nan)}, "traits runs from nan"),
    ("handwriting.npz", {"extreme_rows": np.zeros((4, 2, 0), int)}, r"extreme_rows is int64 \(4, 2, 0\)"),
    ("augmentation.npz", {"variations": np.zeros((2, 0, 28, 28), np.uint8)}, r"variations is uint8 \(2, 0, 28, 28\)"),
    (MEMBER + "activations.npz", {"../up": np.zeros((1, 3), np.float16)}, "'../up'|../up"),
    (MEMBER + "activations.npz", {"conv1": np.zeros((2, 26, 26, 2), np.float16)}, "conv1 is float16"),
    (MEMBER + "activations.npz", {"labels": None}, "labels")])
def test_arrays_that_do_not_fit_are_named(folder, name, arrays, says):
    change(folder, name, **arrays)
    with pytest.raises(RunError, match=f"{name}: damaged .*({says})") as caught:
        READERS[name](folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cost", ["parameters", "multiply_adds"])
def test_a_network_without_parameters_or_costs_is_refused(folder, cost):
    path = folder / MEMBER / "model.json"
    path.write_text(json.dumps([{**layer, cost: 0} for layer in json.loads(path.read_text())]))
    with pytest.raises(RunError, match=f"model.json: damaged .no layer has {cost}"):
        Run(folder).read()


def test_activations_of_another_network_are_refused(folder):
    change(folder, MEMBER + "activations.npz", conv1=np.zeros((1, 5, 5, 2), np.float16))
    with pytest.raises(RunError, match="its layers are not those of model.json"):
        Run(folder).read()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", "\x00", "[" * 100_000])
def test_a_damaged_record_is_named(folder, text):
    (folder / RECORD).write_text(text)
    with pytest.raises(RunError, match="run.json: damaged"):
        Run(folder)


@pytest.mark.parametrize("version", [1, 99, None])
def test_another_schema_is_refused_with_the_command_that_makes_a_new_run(folder, version):
    record = json.loads((folder / RECORD).read_text())
    del record["schema_version"]
    record["schema" if version == 1 else "schema_version"] = version
    (folder / RECORD).write_text(json.dumps(record))
    with pytest.raises(RunError, match=rf"run.json: written by another version of this program \(schema {version}, "
                                       r"expected 3\). Train anew with: python -m report build"):
        Run(folder)


def rewrite(path, changes: dict) -> None:
    record = json.loads(path.read_text())
    for place, value in changes.items():
        *tables, key = place.split(".")
        table = record
        for each in tables:
            table = table[each]
        if value is ...:
            del table[key]
        else:
            table[key] = value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("changes, says", [
    ({"id": "../up"}, "id is '../up'"), ({"id": ...}, "id is missing"), ({"status": "done"}, "status is 'done'"),
    ({"recipe.epochs": ...}, "recipe.epochs is missing"),
    ({"recipe.optimizer.weight_decay": ...}, "recipe.optimizer.weight_decay is missing"), ({"recipe.epochs": "20"}, "recipe.epochs is '20'"),
    ({"recipe.layers": 3}, "there is no key 'recipe.layers'|no key"), ({"members": []}, "members is"),
    ({"members": ["/etc"]}, "members.0 is '/etc'"), ({"data.train_rows": 0}, "data.train_rows is '0'"),
    ({"data.train_rows": 10 ** 9}, "data.train_rows"), ({"data.train_file": "a\u202eb"}, "cannot be shown"),
    ({"started": "yesterday"}, "started is 'yesterday'"), ({"versions": {"keras": 2}}, "versions.keras is '2'"),
    ({"started": "2025-03-01T12:30:00+05:00"}, "expected a time in UTC"), ({"started": "2025-03-01"}, "in UTC"),
    ({"fingerprint": "x" * 10_001}, "fingerprint is 'x{40}'"), ({"more": 1}, "no key 'more'")])
def test_a_record_that_does_not_fit_is_named_by_its_key(folder, changes, says):
    rewrite(folder / RECORD, changes)
    with pytest.raises(RunError, match=f"run.json: damaged .*({says})") as caught:
        Run(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes, says", [
    ({"seed": -1}, "seed is '-1'"), ({"status": ...}, "status is missing"), ({"device.id": 3}, "device.id is '3'"),
    ({"seconds": {"fit": float("inf")}}, "seconds.fit is 'inf'"), ({"warnings": ["\x1b[2J"]}, "cannot be shown"),
    ({"finished": "2020-13-01"}, "finished is '2020-13-01'")])
def test_a_members_record_that_does_not_fit_is_named_by_its_key(folder, changes, says):
    rewrite(folder / MEMBER / "member.json", changes)
    with pytest.raises(RunError, match=f"member.json: damaged .*{says}"):
        Run(folder).members[0].record


@pytest.mark.parametrize("changes", [{"finished": None}])
def test_a_finished_run_has_a_time(folder, changes):
    rewrite(folder / RECORD, changes)
    with pytest.raises(RunError, match="run.json: damaged \\(finished without a time\\)"):
        Run(folder).read()


@pytest.mark.parametrize("changes, says", [
    ({"device": None}, "finished without a device"), ({"status": "training", "finished": None}, "not finished")])
def test_a_finished_run_has_finished_members_with_a_device(folder, changes, says):
    rewrite(folder / MEMBER / "member.json", changes)
    with pytest.raises(RunError, match=f"member.json: damaged .*{says}"):
        Run(folder).read()


@pytest.mark.parametrize("lines, says", [
    (["epoch,loss"], "the header is epoch,loss"),
    (["{header}"], "do not count from 1"),
    (["{header}", "fit,2,1,1,0.5,1,0.5,3"], "do not count from 1"),
    (["{header}", "refit,1,1,1,0.5,1,0.5,3", "fit,1,1,1,0.5,1,0.5,3"], "the fit first"),
    (["{header}", "warmup,1,1,1,0.5,1,0.5,3"], "stage is 'warmup'"),
    (["{header}", "fit,1,1,nan,0.5,1,0.5,3"], "loss is 'nan'"),
    (["{header}", "fit,1,1,1,1.5,1,0.5,3"], "acc is '1.5'"),
    (["{header}", "fit,1,1,1,0.5,1,0.5"], "shorter"),
    (["{header}", "fit,1,1,1,0.5,1,0.5,0"], "seconds is '0'")])
def test_a_history_that_does_not_fit_is_named(folder, lines, says):
    header = ",".join(Epoch.model_fields)
    (folder / MEMBER / "history.csv").write_text("\n".join(lines).replace("{header}", header) + "\n")
    with pytest.raises(RunError, match=f"history.csv: damaged.*{says}"):
        Run(folder).members[0].history


@pytest.mark.parametrize("content", [
    b"ImageId,Label\n1,\x1b[2J\n", b"ImageId,Label\n" + b"1,1\n" * 9, b"a" * 101, b"\xff\xfe"])
def test_a_submission_of_strange_lines_is_refused(folder, content):
    (folder / "submission.csv").write_bytes(content)
    with pytest.raises(RunError, match="submission.csv: damaged"):
        Run(folder).submitted


# Which runs there are

@pytest.mark.parametrize("status", ["training", "failed"])
def test_unfinished_runs_are_never_shown(folder, status):
    assert [run.folder for run in finished_runs(folder.parent)] == [folder]
    rewrite(folder / RECORD, {"status": status})
    assert finished_runs(folder.parent) == []


def test_a_folder_without_a_record_is_no_run(tmp_path):
    with pytest.raises(RunError, match="run.json: not found"):
        Run(tmp_path)
    assert finished_runs(tmp_path.parent) == []
