"""Temporaries share memory where they are not alive at once, and nothing else changes."""

import os
import random
import subprocess
import sys

import pytest
from small_network import NETWORK

from plaidkeras import temporaries
from plaidkeras.temporaries import BLOCK, OFFSET, PLACED, REFINEMENTS, STATEMENTS, place
from plaidkeras.wire_format import field, fields

# A few steps of a network with every kind of kernel, whose products have parts of their own in threads.
TRAIN = """
import hashlib, sys
from plaidkeras import temporaries
share_memory = temporaries.share_memory
def look(program):
    shared = program if sys.argv[1] == "stock" else share_memory(program)
    for name, content in ("before", program), ("after", shared):
        open(f"{sys.argv[2]}/{len(program)}.{name}", "wb").write(content)
    return shared
temporaries.share_memory = look
import plaidkeras
plaidkeras.install("llvm_cpu.0")
""" + NETWORK + """
losses = [float(model.train_on_batch(images, labels)) for _ in range(3)]
print(losses, hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest())
"""


def train(which, folder):
    """What is computed, and the largest program before and after."""
    said = subprocess.run([sys.executable, "-c", TRAIN, which, str(folder)], check=True, capture_output=True, text=True,
                          env={**os.environ, "PLAIDKERAS_CACHE": ""})
    assert not said.stderr
    before = max(folder.glob("*.before"), key=lambda path: path.stat().st_size)
    return said.stdout, before.read_bytes(), before.with_suffix(".after").read_bytes()


def parts_of(message, *numbers):
    """What lies in a message in fields of these numbers, one in the other."""
    if not numbers:
        return [message]
    return [part for number, content in fields(message) if number == numbers[0]
            for part in parts_of(content, *numbers[1:])]


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
def test_a_training_step_takes_half_the_memory_and_computes_the_same(tmp_path):
    for folder in (tmp_path / "ours", tmp_path / "stock"):
        folder.mkdir()
    computed, before, after = train("ours", tmp_path / "ours")
    assert computed == train("stock", tmp_path / "stock")[0] != ""
    (main,) = parts_of(after, STATEMENTS, BLOCK)
    placed = [temporaries._entry(part) for part in parts_of(main, REFINEMENTS) if PLACED in part]
    ends = [dict(fields(refinement)).get(OFFSET, 0) + temporaries._allocated(name, refinement)[1]
            for name, refinement in placed]
    sizes = [temporaries._allocated(name, refinement)[1] for name, refinement in placed]
    assert max(ends) < 0.5 * sum(sizes)
    # All else is as it was: what lies within a statement has no offset, since parts of it run in threads.
    assert sorted(parts_of(main, STATEMENTS)) == sorted(parts_of(before, STATEMENTS, BLOCK, STATEMENTS))
    assert b"placed" not in b"".join(parts_of(main, STATEMENTS))


@pytest.mark.slow
def test_a_tensor_is_set_to_zero_right_before_it_is_used(tmp_path):
    _, before, after = train("ours", tmp_path)
    early, late = (parts_of(program, STATEMENTS, BLOCK, STATEMENTS) for program in (before, after))
    zeros = [at for at, statement in enumerate(late) if temporaries._is_zero(statement)]
    assert len(zeros) > 3
    assert [temporaries._is_zero(statement) for statement in early[:len(zeros)]] == [True] * len(zeros)
    for at in zeros:
        (name,) = temporaries._tensors(late[at])
        following = next(statement for statement in late[at:] if not temporaries._is_zero(statement))
        assert name in temporaries._tensors(following)
        assert not any(name in temporaries._tensors(statement) for statement in late[:at])


def test_a_field_is_read_as_it_was_written():
    message = field(1, b"name") + field(2, 300) + field(3, 0.25) + field(15, b"")
    assert list(fields(message)) == [(1, b"name"), (2, 300), (3, 0.25), (15, b"")]
