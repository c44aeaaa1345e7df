"""What happens around Keras's training loop, each callback by itself."""

import plaidkeras

plaidkeras.install("llvm_cpu.0")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from digits.callbacks import (Average, ExpectMoreThanChance, TrainingFault, exceeds_chance,  # noqa: E402
                              expect_finite, learning_rate)
from digits.recipe import Schedule  # noqa: E402
from digits.run import Epoch  # noqa: E402

ONE_CYCLE = Schedule(name="one-cycle", warmup=0.15)


def test_a_constant_learning_rate_stays():
    assert {learning_rate(Schedule(), 0.7, step, 1_000) for step in range(1_000)} == {0.7}


def test_one_cycle_rises_in_a_line_to_its_peak_and_falls_along_half_a_cosine_to_zero():
    rates = np.array([learning_rate(ONE_CYCLE, 0.004, step, 1_000) for step in range(1_000)])
    np.testing.assert_allclose(np.diff(rates[:150]), 0.004 / 151, rtol=1e-9)
    assert rates.argmax() == 150 and rates[150] == 0.004
    falling = 0.002 * (1 + np.cos(np.pi * np.arange(850) / 850))
    np.testing.assert_allclose(rates[150:], falling, rtol=1e-9)
    assert (rates > 0).all() and rates[-1] < 1e-7


@pytest.mark.parametrize("warmup, total", [(0, 10), (0.15, 1), (0.15, 7), (0.99, 3)])
def test_one_cycle_stays_above_zero_and_below_its_peak_however_short_it_is(warmup, total):
    rates = [learning_rate(Schedule(name="one-cycle", warmup=warmup), 1.0, step, total) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)


def test_a_loss_that_is_no_number_is_a_fault_that_says_where():
    expect_finite(3.5, "fit", 2, "")
    with pytest.raises(TrainingFault, match="the loss became nan in epoch 2 of the refit, batch 1 of 4: .*llvm_cpu.0"):
        expect_finite(float("nan"), "refit", 2, ", batch 1 of 4")


def test_chance_is_to_name_the_most_common_digit_always_and_luck_is_four_deviations():
    labels = np.repeat(np.arange(10), 40)
    assert not exceeds_chance(0.10, labels) and not exceeds_chance(0.159, labels) and exceeds_chance(0.161, labels)
    assert not exceeds_chance(0.55, np.repeat([0, 1], [200, 200]))
    assert exceeds_chance(0.0, labels[:99])  # too few to tell


def judge(epoch, acc=0.10, val_acc=0.9, insist=False, stage="fit"):
    labels, warnings = np.repeat(np.arange(10), 40), []
    history = [Epoch(stage=stage, epoch=epoch, learning_rate=1.0, loss=2.3, acc=acc, val_loss=2.3,
                     val_acc=val_acc, seconds=1.0)]
    callback = ExpectMoreThanChance(history, labels, labels, insist, warnings)
    callback.on_epoch_end(epoch - 1)
    callback.on_epoch_end(epoch - 1)
    return warnings


def test_accuracy_at_chance_is_a_fault_from_the_third_epoch_on():
    assert judge(2) == []
    with pytest.raises(TrainingFault) as caught:
        judge(3)
    assert str(caught.value).startswith(
        "the training accuracy is 10.0% after epoch 3 of the fit, no better than guessing (10.0%)")
    assert "--insist" in str(caught.value) and "llvm_cpu.0" in str(caught.value)
    with pytest.raises(TrainingFault, match="the validation accuracy is 10.0%"):
        judge(3, acc=0.9, val_acc=0.10)


def test_who_insists_is_warned_once_of_each():
    assert [warning.split(" is ")[0] for warning in judge(3, val_acc=0.1, insist=True)] == [
        "the training accuracy", "the validation accuracy"]


def test_accuracy_above_chance_is_no_fault():
    assert judge(4, acc=0.5, val_acc=0.5) == []


def test_the_average_is_the_mean_of_the_last_epochs_weights():
    class Model:
        def get_weights(self):
            return [np.full(3, self.epoch, np.float32), np.full((2, 2), -self.epoch, np.float32)]

    average = Average(first=lambda: 2)
    average.model = Model()
    for average.model.epoch in range(5):
        average.on_epoch_end(average.model.epoch)
    assert average.count == 3
    np.testing.assert_array_equal(average.mean[0], [3, 3, 3])
    np.testing.assert_array_equal(average.mean[1], np.full((2, 2), -3))
    assert all(array.dtype == np.float32 for array in average.mean)
