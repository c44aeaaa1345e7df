"""Shows the progress of a training in the terminal."""

import sys
from typing import TextIO

from report.text import formats

_STAGES = {"compile": "Compiling the network for the device", "fit": "Fit", "refit": "Refit",
           "predict": "Predicting"}


class Terminal:
    """Takes messages and `digits.launch.Progress`; writes one moving line, or a line an epoch.

    The moving line is for a terminal; a file or a pipe gets only what remains worth reading.
    """

    def __init__(self, stream: TextIO = sys.stdout):
        self.stream = stream
        self.moving = stream.isatty()
        self.open_line = False
        self.stage = None

    def __call__(self, event) -> None:
        if isinstance(event, str):
            self._line(event)
        elif event.val_loss is not None:
            self._line(describe(event))
        elif self.moving:
            self.stream.write(f"\r\x1b[K{describe(event)}")
            self.stream.flush()
            self.open_line = True
        elif event.stage != self.stage and event.stage in ("compile", "predict"):
            self._line(_STAGES[event.stage])
        self.stage = getattr(event, "stage", self.stage)

    def close(self) -> None:
        """End a line that is still moving, so that what follows starts on its own."""
        if self.open_line:
            self.stream.write("\n")
            self.open_line = False

    def _line(self, text: str) -> None:
        self.stream.write(("\r\x1b[K" if self.open_line else "") + text + "\n")
        self.stream.flush()
        self.open_line = False


def describe(event) -> str:
    """One line: "Fit, epoch 3 of 20, batch 120 of 296: loss 0.0812, accuracy 97.51%, ..."."""
    where = [_STAGES[event.stage]]
    if event.stage in ("fit", "refit"):
        where.append(f"epoch {event.epoch} of {event.epochs}")
    if event.batches and event.val_loss is None:
        where.append(f"batch {event.batch} of {event.batches}")
    numbers = []
    if event.loss is not None:
        numbers.append(f"loss {event.loss:.4f}")
    if event.acc is not None:
        numbers.append(f"accuracy {formats.percent(event.acc)}")
    if event.val_loss is not None:
        numbers.append(f"validation loss {event.val_loss:.4f}")
        numbers.append(f"validation accuracy {formats.percent(event.val_acc)}")
    if event.seconds_left is not None:
        numbers.append(f"{formats.duration(event.seconds_left)} left")
    return ", ".join(where) + (": " + ", ".join(numbers) if numbers else "")
