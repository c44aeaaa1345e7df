"""Several members at a time: on this machine, and on the workers of a Dask cluster."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from processes import is_running, wait_until

from digits.member import TrainingError
from digits.run import Run, finished_runs
from digits.training import MemberProgress

FOLDS = {"epochs": 2, "refit": {"epochs": 0}, "validation": {"folds": 3}}
TWO_FOLDS = {**FOLDS, "validation": {"folds": 2}}
FOLD_ROWS = 60  # of 40, the rarest digit has too few


@pytest.fixture
def data(write_csvs, tmp_path):
    return write_csvs(tmp_path / "data", train_rows=FOLD_ROWS)


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def pids_in(runs: Path) -> list[int]:
    return [int(path.read_text()) for path in runs.glob("*.unfinished/members/*/pid") if path.read_text()]


# How it ends, with a program in place of the training

def test_the_first_member_that_fails_ends_the_others_at_once(tiny, data, tmp_path, child_does):
    runs, started = tmp_path / "runs", time.perf_counter()
    child_does(f"""case "$5" in
*fold-1) while ! test -s {runs}/*.unfinished/members/fold-2/pid; do sleep 0.05; done; printf 'all is lost'; exit 1;;
*) echo $$ > "$5/pid"; exec sleep 60;;
esac""")
    with pytest.raises(TrainingError, match="^all is lost$"):
        tiny.train(runs, FOLDS, data=data, jobs=2)
    assert time.perf_counter() - started < 30
    wait_until(lambda: not any(map(is_running, pids_in(runs))), seconds=5)
    [run] = map(Run, runs.glob("*.unfinished"))
    assert (run.record.status, run.record.error) == ("failed", "all is lost")
    assert not (run.folder / "members" / "fold-3").exists()  # it waited for its turn


def test_ctrl_c_ends_all_members(tiny, data, tmp_path, child_does):
    runs, started = tmp_path / "runs", time.perf_counter()
    child_does('echo $$ > "$5/pid"; exec sleep 60')

    def interrupt():
        wait_until(lambda: len(pids_in(runs)) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        tiny.train(runs, FOLDS, data=data, jobs=2)
    assert time.perf_counter() - started < 30
    pids = pids_in(runs)
    wait_until(lambda: not any(map(is_running, pids)))
    assert len(pids) == 2
    [run] = map(Run, runs.glob("*.unfinished"))
    assert (run.record.status, run.record.error) == ("failed", "KeyboardInterrupt")


def test_each_of_several_members_gets_its_part_of_the_cores(tiny, data, tmp_path, child_does):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system pins no process to cores")
    runs, cores = tmp_path / "runs", len(os.sched_getaffinity(0))
    child_does('sleep 0.5; taskset -p $$ > "$5/cores"; exit 3')
    with pytest.raises(TrainingError):
        tiny.train(runs, FOLDS, data=data, jobs=2)
    masks = [int(path.read_text().split()[-1], 16) for path in runs.glob("*.unfinished/members/*/cores")]
    assert masks and {mask.bit_count() for mask in masks} == {max(1, cores // 2)}


@pytest.mark.slow  # it is given ten seconds to answer
@pytest.mark.needs("dask")
def test_a_scheduler_that_is_not_there_is_one_message(tiny, data, tmp_path):
    with pytest.raises(TrainingError, match="--dask tcp://127.0.0.1:9: no scheduler answers there") as caught:
        tiny.train(tmp_path / "runs", FOLDS, data=data, dask="tcp://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_without_dask_one_message_says_how_to_install_it(tiny, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(TrainingError, match=r"--dask needs the extra .*pip install 'plaidml-report\[dask\]'"):
        tiny.train(tmp_path / "runs", FOLDS, data=data, dask="tcp://127.0.0.1:9")


# Real trainings

@pytest.fixture(scope="module")
def in_turn(tiny, write_csvs, tmp_path_factory):
    """Two folds, one after another."""
    folder, told = tmp_path_factory.mktemp("in-turn"), []
    data = write_csvs(folder / "data", train_rows=FOLD_ROWS)
    run = tiny.train(folder / "runs", TWO_FOLDS, data=data, report=told.append)
    return run, told


def expect_same(one: Run, other: Run) -> None:
    assert one.record.members == other.record.members
    for ours, theirs in zip(one.members, other.members):
        for group in ("rows", "predictions"):
            for name, array in vars(getattr(ours, group)).items():
                np.testing.assert_array_equal(array, getattr(getattr(theirs, group), name), err_msg=name)
        for name, array in ours.weights.items():
            np.testing.assert_array_equal(array, theirs.weights[name], err_msg=name)
        assert [epoch.loss for epoch in ours.history] == [epoch.loss for epoch in theirs.history]
    assert one.submission.read_bytes() == other.submission.read_bytes()


@pytest.mark.slow
def test_folds_are_members_of_one_run_and_each_tells_its_progress(in_turn):
    run, told = in_turn
    run.read()
    assert run.record.members == ("fold-1", "fold-2")
    assert [member.record.fold for member in run.members] == [1, 2]
    assert np.sort(np.concatenate([member.rows.validation for member in run.members])).tolist() == list(range(60))
    epochs = [(each.member, each.number, each.members, each.epoch.epoch)
              for each in told if isinstance(each, MemberProgress) and each.epoch]
    assert epochs == [(f"fold-{fold}", fold, 2, epoch) for fold in (1, 2) for epoch in (1, 2)]
    mean = np.mean([member.predictions.test for member in run.members], axis=0, dtype=np.float64)
    labels = [int(line.split(",")[1]) for line in run.submission.read_text().splitlines()[1:]]
    assert labels == mean.argmax(axis=1).tolist()


@pytest.mark.slow
def test_members_trained_two_at_a_time_come_out_as_one_after_another(in_turn, tiny, data, tmp_path):
    told = []
    run = tiny.train(tmp_path / "runs", TWO_FOLDS, data=data, jobs=2, report=told.append)
    expect_same(run, in_turn[0])
    progress = [each for each in told if isinstance(each, MemberProgress)]
    assert {each.member for each in progress} == {"fold-1", "fold-2"}
    assert {each.number for each in progress} == {1, 2}
    assert [each.epoch.epoch for each in progress if each.epoch and each.member == "fold-2"] == [1, 2]


@pytest.mark.slow
def test_finished_members_are_not_trained_again(in_turn, tiny, data, tmp_path):
    """One is finished, one was interrupted."""
    runs = tmp_path / "runs"
    process = start_training(tiny, data, runs, jobs=1)
    wait_until(lambda: list(runs.glob("*.unfinished/members/fold-2/checkpoint.npz")), seconds=300)
    process.kill()
    process.communicate()
    [unfinished] = runs.glob("*.unfinished")
    first = unfinished / "members" / "fold-1"
    before = {path.name: path.stat().st_mtime_ns for path in first.iterdir() if path.is_file()}
    assert json.loads((first / "member.json").read_text())["status"] == "finished"
    assert finished_runs(runs) == []
    told = []
    run = tiny.train(runs, TWO_FOLDS, data=data, report=told.append)
    expect_same(run, in_turn[0])
    after = {path.name: path.stat().st_mtime_ns for path in run.members[0].folder.iterdir()}
    assert {name: before[name] for name in after} == after
    assert told[0].startswith("Going on with an interrupted training in ")
    assert any(str(each).startswith("Going on after epoch ") and "of fold-2" in str(each) for each in told)


def start_training(tiny, data, runs, **options) -> subprocess.Popen:
    from made_runs import TINY

    code = ("import sys; from pathlib import Path; from digits import training; "
            f"training.train(Path({str(data)!r}), 'best', {({**TINY, **TWO_FOLDS})!r}, Path({str(runs)!r}), "
            f"'llvm_cpu.0', False, lambda told: None, **{options!r})")
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def begun(runs: Path) -> Path:
    """The checkpoint of the first member that has one."""
    return wait_until(lambda: list(runs.glob("*.unfinished/members/*/checkpoint.npz")), seconds=300)[0]


# A Dask cluster

@contextmanager
def cluster(folder: Path, workers: int):
    """A scheduler and workers, each a process of its own on loopback; without nannies, so that a worker
    that is killed stays dead."""
    log = open(folder / "cluster.log", "wb")
    scheduler_file = folder / "scheduler.json"

    def start(*command):
        return subprocess.Popen([sys.executable, "-m", "distributed.cli." + command[0], *command[1:]],
                                stdout=log, stderr=log, cwd=folder, env={**os.environ, "PYTHONWARNINGS": "default"})

    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                      "--scheduler-file", str(scheduler_file))
    processes = [scheduler]
    try:
        wait_until(lambda: scheduler_file.exists() and scheduler_file.read_text())
        address = json.loads(scheduler_file.read_text())["address"]
        for number in range(workers):
            processes.append(start("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                                   "--name", f"worker-{number}", "--local-directory", str(folder)))
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
        log.close()


@pytest.mark.slow
@pytest.mark.needs("dask")
def test_a_worker_that_is_killed_costs_nothing_but_time(in_turn, tiny, data, tmp_path):
    """Its member is resumed by the other worker; the same run comes out as one after another."""
    runs, told, ended = tmp_path / "runs", [], {}
    with cluster(tmp_path, workers=2) as (address, workers):

        def kill_the_first():
            checkpoint = begun(runs)
            for worker in workers:
                for child in children_of(worker.pid):
                    if str(checkpoint.parent) in Path(f"/proc/{child}/cmdline").read_text():
                        worker.send_signal(signal.SIGKILL)
                        ended.update(worker=worker, child=child)

        thread = threading.Thread(target=kill_the_first)
        thread.start()
        run = tiny.train(runs, TWO_FOLDS, data=data, dask=address, report=told.append)
        thread.join()
        assert ended["worker"].wait() == -signal.SIGKILL and not is_running(ended["child"])
        assert all(worker.poll() is None for worker in workers if worker is not ended["worker"])
    expect_same(run, in_turn[0])
    epochs = [(each.member, each.epoch.epoch) for each in told if isinstance(each, MemberProgress) and each.epoch]
    assert sorted(epochs) == [(f"fold-{fold}", epoch) for fold in (1, 2) for epoch in (1, 2)]
    assert finished_runs(runs)[0].record.members == run.record.members


@pytest.mark.slow
@pytest.mark.needs("dask")
def test_a_member_that_fails_on_a_worker_is_one_message(tiny, data, tmp_path):
    with cluster(tmp_path, workers=1) as (address, _):
        with pytest.raises(TrainingError, match="opencl_nothing.7") as caught:
            tiny.train(tmp_path / "runs", TWO_FOLDS, data=data, dask=address, device="opencl_nothing.7")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.needs("dask")
def test_a_scheduler_that_is_lost_is_one_message_and_what_was_learned_is_kept(tiny, data, tmp_path):
    runs = tmp_path / "runs"
    with cluster(tmp_path, workers=1) as (address, [worker]):
        process = start_training(tiny, data, runs, dask=address)
        checkpoint = begun(runs)
        [child] = children_of(worker.pid)  # it is trained there, though there is but one worker
        assert str(checkpoint.parent) in Path(f"/proc/{child}/cmdline").read_text()
    complained = process.communicate(timeout=120)[1].strip().splitlines()[-1]
    assert process.returncode == 1 and "the cluster was lost" in complained, complained
    [run] = map(Run, runs.glob("*.unfinished"))
    assert run.record.status == "failed" and "the cluster was lost" in run.record.error
    assert checkpoint.exists() and finished_runs(runs) == []
