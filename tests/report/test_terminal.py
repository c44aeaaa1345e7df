"""What is shown while a network is trained, and of a site that is finished."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from digits.progress import Progress
from digits.run import Epoch
from digits.training import MemberProgress
from report.pages.study import Study
from report.terminal import Terminal, summarise
from report.text import formats

BATCH = MemberProgress("network-1", 1, 1, Progress(
    stage="fit", epoch=3, epochs=20, batch=120, batches=296, seconds_left=130))
COMPILING = replace(BATCH, progress=Progress(stage="compile", epoch=1, epochs=20, batch=1, batches=296))
EPOCH = replace(
    BATCH, progress=Progress(stage="fit", epoch=3, epochs=20, batch=0, batches=0, seconds_left=125),
    epoch=Epoch(stage="fit", epoch=3, learning_rate=1, loss=0.08, acc=0.976, val_loss=0.05, val_acc=0.985,
                seconds=10))
EPOCH_LINE = ("Fit, epoch 3 of 20: loss 0.0800, accuracy 97.60%, validation loss 0.0500, "
              "validation accuracy 98.50%, 2 min 5 s left")
TERMINAL = {"force_terminal": True, "color_system": None}


def shown(*events, **console) -> str:
    console = Console(file=io.StringIO(), width=120, highlight=False, **console)
    with Terminal(console) as terminal:
        for event in events:
            terminal(event)
    return console.file.getvalue()


def test_a_pipe_gets_a_line_an_epoch_and_no_control_characters():
    text = shown("Device: llvm_cpu.0 \x1b[31m", BATCH, BATCH, EPOCH)
    assert text.splitlines() == ["Device: llvm_cpu.0 \\x1b[31m", EPOCH_LINE]
    assert text.replace("\n", "").isprintable()


def test_compiling_is_announced_once():
    assert shown(COMPILING, COMPILING, BATCH) == "Compiling the network for the device\n"


def test_a_terminal_gets_a_bar_with_the_time_left_and_the_epochs_above_it():
    text = shown(BATCH, **TERMINAL)
    assert re.search("Fit, epoch 3 of 20 [━╸╺ ]+ 2 min 10 s left", text)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is there again
    assert EPOCH_LINE in shown(BATCH, EPOCH, **TERMINAL)


def test_each_network_has_its_bar_and_is_named():
    second = replace(EPOCH, member="network-2", number=2, members=2)
    text = shown(replace(BATCH, members=2), second, **TERMINAL)
    assert "Network 1 of 2: Fit, epoch 3 of 20 " in text
    assert f"Network 2 of 2: {EPOCH_LINE}" in text


@pytest.mark.parametrize("worse", [False, True])
def test_the_summary_says_what_was_judged_what_was_submitted_and_what_the_refit_did(
        make_run, capsys, worse):
    shown = Study(make_run(worse=worse))
    summarise(shown, Path("docs"))
    said = capsys.readouterr().out
    for part in (f"Accuracy: {formats.percent(shown.promise.after.accuracy)} (95% interval: ", "after the refit.\n",
                 "The submission was made after it", "\nScore: ",
                 f"Submission: {shown.run.submission}\n", "Site: docs/index.html\n",
                 "python -m report serve --output docs\n"):
        assert part in said
    assert ("Warning: The refit made the network worse: " in said) == worse
    assert ("Leave it out with --refit-epochs 0." in said) == worse


def test_the_summary_of_a_run_without_a_refit_says_nothing_of_one(make_run, capsys):
    shown = Study(make_run(refit=False))
    summarise(shown, Path("site"))
    said = capsys.readouterr().out
    assert "Accuracy: 91.67% (95% interval: 81.93% to 96.39%) of 60 digits" in said
    assert "The network that was judged made the submission." in said
    assert "refit" not in said.replace(str(shown.run.submission), "").lower() and "--output" not in said
