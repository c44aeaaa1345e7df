"""How far a member is, as it is written and read."""

import pytest

from digits import progress as module
from digits.progress import NAME, Progress, ProgressWriter, read_progress

FIT = Progress(stage="fit", epoch=1, epochs=2, batch=1, batches=4)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves on."""
    class Clock:
        now = 100.0
    monkeypatch.setattr(module.time, "perf_counter", lambda: Clock.now)
    return Clock


def test_what_is_written_is_read(tmp_path):
    ProgressWriter(tmp_path, 8, 0).write(FIT)
    assert read_progress(tmp_path) == FIT
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("content", [None, "", "{", '{"stage": "dance"}', "[]"])
def test_what_cannot_be_read_is_no_progress(tmp_path, content):
    if content is not None:
        (tmp_path / NAME).write_text(content)
    assert read_progress(tmp_path) is None


def test_the_time_left_is_that_of_the_batches_left_at_the_speed_so_far(tmp_path, clock):
    """Two batches to train on and three to predict from, a third as dear; the first is mostly compiling."""
    writer = ProgressWriter(tmp_path, 2, 3)
    clock.now += 60
    writer.trained_a_batch(FIT)
    assert read_progress(tmp_path).seconds_left is None
    clock.now += 3
    writer.trained_a_batch(FIT)
    assert read_progress(tmp_path).seconds_left == 3.0
    for left in (2.0, 1.0, 0.0):
        clock.now += 1
        writer.predicted_a_batch(FIT)
        assert read_progress(tmp_path).seconds_left == left


def test_it_is_written_a_few_times_a_second_and_after_an_epochs_last_batch(tmp_path, clock):
    writer = ProgressWriter(tmp_path, 8, 0)
    told = []
    for batch in (1, 2, 3, 4):
        clock.now += 0.15
        writer.trained_a_batch(FIT.model_copy(update={"batch": batch}))
        told.append(read_progress(tmp_path).batch)
    assert told == [1, 1, 3, 4]
