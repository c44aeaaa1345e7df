"""What is shown while a network is trained, and of a site that is finished."""

import io
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from digits.evaluation import Evaluation, Promise
from digits.progress import Progress
from digits.run import Epoch
from digits.training import MemberProgress
from report.terminal import Terminal, summarise

BATCH = MemberProgress("network-1", 1, 1, Progress(
    stage="fit", epoch=3, epochs=20, batch=120, batches=296, loss=0.0812, acc=0.9751, seconds_left=130))
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


def evaluation(errors: int) -> Evaluation:
    probabilities = np.full((100, 10), 0.1 / 9)
    probabilities[:, 0] = 0.9
    return Evaluation(np.arange(100), (np.arange(100) < errors).astype(int), probabilities)


JUDGED, BETTER, WORSE = evaluation(4), evaluation(2), evaluation(6)


@pytest.mark.parametrize("promise, members, parts", [
    (Promise("same", JUDGED), 1, [
        "Accuracy: 96.00% (95% interval: 90.16% to 98.43%; 4 mistakes in 100 digits never learned from)",
        "Judged: the network, which also made the submission."]),
    (Promise("same", JUDGED), 3, ["Judged: the mean of 3 networks, which also made the submission."]),
    (Promise("folds", JUDGED), 5, ["Judged: each digit by the networks that had not learned from it; the "
                                   "submission is the mean of all 5, which is as good or better."]),
    (Promise("refit", JUDGED, JUDGED, BETTER), 1, [
        "Accuracy: 98.00%", "Judged: the network after the refit, which also made the submission. Before "
                            "it, these digits had 96.00%"]),
    (Promise("refit", JUDGED, JUDGED, WORSE), 1, [
        "Accuracy: 94.00%", "Warning: the refit made the network worse: the loss on these digits rose from "
                            "0.2811 to 0.3690. --refit-epochs 0 submits the network that was judged."]),
    (Promise("refit", JUDGED), 1, ["Judged: the network after the fit; the submission was made after a "
                                   "refit, and no digit is left that could judge that."])])
def test_the_summary_says_what_was_judged_and_what_was_submitted(capsys, promise, members, parts):
    run = SimpleNamespace(members=[None] * members, submission=Path("runs/a/submission.csv"))
    summarise(SimpleNamespace(run=run, promise=promise), Path("docs"))
    said = capsys.readouterr().out
    for part in (*parts, "Submission: runs/a/submission.csv", "Site: docs/index.html",
                 "python -m report serve --output docs"):
        assert part in said
    assert ("Warning" in said) == promise.refit_made_it_worse
