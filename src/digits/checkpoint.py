"""What a training needs to go on from its last finished epoch as if it had never stopped.

One file, replaced whole after each epoch, of plain arrays: the state of the network, the
optimizer and dropout; NumPy's random state, which shuffles; the history; and what the fit has
left for the report, once the refit has begun.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np

from digits.run import Epoch, replaced

NAME = "checkpoint.npz"


@dataclass(frozen=True)
class Checkpoint:
    """`state` is what plaidkeras.state gives; `random` is numpy.random.get_state(legacy=False);
    `after_fit` are arrays of Predictions by name, none before the fit has ended."""

    state: List[np.ndarray]
    random: dict
    history: List[Epoch]
    after_fit: Dict[str, np.ndarray]
    warnings: List[str]

    def epochs(self, stage: str) -> int:
        """How many epochs of a stage are finished."""
        return sum(epoch.stage == stage for epoch in self.history)


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint in a run folder, whole or not at all."""
    random = dict(checkpoint.random, state={"pos": checkpoint.random["state"]["pos"]})
    facts = {"random": random, "history": [asdict(epoch) for epoch in checkpoint.history],
             "warnings": checkpoint.warnings}
    with replaced(folder / NAME) as file:
        np.savez(file, facts=np.array(json.dumps(facts)),
                 random_key=checkpoint.random["state"]["key"],
                 **{f"state_{index}": array for index, array in enumerate(checkpoint.state)},
                 **{f"after_fit_{name}": array for name, array in checkpoint.after_fit.items()})


def load(folder: Path) -> Optional[Checkpoint]:
    """The checkpoint in a run folder; None if there is none, or none that can be read."""
    try:
        with np.load(folder / NAME, allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            facts["random"]["state"]["key"] = arrays["random_key"]
            states = sum(name.startswith("state_") for name in arrays.files)
            return Checkpoint(
                state=[arrays[f"state_{index}"] for index in range(states)],
                random=facts["random"],
                history=[Epoch(**epoch) for epoch in facts["history"]],
                after_fit={name[len("after_fit_"):]: arrays[name] for name in arrays.files
                           if name.startswith("after_fit_")},
                warnings=facts["warnings"])
    except Exception:  # readers of damaged bytes raise what they like
        return None
