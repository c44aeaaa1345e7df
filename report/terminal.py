"""What a training and a build show in the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from digits.run import FIT, REFIT
from report.errors import one_line
from report.text.formats import duration, percent

if TYPE_CHECKING:  # what reads data and draws is imported where it is used
    from digits.training import MemberProgress
    from report.pages.study import Study

STAGES = {"compile": "Compiling the network for the device", "fit": "Fit", "refit": "Refit",
          "predict": "Predicting"}


class Terminal:
    """Takes lines and `digits.training.MemberProgress`: a bar a member with the time left, and a line
    an epoch above them. A file or a pipe gets the lines alone."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console(highlight=False)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(complete_style="green", finished_style="green"), TextColumn("{task.fields[left]}"),
            console=self.console, transient=True, refresh_per_second=4, disable=not self.console.is_terminal)
        self.tasks, self.stages = {}, {}

    def __enter__(self):
        self.bars.start()
        return self

    def __exit__(self, *_):
        self.bars.stop()

    def __call__(self, event: "str | MemberProgress") -> None:
        if isinstance(event, str):
            _line(self.console, event)
            return
        now, epoch = event.progress, event.epoch
        member = "" if event.members == 1 else f"Network {event.number} of {event.members}: "
        learns = now.stage in (FIT, REFIT)
        doing = STAGES[now.stage] + (f", epoch {now.epoch} of {now.epochs}" if learns else "")
        left = "" if now.seconds_left is None else f"{duration(now.seconds_left)} left"
        if epoch:
            told = (f"loss {epoch.loss:.4f}, accuracy {percent(epoch.acc)}, validation loss {epoch.val_loss:.4f}, "
                    f"validation accuracy {percent(epoch.val_acc)}")
            _line(self.console, f"{member}{doing}: {', '.join(filter(None, [told, left]))}")
        elif not self.console.is_terminal and not learns and now.stage != self.stages.get(event.member):
            _line(self.console, member + doing)
        self.stages[event.member] = now.stage
        if event.member not in self.tasks:
            self.tasks[event.member] = self.bars.add_task("", left="")
        done = now.epoch if epoch else now.epoch - 1
        self.bars.update(self.tasks[event.member], description=member + doing, left=left, total=now.epochs,
                         completed=done + now.batch / (now.batches or 1))


def summarise(study: "Study", output: Path) -> None:
    """Says how good the submission is, where the site is, and how to look at it."""
    from report.text.promise import expected_score, figure, refit_verdict, relation

    console = Console(highlight=False)
    expected, worse = study.promise.expected, study.promise.refit_made_it_worse
    low, high = map(percent, expected.interval)
    advice = " Leave it out with --refit-epochs 0." if worse else ""
    for label, text in {
            "Accuracy": f"{percent(expected.accuracy)} (95% interval: {low} to {high}) {figure(study)}.",
            "Judged": relation(study),
            "Warning" if worse else "Refit": refit_verdict(study) + advice,
            "Score": expected_score(study),
            "Submission": str(study.run.submission),
            "Site": str(output / "index.html")}.items():
        if text:
            _line(console, text, label)
    where = "" if output == Path("site") else f" --output {output}"
    _line(console, f"Open that file in a browser, or run: python -m report serve{where}")


def _line(console: Console, text: str, label: str = "") -> None:
    console.print(Text.assemble((f"{label}: " * bool(label), "bold"), one_line(text)), soft_wrap=True)
