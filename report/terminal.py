"""What a training and a build show in the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from digits.run import FIT, REFIT
from report.errors import one_line
from report.text import formats

if TYPE_CHECKING:  # what reads data and draws is loaded by who does that
    from digits.training import MemberProgress
    from report.pages.study import Study

STAGES = {"compile": "Compiling the network for the device", "fit": "Fit", "refit": "Refit",
          "predict": "Predicting"}


class Terminal:
    """Takes lines and `digits.training.MemberProgress`: a bar a member with the time left, and a line
    an epoch above them. A file or a pipe gets the lines alone."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console(highlight=False)
        self.moves = self.console.is_terminal
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(complete_style="green", finished_style="green"), TextColumn("{task.fields[left]}"),
            console=self.console, transient=True, refresh_per_second=4, disable=not self.moves)
        self.tasks, self.stages = {}, {}

    def __enter__(self):
        self.bars.start()
        return self

    def __exit__(self, *_):
        self.bars.stop()

    def __call__(self, event: "str | MemberProgress") -> None:
        if isinstance(event, str):
            self._line(event)
            return
        stage = event.progress.stage
        if event.epoch:
            self._line(f"{_member(event)}{_where(event)}: {_numbers(event)}")
        elif not self.moves and stage != self.stages.get(event.member) and stage not in (FIT, REFIT):
            self._line(f"{_member(event)}{STAGES[stage]}")
        self.stages[event.member] = stage
        self._move_bar(event)

    def _line(self, text: str) -> None:
        self.console.print(Text(one_line(text)), soft_wrap=True)

    def _move_bar(self, event: "MemberProgress") -> None:
        if event.member not in self.tasks:
            self.tasks[event.member] = self.bars.add_task("", left="")
        now = event.progress
        epochs_done = now.epoch if event.epoch else now.epoch - 1
        left = "" if now.seconds_left is None else f"{formats.duration(now.seconds_left)} left"
        self.bars.update(
            self.tasks[event.member], description=f"{_member(event)}{_where(event)}", left=left,
            total=now.epochs, completed=epochs_done + now.batch / (now.batches or 1))


def summarise(study: "Study", output: Path) -> None:
    """Says how good the submission is, where the site is, and how to look at it."""
    from report.text.promise import expected_score, figure, refit_verdict, relation

    console = Console(highlight=False)
    expected, worse = study.promise.expected, study.promise.refit_made_it_worse
    low, high = map(formats.percent, expected.interval)
    lines = {
        "Accuracy": f"{formats.percent(expected.accuracy)} (95% interval: {low} to {high}) {figure(study)}.",
        "Judged": relation(study),
        "Warning" if worse else "Refit": refit_verdict(study) + " Leave it out with --refit-epochs 0." * worse,
        "Score": expected_score(study),
        "Submission": study.run.submission,
        "Site": output / "index.html"}
    for label, text in lines.items():
        if text:
            console.print(Text.assemble((f"{label}:", "bold"), f" {one_line(str(text))}"), soft_wrap=True)
    where = "" if output == Path("site") else f" --output {output}"
    console.print(Text(one_line(f"Open that file in a browser, or run: python -m report serve{where}")),
                  soft_wrap=True)


def _member(event: "MemberProgress") -> str:
    return "" if event.members == 1 else f"Network {event.number} of {event.members}: "


def _where(event: "MemberProgress") -> str:
    stage, now = event.progress.stage, event.progress
    return STAGES[stage] + (f", epoch {now.epoch} of {now.epochs}" if stage in (FIT, REFIT) else "")


def _numbers(event: "MemberProgress") -> str:
    """"loss 0.0812, accuracy 97.51%, ..." of a finished epoch."""
    epoch, left = event.epoch, event.progress.seconds_left
    return (f"loss {epoch.loss:.4f}, accuracy {formats.percent(epoch.acc)}, "
            f"validation loss {epoch.val_loss:.4f}, validation accuracy {formats.percent(epoch.val_acc)}"
            + ("" if left is None else f", {formats.duration(left)} left"))
