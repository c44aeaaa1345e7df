"""What a program computes on its way shares memory, where it is not needed at the same time.

PlaidML's CPU compiler gives each such tensor memory of its own for the whole step. But it can take them all
from one block, at offsets: here a program gets these before it is translated. Its statements run one after the
other, so a temporary is alive from the first that names it to the last. In a training step of the notebook's
network they take half the memory.

PlaidML sets all tensors that it pads to zero before everything else. Each is set to zero right before it is
first used here: it is not alive earlier, and is still in the cache.

What lies within a statement is left as it is: its parts run in threads, each with memory of its own.
"""

import math
from collections.abc import Iterator

import numpy as np

from plaidkeras.wire_format import field, fields

# Fields of stripe.proto, with its attributes that have no value, and of tile/proto/shape.proto.
REFINEMENTS, STATEMENTS = 5, 6  # of a Block
BLOCK, SPECIAL = 6, 7  # of a Statement
NAME, INPUTS, OUTPUTS = 1, 2, 3  # of a Special
DIRECTION, FROM, SHAPE, OFFSET, ATTRIBUTES = 1, 2, 5, 8, 10  # of a Refinement
TYPE, DIMENSIONS = 1, 3  # of a TensorShape
SIZE, STRIDE = 1, 2  # of a Dimension
KEY, VALUE = 1, 2  # of an entry of a map
PLACED = field(ATTRIBUTES, field(KEY, b"placed") + field(VALUE, b""))  # says that the offset counts
BYTES = {2: 1, 16: 1, 17: 2, 18: 4, 19: 8, 20: 16, 32: 1, 33: 2, 34: 4, 35: 8, 49: 2, 50: 4, 51: 8, 56: 2}
ALIGNMENT = 64  # bytes


def share_memory(program: bytes) -> bytes:
    """A program, that is a Block of stripe.proto that holds another one, with offsets for what that one allocates."""
    return b"".join(field(number, _changed(content, _block_with_offsets) if number == STATEMENTS else content)
                    for number, content in fields(program))


def _block_with_offsets(block: bytes) -> bytes:
    content = list(fields(block))
    statements = _zeros_last([part for number, part in content if number == STATEMENTS])
    sizes = {name: size for number, part in content if number == REFINEMENTS
             for name, size in [_allocated(*_entry(part))] if size}
    lives = {}
    for at, statement in enumerate(statements):
        for name in _tensors(statement):
            lives[name] = lives.get(name, (at,))[0], at
    offsets = place([(size, *lives[name]) for name, size in sizes.items() if name in lives])
    offsets = dict(zip((name for name in sizes if name in lives), offsets))

    def with_offset(part):
        name, refinement = _entry(part)
        if name in offsets:
            part = field(KEY, name) + field(VALUE, refinement + field(OFFSET, offsets[name]) + PLACED)
        return part

    return b"".join(field(number, with_offset(part) if number == REFINEMENTS else part)
                    for number, part in content if number != STATEMENTS) \
        + b"".join(field(STATEMENTS, statement) for statement in statements)


def place(temporaries: list[tuple[int, int, int]]) -> list[int]:
    """Offsets of temporaries (bytes, first statement, last statement), so that those alive at once lie apart.

    The largest come first; each goes into the smallest gap that has room for it.
    """
    offsets = [0] * len(temporaries)
    placed = np.zeros((len(temporaries), 4), "int64")  # start, end, first, last
    for count, this in enumerate(sorted(range(len(temporaries)), key=lambda each: -temporaries[each][0])):
        size, first, last = temporaries[this]
        alive = placed[:count][(placed[:count, 2] <= last) & (first <= placed[:count, 3])]
        start, ends = 0, 0
        gaps = []
        for start, end in sorted(map(tuple, alive[:, :2].tolist())):
            if start - ends >= size:
                gaps.append((start - ends, ends))
            ends = max(ends, end)
        offsets[this] = min(gaps)[1] if gaps else ends
        placed[count] = offsets[this], offsets[this] + -(-size // ALIGNMENT) * ALIGNMENT, first, last
    return offsets


def _zeros_last(statements: list[bytes]) -> list[bytes]:
    """Statements that set a tensor to zero right before those that name it next."""
    ordered, waiting = [], {}
    for statement in statements:
        names = _tensors(statement)
        if _is_zero(statement):
            waiting[names[0]] = statement
            continue
        ordered += [waiting.pop(name) for name in names if name in waiting]
        ordered.append(statement)
    return ordered + [*waiting.values()]


def _is_zero(statement: bytes) -> bool:
    return any(number == SPECIAL and (NAME, b"zero") in fields(content) for number, content in fields(statement))


def _tensors(statement: bytes) -> list[bytes]:
    """The names of the tensors that a statement names, of those around it."""
    names = []
    for number, content in fields(statement):
        if number == BLOCK:
            names += [part for inner, entry in fields(content) if inner == REFINEMENTS
                      for kind, part in fields(_entry(entry)[1]) if kind == FROM and part]
        elif number == SPECIAL:
            names += [part for kind, part in fields(content) if kind in (INPUTS, OUTPUTS)]
    return names


def _entry(entry: bytes) -> tuple[bytes, bytes]:
    parts = dict(fields(entry))
    return parts.get(KEY, b""), parts.get(VALUE, b"")


def _allocated(name: bytes, refinement: bytes) -> tuple[bytes, int]:
    """How many bytes a refinement allocates; 0 if it is a part of another one."""
    parts = dict(fields(refinement))
    if parts.get(DIRECTION) or parts.get(FROM):
        return name, 0
    shape = list(fields(parts[SHAPE]))
    dimensions = [dict(fields(part)) for number, part in shape if number == DIMENSIONS]
    elements = 1 + sum((each[SIZE] - 1) * each.get(STRIDE, 0) for each in dimensions)
    return name, elements * BYTES[dict(shape)[TYPE]]


def _changed(statement: bytes, change) -> bytes:
    """A statement whose block is changed."""
    return b"".join(field(number, change(content) if number == BLOCK else content)
                    for number, content in fields(statement))
