"""Tensors get their first values late, and only where they are read; nothing else changes."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from changed_programs import train

from plaidkeras import first_values, stripe
from plaidkeras.stripe import Tensor, entry, field, named, part, parts, ranges, tensors


def of(program):
    """The statements and, by name, the tensors of a program."""
    found = []
    stripe.change_statements(program, lambda *both: found.extend(both) or both[0])
    return found[0], {tensor.name: tensor for tensor in found[1]}


def set_bytes(program):
    """How many bytes statements of their own set to a first value."""
    statements, around = of(program)
    total = 0
    for statement in statements:
        block = part(statement, stripe.BLOCK, b"")
        if first_values.is_zero(statement) or first_values._is_first_value(statement, around):
            total += around[named(statement)[0]].bytes
        elif part(block, stripe.BLOCK_NAME, b"") == b"agg_init_add":
            total += 4 * math.prod(ranges(block).values()) * sum(math.prod(use.sizes) for use in tensors(block))
    return total


@pytest.mark.slow
def test_a_training_step_sets_a_third_of_the_bytes_and_computes_the_same():
    computed, before, after = train("first_values.set_late")
    assert computed == train("first_values.set_late", "lambda program: program")[0] != ""
    assert 0 < set_bytes(after) < set_bytes(before) / 3
    statements, around = of(after)
    for at, statement in enumerate(statements):  # what is set by itself is set right before it is used
        if first_values.is_zero(statement) or first_values._is_first_value(statement, around):
            (name,) = named(statement)
            following = next(each for each in statements[at:] if not first_values.is_zero(each)
                             and not first_values._is_first_value(each, around))
            assert name in named(following)
            assert not any(name in named(each) for each in statements[:at])


SIZES = (4, 10, 10, 8)


def shape(sizes):
    strides = [math.prod(sizes[axis + 1:]) for axis in range(len(sizes))]
    return field(stripe.SHAPE, field(stripe.TYPE, 50) + b"".join(
        field(stripe.DIMENSIONS, field(stripe.SIZE, size) + field(stripe.STRIDE, stride))
        for size, stride in zip(sizes, strides)))


def use(name, source, aggregation, access, sizes):
    begins = b"".join(field(stripe.ACCESS, (field(stripe.CONSTANT, begin) if begin else b"") + b"".join(
        field(stripe.TERMS, entry(index.encode(), factor)) for index, factor in factors.items()))
        for begin, factors in access)
    return field(stripe.REFINEMENTS, entry(name, field(stripe.DIRECTION, 2) + field(stripe.FROM, source) + begins
                                           + shape(sizes) + field(stripe.AGGREGATION, aggregation)))


def block(indices, uses, *statements, more=b""):
    return field(stripe.BLOCK, b"".join(
        field(stripe.INDICES, field(stripe.INDEX_NAME, index.encode()) + field(stripe.RANGE, count))
        for index, count in indices.items()) + more + b"".join(uses)
        + b"".join(field(stripe.STATEMENTS, statement) for statement in statements))


def store(name):
    return field(stripe.STORE, field(1, b"$value") + field(2, name))


T = Tensor(b"T", shape(SIZES))
WHOLE = [(0, {"n": 1}), (0, {"i": 5}), (0, {}), (0, {})]
ADDING = dict(n=4, i=2)


def added_up(access=WHOLE, sizes=(1, 5, 10, 8), indices=ADDING, aggregation=b"add", more=b""):
    statement = block(indices, [use(b"O", b"T", aggregation, access, sizes)], store(b"O"), more=more)
    return first_values._added_up(part(statement, stripe.BLOCK, b""), T)


def test_tiles_that_are_the_whole_tensor_each_once_are_set_one_by_one():
    assert added_up().name == b"O"
    assert added_up(aggregation=b"mul").name == b"O"
    assert added_up([(0, {})] * 4, SIZES, {}).name == b"O"
    assert added_up(indices=dict(ADDING, k=1)).name == b"O"


@pytest.mark.parametrize("other", [
    dict(indices=dict(ADDING, k=3)),  # a tile in three parts
    dict(indices=dict(ADDING, i=1)),  # half of the tensor
    dict(access=[(0, {"n": 1}), (0, {"i": 4}), (0, {}), (0, {})]),  # tiles that overlap
    dict(access=[(0, {"n": 1}), (1, {"i": 5}), (0, {}), (0, {})]),
    dict(access=[(0, {"n": 1, "i": 1}), (0, {"i": 5}), (0, {}), (0, {})]),
    dict(aggregation=b"assign"), dict(aggregation=b""), dict(aggregation=b"max"),
    dict(more=field(stripe.CONSTRAINTS, b"") + field(stripe.CONSTRAINTS, field(stripe.CONSTANT, 1)))])
def test_other_tiles_are_not(other):
    assert added_up(**other) is None


def test_a_statement_sets_its_tiles_before_it_adds_up():
    first = block({}, [use(b"X", b"T", b"", [(0, {})] * 4, SIZES)], store(b"X"))
    zero = first + field(stripe.TAGS, entry(b"zero", b""))
    for aggregation, name in (b"add", b"agg_init_add"), (b"mul", b"agg_init_mul"):
        adding = block(ADDING, [use(b"O", b"T", aggregation, WHOLE, (1, 5, 10, 8))], store(b"O"))
        before, after = first_values._first_then(first, adding, T)
        done = part(next(parts(part(after, stripe.BLOCK, b""), stripe.STATEMENTS)), stripe.BLOCK, b"")
        assert before == [] and stripe.name_of_special(next(parts(done, stripe.STATEMENTS))) == name
        if aggregation != b"add":  # zero is not what a product begins with
            assert first_values._first_then(zero, adding, T) == ([zero], adding)


def test_what_is_set_in_the_middle_after_the_whole_was_zero_is_no_first_value():
    def setting(size):
        inner = block(dict(a=4, b=size, c=10, d=8), [use(b"W", b"X", b"", [(0, {"a": 1}), (0, {"b": 1}), (0, {"c": 1}), (
            0, {"d": 1})], (1, 1, 1, 1))], store(b"W"))
        return block({}, [use(b"X", b"T", b"", [(0, {})] * 4, (4, size, 10, 8))], inner,
                     more=field(stripe.BLOCK_NAME, b"Init(T)"))

    assert first_values._is_first_value(setting(10), {b"T": T})
    assert not first_values._is_first_value(setting(9), {b"T": T})
    zero = stripe.special(b"zero", T) + field(stripe.TAGS, entry(b"zero", b""))
    around, set_ = first_values._late([zero, setting(9)], [T])
    assert set_ == setting(9)
    assert [use.sizes for use in tensors(part(around, stripe.BLOCK, b""))] == [[1, 1, 10, 8]]


INNER = [(0, {}), (1, {"b": 1}), (1, {"c": 1}), (0, {"d": 1})]


def written(outer=WHOLE, inner=INNER, sizes=(1, 4, 10, 8), indices=None, aggregation=b"", statements=(store(b"W"),)):
    outer = [(begin, {index: 4 if index == "i" else factor for index, factor in factors.items()})
             for begin, factors in outer]
    inside = block(dict(b=4, c=8, d=8), [use(b"W", b"O", aggregation, inner, (1, 1, 1, 1))], *statements)
    statement = block(indices or ADDING, [use(b"O", b"T", b"", outer, sizes)], inside)
    return first_values.written(part(statement, stripe.BLOCK, b""), b"T")


def test_what_is_written_in_the_middle_is_known():
    assert written() == [(0, 4), (1, 9), (1, 9), (0, 8)]


@pytest.mark.parametrize("other", [
    dict(inner=[(0, {}), (1, {"b": 2}), (1, {"c": 1}), (0, {"d": 1})]),  # every other row
    dict(inner=[(0, {}), (1, {"b": 1}), (1, {"b": 1}), (0, {"d": 1})]),  # a diagonal
    dict(inner=[(0, {}), (1, {"b": 1}), (1, {"c": 1}), (0, {})]),  # several times
    dict(aggregation=b"add"), dict(statements=()), dict(statements=(store(b"W"), store(b"W"))),
    dict(statements=(field(stripe.LOAD, field(1, b"W") + field(2, b"$value")),))])
def test_what_is_not_known_to_be_written_whole_is_not_taken_for_it(other):
    assert written(**other) is None


@pytest.mark.parametrize("box", [
    [(0, 4), (1, 9), (1, 9), (0, 8)], [(0, 4), (0, 9), (2, 10), (3, 4)], [(1, 2), (0, 10), (4, 5), (0, 8)],
    [(0, 4), (0, 10), (0, 10), (0, 8)]])
def test_zeros_and_the_box_that_they_lie_around_are_the_whole_each_once(box):
    times = np.zeros(SIZES, int)
    times[tuple(slice(*ends) for ends in box)] += 1
    for statement in first_values._zeros_outside(box, T):
        around = part(statement, stripe.BLOCK, b"")
        (count,) = ranges(around).values()
        for i in range(count):
            for each in tensors(around):
                begins = [begin + sum(factors.values()) * i for begin, factors in each.access]
                times[tuple(slice(begin, begin + size) for begin, size in zip(begins, each.sizes))] += 1
    assert (times == 1).all()


COMPUTES = """
import sys
from plaidkeras import first_values
if sys.argv[1] == "stock":
    first_values.set_late = lambda program: program
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import hashlib, numpy as np
from keras import backend as K
random = np.random.RandomState(3)
computed = []
for size, padding, strides in (12, "same", 1), (7, "same", 2), (7, "valid", 2):
    x = K.variable(random.rand(3, size, size, 4))
    for y in (K.conv2d(x, K.variable(random.rand(3, 3, 4, 8)), (strides, strides), padding),
              K.depthwise_conv2d(x, K.variable(random.rand(3, 3, 4, 2)), (strides, strides), padding),
              K.pool2d(x, (2, 2), (strides, strides), padding, pool_mode="max")):
        computed += [y, *K.gradients(K.sum(y * y), [x])]
    pooled = K.conv2d(K.pool2d(x, (3, 3), (3, 3)), K.variable(random.rand(3, 3, 4, 8)), padding="same")
    computed += [pooled, K.max(x, axis=1), K.prod(x, axis=2), K.min(x), K.cumsum(x, 1)]
print(hashlib.sha256(b"".join(K.get_value(each).tobytes() for each in computed)).hexdigest())
"""


@pytest.mark.slow
def test_paddings_strides_pools_and_sums_compute_the_same():
    ours, stock = (subprocess.run([sys.executable, "-c", COMPUTES, which], check=True, capture_output=True, text=True,
                                  env={**os.environ, "PLAIDKERAS_CACHE": ""}).stdout for which in ("ours", "stock"))
    assert ours == stock != ""
