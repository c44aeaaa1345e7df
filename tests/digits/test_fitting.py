"""One member from its first epoch to its predictions, on PlaidML, with a network small enough to be
trained in a second; `test_training.py` trains a whole one.

What a kill leaves is what lies in the member's folder at that moment. So one training is watched,
its folder copied at each moment that matters, and each copy is gone on from."""

import plaidkeras

plaidkeras.install("llvm_cpu.0")

import shutil  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from keras.layers import Activation, BatchNormalization, Dense, Dropout, Flatten  # noqa: E402
from keras.models import Model, Sequential  # noqa: E402
from sklearn.metrics.pairwise import cosine_distances  # noqa: E402

from digits import callbacks, checkpoint, explanations, fitting, networks, recipes  # noqa: E402
from digits.arrays import read_arrays, write_arrays, write_group  # noqa: E402
from digits.augmentation import views  # noqa: E402
from digits.batches import TrainingBatches, network_input  # noqa: E402
from digits.callbacks import TrainingFault  # noqa: E402
from digits.member import TRAINING, MemberRecord, write_record  # noqa: E402
from digits.progress import read_progress  # noqa: E402
from digits.run import Member  # noqa: E402
from digits.splits import plan_members  # noqa: E402

RECIPE = recipes.BEST.changed({
    "epochs": 5, "batch_size": 8, "averaged_fraction": 0.4, "test_time_augmentation": 2,
    "validation": {"fraction": 0.25}, "refit": {"epochs": 2}})
WITHOUT_REFIT = RECIPE.changed({"refit": {"epochs": 0}})
TRAIN_ROWS, TEST_ROWS = 60, 13


def small_network(_name="small"):
    return Sequential([
        Flatten(input_shape=(28, 28, 1), name="flatten"),
        Dense(16, use_bias=False, name="dense1"),
        BatchNormalization(name="norm"),
        Activation("relu", name="relu"),
        Dropout(0.3, name="dropout"),
        Dense(10, activation="softmax", name="dense2")])


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "build", small_network)
        yield


@pytest.fixture(scope="module")
def dataset(sample, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("fitting") / "dataset.npz"
    write_arrays(path, {
        "train_images": sample.train_images[:TRAIN_ROWS], "train_labels": sample.train_labels[:TRAIN_ROWS],
        "test_images": sample.test_images[:TEST_ROWS]})
    return path


@dataclass
class Place:
    """A member's folder, and how it is trained."""

    folder: Path
    dataset: Path
    recipe: recipes.Recipe

    def train(self, insist=False) -> list[str]:
        warnings = []
        fitting.train(self.folder, self.dataset, self.recipe, 333, insist, warnings)
        return warnings

    @property
    def member(self) -> Member:
        return Member(self.folder, {"train": TRAIN_ROWS, "test": TEST_ROWS})


@pytest.fixture
def place(dataset, tmp_path):
    return lambda recipe=RECIPE, name="member": new_place(tmp_path / name, dataset, recipe)


def new_place(folder, dataset, recipe) -> Place:
    folder.mkdir()
    [plan] = plan_members(read_arrays(dataset)["train_labels"], recipe)
    write_group(folder / "rows.npz", plan.rows)
    write_record(folder / "member.json", MemberRecord(name=folder.name, status=TRAINING, seed=333))
    return Place(folder, dataset, recipe)


def everything(member: Member) -> dict[str, np.ndarray]:
    """What a member has learned; what depends on the clock left out."""
    history = [(epoch.learning_rate, epoch.loss, epoch.acc, epoch.val_loss, epoch.val_acc)
               for epoch in member.history]
    return {**member.weights, **vars(member.predictions), **member.activations.layers,
            "history": np.array(history)}


def expect_same(one: Member, other: Member) -> None:
    ours, theirs = everything(one), everything(other)
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@dataclass
class Watched:
    place: Place
    moments: dict[str, Path]


def watched(folder: Path, dataset: Path, recipe) -> Watched:
    """A training that is finished, with copies of its folder as a kill would have left it."""
    place, moments = new_place(folder / "member", dataset, recipe), {}

    def copy(name):
        moments[name] = shutil.copytree(place.folder, folder / name)

    def copying_after(function, name_of):
        def call(*given):
            function(*given)
            if name_of(*given):
                copy(name_of(*given))
        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", copying_after(
            checkpoint.save, lambda _folder, found: f"after epoch {found.finished}"))
        patch.setattr(fitting, "write_arrays", copying_after(
            fitting.write_arrays, lambda path, _arrays: f"after {path.name}"))
        place.train()
    return Watched(place, moments)


@pytest.fixture(scope="module")
def with_refit(dataset, tmp_path_factory):
    return watched(tmp_path_factory.mktemp("with-refit"), dataset, RECIPE)


@pytest.fixture(scope="module")
def without_refit(dataset, tmp_path_factory):
    return watched(tmp_path_factory.mktemp("without-refit"), dataset, WITHOUT_REFIT)


# Going on

@pytest.mark.parametrize("moment", ["after epoch 1", "after epoch 6", *(
    pytest.param(moment, marks=pytest.mark.slow) for moment in (
        "after epoch 3", "after epoch 4", "after epoch 5", "after after_fit.npz", "after epoch 7",
        "after weights.npz", "after activations.npz"))])
def test_killed_at_any_moment_a_training_with_a_refit_ends_as_one_that_was_not(with_refit, moment, tmp_path):
    resumed = Place(shutil.copytree(with_refit.moments[moment], tmp_path / "member"), with_refit.place.dataset, RECIPE)
    resumed.train()
    expect_same(resumed.member, with_refit.place.member)


@pytest.mark.parametrize("moment", ["after epoch 4", *(
    pytest.param(moment, marks=pytest.mark.slow) for moment in (
        "after epoch 2", "after epoch 5", "after after_fit.npz", "after weights.npz"))])
def test_killed_at_any_moment_a_training_without_a_refit_ends_as_one_that_was_not(without_refit, moment, tmp_path):
    resumed = Place(shutil.copytree(without_refit.moments[moment], tmp_path / "member"),
                    without_refit.place.dataset, WITHOUT_REFIT)
    resumed.train()
    expect_same(resumed.member, without_refit.place.member)


@pytest.mark.slow
def test_killed_between_its_history_and_its_checkpoint_an_epoch_is_trained_again(with_refit, tmp_path):
    folder = shutil.copytree(with_refit.moments["after epoch 3"], tmp_path / "member")
    shutil.copy(with_refit.moments["after epoch 4"] / "history.csv", folder)
    resumed = Place(folder, with_refit.place.dataset, RECIPE)
    resumed.train()
    expect_same(resumed.member, with_refit.place.member)


@pytest.mark.slow
def test_a_damaged_checkpoint_begins_the_training_anew(with_refit, tmp_path):
    folder = shutil.copytree(with_refit.moments["after epoch 3"], tmp_path / "member")
    content = (folder / checkpoint.NAME).read_bytes()
    (folder / checkpoint.NAME).write_bytes(content[:len(content) // 2])
    resumed = Place(folder, with_refit.place.dataset, RECIPE)
    resumed.train()
    expect_same(resumed.member, with_refit.place.member)


@pytest.mark.slow
def test_two_trainings_from_one_seed_are_the_same_and_from_another_they_are_not(without_refit, place):
    again, other = place(WITHOUT_REFIT, "again"), place(WITHOUT_REFIT, "other")
    again.train()
    expect_same(again.member, without_refit.place.member)
    fitting.train(other.folder, other.dataset, other.recipe, 334, False, [])
    assert (other.member.weights["dense1/kernel"] != again.member.weights["dense1/kernel"]).any()


# What is learned

def test_the_first_fit_does_not_depend_on_whether_a_refit_follows(with_refit, without_refit):
    assert [(epoch.loss, epoch.val_loss) for epoch in with_refit.place.member.epochs("fit")] == [
        (epoch.loss, epoch.val_loss) for epoch in without_refit.place.member.history]


def network_with(arrays) -> Model:
    model = small_network()
    model.set_weights(list(arrays))
    return model


def test_the_submitted_weights_are_the_mean_of_those_after_the_last_two_epochs(without_refit):
    fourth, last = (checkpoint.load(without_refit.moments[f"after epoch {epoch}"]) for epoch in (4, 5))
    assert (fourth.averaged, last.averaged) == (1, 2)
    fourth_weights = fourth.weight_sums
    last_weights = [total - first for total, first in zip(last.weight_sums, fourth_weights)]
    weights = without_refit.place.member.weights
    for name, one, other in zip(weights, fourth_weights, last_weights):
        if "moving" not in name:
            np.testing.assert_array_equal(weights[name], ((one + other) / 2).astype(np.float32), err_msg=name)
    # and what is stored at the end of the last epoch is what was added up
    assert any(np.array_equal(array, last_weights[0].astype(np.float32)) for array in last.state)


def test_batch_statistics_are_those_of_the_averaged_weights(without_refit):
    """The mean over a pass of the augmented training rows, the last batches weighing a little more."""
    member = without_refit.place.member
    kernel, *_ = member.weights.values()
    named = dict(zip(["mean", "variance"], [
        array for name, array in member.weights.items() if "moving" in name]))
    data = read_arrays(without_refit.place.dataset)
    batches = TrainingBatches(data["train_images"], data["train_labels"], member.rows.training, 8, (333, 0),
                              WITHOUT_REFIT.augmentation)
    batches.begin(WITHOUT_REFIT.epochs)
    outputs = [images.reshape(8, -1) @ kernel for images, _ in batches]
    ages = 0.99 ** np.arange(len(outputs))[::-1]
    np.testing.assert_allclose(
        named["mean"], np.average([output.mean(axis=0) for output in outputs], axis=0, weights=ages),
        rtol=1e-3, atol=1e-4)
    variance = np.average([output.var(axis=0) for output in outputs], axis=0, weights=ages)
    np.testing.assert_allclose(named["variance"], variance, rtol=0.2)  # of 8 or 7: see Bessel


def test_a_refit_goes_on_from_the_fits_weights_on_its_own_rows(with_refit):
    member = with_refit.place.member
    assert [(epoch.stage, epoch.epoch) for epoch in member.history] == [
        *(("fit", epoch) for epoch in range(1, 6)), ("refit", 1), ("refit", 2)]
    np.testing.assert_array_equal(member.predictions.submitted_rows, member.rows.unseen_by_both)
    assert len(member.predictions.submitted_rows) > 0
    place = np.searchsorted(np.sort(member.rows.validation), member.predictions.submitted_rows)
    before = member.predictions.validation[np.argsort(member.rows.validation)[place]]
    assert (before != member.predictions.submitted).any()


def test_without_a_refit_the_judged_network_is_the_submitted_one(without_refit):
    predictions = without_refit.place.member.predictions
    np.testing.assert_array_equal(predictions.submitted_rows, predictions.validation_rows)
    np.testing.assert_array_equal(predictions.submitted, predictions.validation)


def test_predictions_are_the_mean_over_the_views_also_of_a_last_batch_that_is_not_full(without_refit):
    member, data = without_refit.place.member, read_arrays(without_refit.place.dataset)
    model = network_with(member.weights.values())
    for images, found in ((data["test_images"], member.predictions.test),
                          (data["train_images"][member.rows.validation], member.predictions.validation)):
        expected = np.mean([model.predict(network_input(view), batch_size=len(view)) for view in views(images, 2)],
                           axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(member.predictions.test_rows, np.arange(TEST_ROWS))


def test_the_learning_rate_of_each_epoch_is_that_of_its_last_batch(without_refit):
    batches = 6  # 45 rows
    assert [epoch.learning_rate for epoch in without_refit.place.member.history] == [
        callbacks.learning_rate(RECIPE.schedule, 0.004, epoch * batches - 1, 5 * batches) for epoch in range(1, 6)]


def test_the_embedding_has_a_place_for_every_validation_row(without_refit):
    member = without_refit.place.member
    np.testing.assert_array_equal(member.predictions.tsne_rows, member.rows.validation)
    assert np.isfinite(member.predictions.tsne_embedding).all()
    assert np.ptp(member.predictions.tsne_embedding, axis=0).min() > 0


def test_each_misclassified_digit_is_explained_by_the_network_that_did_it(without_refit):
    member, data = without_refit.place.member, read_arrays(without_refit.place.dataset)
    found, rows = member.explanations, member.rows
    predicted = member.predictions.validation.argmax(axis=1)
    wrong = rows.validation[predicted != data["train_labels"][rows.validation]]
    assert len(wrong) and set(found.rows) == set(wrong)
    assert np.isin(found.neighbour_rows, rows.training).all() and found.neighbour_rows.shape[1] == 5
    np.testing.assert_array_equal(found.neighbour_images, data["train_images"][found.neighbour_rows])

    model = network_with(member.weights.values())
    hidden = Model(model.input, model.layers[-2].output)
    known, asked = (hidden.predict(network_input(data["train_images"][each]), batch_size=len(each))
                    for each in (rows.training, rows.validation))
    distances = cosine_distances(asked, known)
    np.testing.assert_allclose(found.nearest_distances, distances.min(axis=1), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(found.nearest_rows, rows.training[distances.argmin(axis=1)])


def test_occlusion_is_what_the_network_says_of_a_covered_image(without_refit):
    member, data = without_refit.place.member, read_arrays(without_refit.place.dataset)
    found = member.explanations
    model, row = network_with(member.weights.values()), found.rows[0]
    place = list(explanations.PLACES).index(10)
    image = data["train_images"][row].copy()
    image[10:16, 10:16] = 0
    [expected] = model.predict(network_input(image[None]), batch_size=1)
    at = np.flatnonzero(member.rows.validation == row)
    predicted = member.predictions.validation[at].argmax()
    np.testing.assert_allclose(found.occlusion[0, :, place, place], expected[[data["train_labels"][row], predicted]],
                               atol=1e-5)


def test_progress_tells_the_time_left_to_the_last_batch(without_refit):
    progress = read_progress(without_refit.place.folder)
    assert (progress.stage, progress.batch) == ("predict", progress.batches)
    assert progress.seconds_left == 0


# What goes wrong

@pytest.fixture
def weights_lost(monkeypatch):
    """As a driver does that forgets the network in the midst of an epoch."""
    def lose(at_epoch, at_batch=2):
        class Losing(callbacks.EpochOfBatches):
            def on_epoch_begin(self, epoch, logs=None):
                super().on_epoch_begin(epoch)
                self.now = epoch + 1

            def on_batch_begin(self, batch, logs=None):
                if (self.now, batch + 1) == (at_epoch, at_batch):
                    self.model.set_weights([np.full_like(array, np.nan) for array in self.model.get_weights()])
        monkeypatch.setattr(callbacks, "EpochOfBatches", Losing)
    return lose


def test_a_loss_that_is_no_number_ends_the_training(place, weights_lost):
    weights_lost(at_epoch=2)
    with pytest.raises(TrainingFault, match="the loss became nan in epoch 2 of the fit, batch 2 of 6"):
        place().train()


def test_who_insists_gets_the_results_of_the_epoch_before_the_loss_was_lost(place, weights_lost):
    weights_lost(at_epoch=3)
    insisted = place(WITHOUT_REFIT.changed({"averaged_fraction": 0}))
    [warning] = insisted.train(insist=True)
    assert warning.startswith("the loss became nan in epoch 3 of the fit, batch 2 of 6")
    assert warning.endswith("These are the results of the epoch before")
    assert len(insisted.member.history) == 2
    assert np.isfinite(insisted.member.predictions.test).all()
    assert insisted.member.weights  # finite, or reading them fails


def test_a_loss_lost_before_anything_was_learned_is_a_fault_also_for_who_insists(place, weights_lost):
    weights_lost(at_epoch=1)
    with pytest.raises(TrainingFault, match="epoch 1 of the fit"):
        place().train(insist=True)


@pytest.mark.slow
def test_a_warning_is_not_forgotten_when_the_training_goes_on(with_refit, tmp_path):
    folder = shutil.copytree(with_refit.moments["after epoch 3"], tmp_path / "member")
    found = checkpoint.load(folder)
    found.warnings.append("something odd")
    checkpoint.save(folder, found)
    assert Place(folder, with_refit.place.dataset, RECIPE).train() == ["something odd"]


def test_a_state_of_another_network_is_refused(with_refit, tmp_path, monkeypatch):
    folder = shutil.copytree(with_refit.moments["after epoch 3"], tmp_path / "member")
    monkeypatch.setattr(networks, "build", lambda _: Sequential([
        Flatten(input_shape=(28, 28, 1)), Dense(10, activation="softmax")]))
    with pytest.raises(ValueError, match="the state is of another network or optimizer"):
        Place(folder, with_refit.place.dataset, RECIPE).train()


def test_no_images_are_predicted_without_a_batch(without_refit):
    training = object.__new__(fitting.Training)
    training.recipe, training.model = WITHOUT_REFIT, None
    assert training.predict(np.empty((0, 28, 28), np.uint8)).shape == (0, 10)
