"""What a program computes on its way shares memory, where it is not needed at the same time.

PlaidML's CPU compiler gives each such tensor memory of its own for the whole step. But it can take them all
from one block, at offsets: here a program gets these before it is translated. Its statements run one after the
other, so a temporary is alive from the first that names it to the last. In a training step of the notebook's
network they take half the memory.

What lies within a statement is left as it is: its parts run in threads, each with memory of its own.
"""

import numpy as np

from plaidkeras import stripe
from plaidkeras.stripe import Tensor
from plaidkeras.wire_format import field

PLACED = field(stripe.ATTRIBUTES, stripe.entry(b"placed", b""))  # says that the offset counts
ALIGNMENT = 64  # bytes
ENDLESS = 2 ** 62  # bytes: behind all others there is room


def share_memory(program: bytes) -> bytes:
    """A program with offsets for its temporaries."""
    return stripe.change_tensors(program, _with_offsets)


def _with_offsets(statements: list[bytes], tensors: list[Tensor]) -> list[Tensor]:
    lives = {}
    for at, statement in enumerate(statements):
        for name in stripe.named(statement):
            lives[name] = lives.get(name, (at,))[0], at
    ours = [tensor for tensor in tensors if tensor.is_allocated and tensor.name in lives]
    offsets = place([(tensor.bytes, *lives[tensor.name]) for tensor in ours])
    placed = {tensor.name: Tensor(tensor.name, tensor.message + field(stripe.OFFSET, offset) + PLACED)
              for tensor, offset in zip(ours, offsets)}
    return [placed.get(tensor.name, tensor) for tensor in tensors]


def place(temporaries: list[tuple[int, int, int]]) -> list[int]:
    """Offsets of temporaries (bytes, first statement, last statement), so that those alive at once lie apart.

    The largest come first; each goes into the smallest gap that has room for it.
    """
    offsets = [0] * len(temporaries)
    placed = np.zeros((len(temporaries), 4), "int64")  # begin, end, first, last
    for count, this in enumerate(sorted(range(len(temporaries)), key=lambda each: -temporaries[each][0])):
        size, first, last = temporaries[this]
        others = placed[:count]
        alive = others[(others[:, 2] <= last) & (first <= others[:, 3])]
        alive = alive[alive[:, 0].argsort()]
        gaps_begin = np.maximum.accumulate(np.append(0, alive[:, 1]))
        gaps = np.append(alive[:, 0], ENDLESS) - gaps_begin
        gap = np.where(gaps < size, ENDLESS + 1, gaps).argmin()
        offsets[this] = int(gaps_begin[gap])
        placed[count] = offsets[this], offsets[this] + -(-size // ALIGNMENT) * ALIGNMENT, first, last
    return offsets
