"""What the training process tells its parent: one JSON object a line."""

from dataclasses import dataclass
from typing import Optional

COMPILE, PREDICT = "compile", "predict"  # beside the stages "fit" and "refit" of digits.run


@dataclass(frozen=True)
class Progress:
    """How far the training is. Epochs and batches count from 1; accuracies are in 0..1.

    `stage` is "compile" (the first batch, for which PlaidML builds its kernels), "fit", "refit"
    or "predict". `loss` and `acc` are the means of the epoch so far; `val_loss` and `val_acc`
    come with the last message of an epoch. `seconds_left` is for the whole training.
    """

    stage: str
    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: Optional[float] = None
    acc: Optional[float] = None
    val_loss: Optional[float] = None
    val_acc: Optional[float] = None
    seconds_left: Optional[float] = None
