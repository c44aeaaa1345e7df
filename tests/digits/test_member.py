"""A member as a job: one at a time in a folder, in a process of its own, whose end is explained."""

import functools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import processes
import pytest

from digits import member as jobs
from digits import recipes
from digits.data import store
from digits.member import TrainingError, is_finished, train_member
from digits.run import FAILED, FINISHED, TRAINING, Member, MemberRecord, write_record
from digits.splits import plan_members

RECIPE = recipes.BEST.changed({"epochs": 1, "batch_size": 8})


@pytest.fixture
def train(sample, tmp_path):
    """Trains a member on the sample, in a folder of its own unless told another."""
    [plan] = plan_members(sample.train_labels, RECIPE)
    dataset = store(sample, tmp_path / "runs")

    def train(folder=tmp_path / "member", device="llvm_cpu.0", **options):
        return train_member(dataset, RECIPE, plan.rows, plan.seed, folder, device=device, **options)
    return train


def record(folder) -> MemberRecord:
    return Member(folder, {}).record


wait_until = functools.partial(processes.wait_until, seconds=20)


def wait_for(path) -> None:
    wait_until(lambda: path.exists() and path.read_text())


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_parent_loads_neither_keras_nor_plaidml():
    code = ("import sys, digits.member, digits.training, digits.workers; "
            "print([name for name in sys.modules if 'keras' in name or 'plaidml' in name])")
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_its_rows_and_record_are_there_before_it_is_trained(train, child_does, sample, tmp_path):
    child_does("exit 3")
    with pytest.raises(TrainingError):
        train(fold=2)
    [plan] = plan_members(sample.train_labels, RECIPE)
    member = Member(tmp_path / "member", {"train": len(sample.train_labels)})
    np.testing.assert_array_equal(member.rows.training, plan.rows.training)
    assert (member.record.name, member.record.seed, member.record.fold) == ("member", 333, 2)


def test_a_finished_member_is_left_as_it_is(train, child_does, tmp_path):
    child_does("exit 3")  # and not needed
    folder = tmp_path / "member"
    folder.mkdir()
    write_record(folder / "member.json", MemberRecord(name="member", status=FINISHED, seed=333))
    before = (folder / "member.json").read_bytes()
    assert train() == folder
    assert (folder / "member.json").read_bytes() == before and not (folder / "rows.npz").exists()


def test_a_record_that_cannot_be_read_is_no_finished_member(tmp_path):
    assert not is_finished(tmp_path)
    (tmp_path / "member.json").write_text("{")
    assert not is_finished(tmp_path)


@pytest.mark.parametrize("commands, says", [
    ("kill -SEGV $$", "the training process on llvm_cpu.0 was ended by SIGSEGV; try again"),
    ("kill -KILL $$", "was ended by SIGKILL; if nobody ended it, memory ran out"),
    ("exit 3", "ended with exit code 3; try again"),
    ("exit 0", "ended with exit code 0"),
    ("printf 'all is lost'; exit 1", "all is lost"),
    ("printf '\\377'; exit 1", "\ufffd")])
def test_an_end_is_explained_and_noted(train, child_does, tmp_path, commands, says):
    child_does(f"echo last words >&2; {commands}")
    with pytest.raises(TrainingError) as caught:
        train()
    assert says in str(caught.value)
    assert record(tmp_path / "member").status == FAILED
    assert record(tmp_path / "member").error == str(caught.value)
    log = tmp_path / "member" / "log.txt"
    assert log.read_text() == "last words\n"
    assert str(log) in str(caught.value) or "printf" in commands


def test_a_crash_names_the_device_that_was_taken(train, child_does, tmp_path):
    child_does("""sed -i 's/"device": null/"device": {"id": "opencl_x.0", "description": "", "reason": ""}/' \
"$5/member.json"; kill -SEGV $$""")
    with pytest.raises(TrainingError, match="the training process on opencl_x.0 was ended by SIGSEGV"):
        train(device=None)


def test_ctrl_c_ends_the_child_and_is_noted(train, child_does, tmp_path):
    pid = tmp_path / "pid"
    child_does(f"echo $$ > {pid}; exec sleep 60")

    def interrupt():
        wait_for(pid)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        train()
    assert not processes.is_running(int(pid.read_text()))
    assert (record(tmp_path / "member").status, record(tmp_path / "member").error) == (FAILED, "KeyboardInterrupt")


def test_a_second_training_of_a_member_is_refused_in_one_message(train, child_does, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SECONDS_FOR_A_DEAD_WORKER", 0.2)
    pid, ends = tmp_path / "pid", []
    child_does(f"echo $$ > {pid}; exec sleep 60")

    def first():
        with pytest.raises(TrainingError) as caught:
            train()
        ends.append(str(caught.value))

    thread = threading.Thread(target=first)
    thread.start()
    wait_for(pid)
    with pytest.raises(TrainingError) as caught:
        train()
    assert str(caught.value) == (
        f"{tmp_path / 'member'}: another training of this member is going on; wait for its end")
    assert record(tmp_path / "member").status == TRAINING  # the first goes on
    os.kill(int(pid.read_text()), signal.SIGTERM)
    thread.join()
    assert "SIGTERM" in ends[0]


def test_members_in_other_folders_are_trained_at_once(train, child_does, tmp_path):
    child_does('echo $$ > "$5/pid"; exec sleep 60')
    folders = [tmp_path / "one", tmp_path / "two"]

    def train_until_ended(folder):
        with pytest.raises(TrainingError, match="SIGTERM"):
            train(folder)

    threads = [threading.Thread(target=train_until_ended, args=[folder]) for folder in folders]
    for thread in threads:
        thread.start()
    for folder in folders:
        wait_for(folder / "pid")  # both run
    for folder in folders:
        os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
    for thread in threads:
        thread.join()


def test_the_lock_of_a_process_that_was_killed_is_free(train, child_does, tmp_path):
    folder = tmp_path / "member"
    folder.mkdir()
    holder = subprocess.Popen([sys.executable, "-c", (
        f"import time, filelock\nlock = filelock.FileLock({str(folder / '.lock')!r})\nlock.acquire()\n"
        "print('held', flush=True)\ntime.sleep(60)")], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.communicate()
    child_does("exit 3")
    with pytest.raises(TrainingError, match="exit code 3"):
        train()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system pins no process to cores")
def test_a_child_gets_as_many_cores_as_it_is_given_and_neighbours_get_others(train, child_does, tmp_path):
    allowed = sorted(os.sched_getaffinity(0))
    child_does('sleep 0.2; exec taskset -cp $$ > "$5/cores"')
    for name in ("one", "two"):
        with pytest.raises(TrainingError):
            train(tmp_path / name, cores=1)
    cores = [int((tmp_path / name / "cores").read_text().split()[-1]) for name in ("one", "two")]
    assert set(cores) <= set(allowed) and len(set(cores)) == min(2, len(allowed))


def test_a_folder_that_cannot_be_written_is_told(train, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="file/member: cannot be written \\(Not a directory\\)"):
        train(tmp_path / "file" / "member")


# The real child

def test_a_device_that_is_not_there_is_one_message(train, tmp_path):
    with pytest.raises(TrainingError, match="opencl_nothing.7") as caught:
        train(device="opencl_nothing.7")
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)
    assert record(tmp_path / "member").error == str(caught.value)
    assert "Traceback" in (tmp_path / "member" / "log.txt").read_text()


@pytest.mark.parametrize("ending", ["SIGKILL", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_the_child_ends_as_soon_as_its_parent_does(sample, tmp_path, ending):
    """The parent holds the other end of the child's standard input, and nothing more is needed."""
    recipe = RECIPE.changed({"epochs": 1000})  # hours
    folder, dataset = tmp_path / "member", store(sample, tmp_path)
    code = ("import sys; from pathlib import Path; from digits import member, recipe, splits, data; "
            "sample = data.load(Path('no such folder')); "
            f"recipe = recipe.Recipe.model_validate_json({recipe.model_dump_json()!r}); "
            "[plan] = splits.plan_members(sample.train_labels, recipe); "
            f"member.train_member(Path({str(dataset)!r}), recipe, plan.rows, 333, Path({str(folder)!r}), "
            "device='llvm_cpu.0')")
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as parent:
        wait_until(lambda: (folder / "member.json").exists() and record(folder).device)
        [child] = children(parent.pid)
        parent.send_signal(signal.Signals[ending])
        parent.wait()
    wait_until(lambda: not processes.is_running(child))
