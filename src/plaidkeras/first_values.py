"""Where a program sets tensors to zero, or to the first value of a sum or product.

PlaidML does so in a statement of its own, for the whole tensor: of all that it pads even before everything else.
Then it goes to memory, and comes back when it is used: a fifth of a step of a network of depthwise convolutions
went into that. Here

- a statement whose parts add up to tiles of a tensor sets each of them, right before;
- of a tensor that is written in the middle only what lies around that is set to zero;
- all else is set right before it is used.
"""

import itertools
import math

from plaidkeras import stripe
from plaidkeras.stripe import Tensor, named, part, parts, tensors

# PlaidML would set maxima and minima to infinities there, in place of the largest numbers.
SET = {b"add": b"agg_init_add", b"mul": b"agg_init_mul"}


def set_late(program: bytes) -> bytes:
    """A program that sets them so, and computes the same."""
    return stripe.change_statements(program, _late)


def _late(statements: list[bytes], named_around: list[Tensor]) -> list[bytes]:
    around = {tensor.name: tensor for tensor in named_around}
    ordered, waiting = [], {}
    for statement in statements:
        if is_zero(statement) or _is_first_value(statement, around):
            waiting[named(statement)[0]] = statement
            continue
        for name in dict.fromkeys(named(statement)):
            if first := waiting.pop(name, None):
                before, statement = _first_then(first, statement, around[name])
                ordered += before
        ordered.append(statement)
    return ordered + [*waiting.values()]


def _first_then(first: bytes, statement: bytes, tensor: Tensor) -> tuple[list[bytes], bytes]:
    """What gives a tensor its first value, and the statement that uses it then."""
    if not (block := part(statement, stripe.BLOCK, b"")):
        return [first], statement
    if (use := _added_up(block, tensor)) and (use.aggregation == b"add" or not is_zero(first)):
        tile = stripe.special(SET[use.aggregation], use)
        return [], stripe.with_block(statement, lambda block: stripe.after(tile, block))
    if is_zero(first) and (box := written(block, tensor.name)):
        return _zeros_outside(box, tensor), statement
    return [first], statement


def is_zero(statement: bytes) -> bool:
    return stripe.has_tag(statement, b"zero") or stripe.name_of_special(statement) == b"zero"


def _is_first_value(statement: bytes, around: dict[bytes, Tensor]) -> bool:
    """Whether it only sets a tensor to its first value, and all of it."""
    block = part(statement, stripe.BLOCK, b"")
    return part(block, stripe.BLOCK_NAME, b"").startswith(b"Init(") and all(
        written(block, name) == [(0, size) for size in around[name].sizes] for name in named(statement))


def _added_up(block: bytes, tensor: Tensor) -> Tensor | None:
    """The tile of a tensor that each part of a block adds up to, if these are all of it, and each is one part's."""
    use, loops = _only_use(block, tensor.name), _loops(block)
    if use is None or loops is None or use.aggregation not in SET:
        return None
    tiled = {}
    for (begin, factors), size, whole in zip(use.access, use.sizes, tensor.sizes):
        moving = [index for index in factors if index in loops]
        if begin or moving and (len(moving) > 1 or moving[0] in tiled or factors[moving[0]] != size) \
                or size * math.prod(loops[index] for index in moving) != whole:
            return None
        tiled.update(dict.fromkeys(moving))
    return use if tiled.keys() == loops.keys() and _stays_within(block, use) else None


def _stays_within(block: bytes, tile: Tensor) -> bool:
    """Whether all that a block does to its tile lies within it, as the tile's sizes say."""
    for statement in parts(block, stripe.STATEMENTS):
        inner = part(statement, stripe.BLOCK, b"")
        counts = stripe.ranges(inner)
        for use in tensors(inner):
            if use.source != tile.name:
                continue
            for (begin, factors), size, whole in zip(use.access, use.sizes, tile.sizes):
                reach = begin + size + sum(factor * (counts.get(index, 1) - 1) for index, factor in factors.items())
                if begin < 0 or min(factors.values(), default=0) < 0 or reach > whole:
                    return False
            if not _stays_within(inner, use):
                return False
    return True


def written(block: bytes, name: bytes) -> list[tuple[int, int]] | None:
    """(begin, end) along each axis of what a block writes of a tensor; None if it is not known to write all of that,
    each element once, and to read none of it."""
    box = []
    for begin, steps in _steps(block, name) or ():
        size = 1
        for factor, count in sorted(steps):
            if factor != size:
                return None
            size *= count
        box.append((begin, begin + size))
    return box or None


def _steps(block: bytes, name: bytes) -> list[tuple[int, list[tuple[int, int]]]] | None:
    """Along each axis of a tensor, where what a block writes of it begins, and the steps on from there: how far, and
    how many. None if it does not only write there, in one place of its code, with each index along one axis."""
    use, loops = _only_use(block, name), _loops(block)
    if use is None or loops is None or use.aggregation not in (b"", b"assign"):
        return None
    moving = [index for _, factors in use.access for index in factors if index in loops]
    users = [statement for statement in parts(block, stripe.STATEMENTS) if use.name in named(statement)]
    if sorted(moving) != sorted(loops) or len(users) != 1:
        return None
    if inner := part(users[0], stripe.BLOCK, b""):
        within = _steps(inner, use.name)
    else:
        within = [(0, [])] * len(use.access) if part(users[0], stripe.STORE, b"") else None
    return within and [
        (begin + more, [*((factors[index], loops[index]) for index in factors if index in loops), *steps])
        for (begin, factors), (more, steps) in zip(use.access, within)]


def _only_use(block: bytes, name: bytes) -> Tensor | None:
    """What a block names of a tensor, if it is one part."""
    uses = [use for use in tensors(block) if use.source == name]
    return uses[0] if len(uses) == 1 else None


def _loops(block: bytes) -> dict[bytes, int] | None:
    """How many values those indices of a block have that have several; None if it leaves some of them out."""
    if any(True for _ in parts(block, stripe.CONSTRAINTS)) or any(part(index, stripe.START, b"")
                                                                  for index in parts(block, stripe.INDICES)):
        return None
    return {index: count for index, count in stripe.ranges(block).items() if count != 1}


def _zeros_outside(box: list[tuple[int, int]], tensor: Tensor) -> list[bytes]:
    """Statements that set to zero what of a tensor lies outside a box: along each axis what lies before and behind it,
    of what is within it along the axes before."""
    sizes = tensor.sizes
    slabs = [[*box[:axis], outside, *((0, size) for size in sizes[axis + 1:])]
             for axis, (begin, end) in enumerate(box) for outside in ((0, begin), (end, sizes[axis]))
             if outside[0] < outside[1]]
    return [stripe.in_threads(SET[b"add"], tensor, list(alike))
            for _, alike in itertools.groupby(slabs, key=lambda slab: slab[0])]
