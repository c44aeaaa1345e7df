"""Temporaries share memory where they are not alive at once, and nothing else changes."""

import random

import pytest
from changed_programs import train

from plaidkeras import stripe, temporaries
from plaidkeras.temporaries import PLACED, place


def overlap(one, other):
    return one[0] < other[1] and other[0] < one[1]


def test_what_is_alive_at_once_lies_apart_and_little_is_lost_between():
    numbers = random.Random(4)
    for count in (0, 1, 2, 30, 300):
        firsts = [numbers.randrange(100) for _ in range(count)]
        given = [(numbers.choice([1, 64, 100, 5000, 70_000]), first, first + numbers.randrange(40)) for first in firsts]
        offsets = place(given)
        assert all(offset % 64 == 0 for offset in offsets)
        places = [(offset, offset + size, (first, last + 1)) for offset, (size, first, last) in zip(offsets, given)]
        for at, one in enumerate(places):
            assert not any(overlap(one, other) and overlap(one[2], other[2]) for other in places[:at])
        alive = max((sum(size for size, first, last in given if first <= at <= last) for at in range(140)), default=0)
        assert alive <= max((end for _, end, _ in places), default=0) <= 1.2 * alive


def test_those_that_follow_each_other_lie_at_the_same_place():
    assert place([(640, 0, 1), (640, 2, 3), (64, 1, 2)]) == [0, 0, 640]
    assert place([(128, 0, 3), (64, 0, 1), (64, 2, 3)]) == [0, 128, 128]


@pytest.mark.slow
def test_a_training_step_takes_half_the_memory_and_computes_the_same():
    computed, before, after = train("temporaries.share_memory")
    assert computed == train("temporaries.share_memory", "lambda program: program")[0] != ""
    tensors, statements, were = {}, [], []
    stripe.change_tensors(before, lambda all_of_them, _: were.extend(all_of_them) or [])
    stripe.change_tensors(after, lambda all_of_them, named: statements.extend(all_of_them)
                          or tensors.update({tensor.name: tensor for tensor in named}) or [])
    placed = [tensor for tensor in tensors.values() if PLACED in tensor.message]
    assert len(placed) > 100
    ends = [stripe.part(tensor.message, stripe.OFFSET, 0) + tensor.bytes for tensor in placed]
    assert max(ends) < 0.5 * sum(tensor.bytes for tensor in placed)
    # All else is as it was: what lies within a statement has no offset, since parts of it run in threads.
    assert statements == were
    assert not any(b"placed" in statement for statement in statements)
    assert {name for statement in statements for name in stripe.named(statement)} <= tensors.keys()


def test_what_is_not_allocated_or_used_gets_no_offset():
    size = stripe.field(stripe.SHAPE, stripe.field(stripe.TYPE, 50) + stripe.field(
        stripe.DIMENSIONS, stripe.field(stripe.SIZE, 10) + stripe.field(stripe.STRIDE, 1)))
    given = [stripe.Tensor(b"input", stripe.field(stripe.DIRECTION, 1) + stripe.field(stripe.FROM, b"X") + size),
             stripe.Tensor(b"used", size), stripe.Tensor(b"unused", size)]
    statements = [stripe.special(b"zero", given[1])]
    input_, used, unused = temporaries._with_offsets(statements, given)
    assert (input_, unused) == (given[0], given[2]) and used.message == size + stripe.field(stripe.OFFSET, 0) + PLACED
    assert used.bytes == 40
