"""The batches that a network learns from."""

import plaidkeras

plaidkeras.install("llvm_cpu.0")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from digits.batches import TrainingBatches, count_batches, filled_batches, network_input  # noqa: E402
from digits.recipe import Augmentation  # noqa: E402

VARIED = Augmentation(rotation=10, zoom=0.1, shift=0.1, elastic=1.0)
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype(np.uint8)
LABELS = (np.arange(60) % 10).astype(np.uint8)
ROWS = np.arange(5, 55)


def batches(epoch=0, seed=(333, 0), augmentation=Augmentation(), rows=ROWS):
    found = TrainingBatches(IMAGES, LABELS, rows, 8, seed, augmentation)
    found.begin(epoch)
    return found


def rows_of(epoch) -> list[int]:
    """Which rows an epoch learns from, in order."""
    numbers = {(image.astype(np.float32) / 255).tobytes(): row for row, image in enumerate(IMAGES)}
    return [numbers[image.tobytes()] for images, _ in epoch for image in images[..., 0]]


def content(found) -> bytes:
    return b"".join(images.tobytes() + labels.tobytes() for images, labels in found)


def test_a_batch_is_what_the_network_takes():
    for images, labels in batches():
        assert images.shape == (8, 28, 28, 1) and images.dtype == np.float32
        assert 0 <= images.min() and images.max() <= 1
        assert labels.shape == (8, 10) and set(labels.ravel()) == {0, 1}


def test_every_image_comes_with_its_own_label():
    epoch = list(batches())
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in epoch]).argmax(axis=1),
                                  LABELS[rows_of(epoch)])


def test_every_row_comes_once_and_no_other_and_the_last_batch_is_filled_from_the_front():
    rows = rows_of(batches())
    assert len(batches()) == 7 and len(rows) == 56
    assert sorted(rows[:50]) == list(ROWS)
    assert rows[50:] == rows[:6]


def test_fewer_rows_than_a_batch_are_repeated():
    assert filled_batches(np.array([3, 4, 5]), 8).tolist() == [[3, 4, 5, 3, 4, 5, 3, 4]]
    assert [count_batches(rows, 8) for rows in (0, 1, 8, 9)] == [0, 1, 1, 2]


@pytest.mark.parametrize("augmentation", [Augmentation(), VARIED])
def test_the_same_seed_stage_and_epoch_give_the_same_bits(augmentation):
    assert content(batches(3, augmentation=augmentation)) == content(batches(3, augmentation=augmentation))


def test_a_batch_is_the_same_whichever_were_asked_for_before():
    in_order, alone = list(batches(3, augmentation=VARIED))[4], batches(3, augmentation=VARIED)[4]
    np.testing.assert_array_equal(in_order[0], alone[0])
    np.testing.assert_array_equal(in_order[1], alone[1])


@pytest.mark.parametrize("other", [
    {"epoch": 4}, {"seed": (334, 0)}, {"seed": (333, 1)}])
def test_another_epoch_seed_or_stage_has_another_order(other):
    assert rows_of(batches(**{"epoch": 3, **other})) != rows_of(batches(epoch=3))


def test_an_image_is_augmented_otherwise_in_each_epoch_and_in_each_place():
    one_row = np.array([7])
    first, second = (batches(epoch, augmentation=VARIED, rows=one_row)[0][0] for epoch in (0, 1))
    assert len({image.tobytes() for image in (*first, *second)}) == 16


def test_without_augmentation_the_images_are_those_of_the_data():
    images, _ = batches()[0]
    np.testing.assert_array_equal(images, network_input(IMAGES[rows_of(batches())[:8]]))
