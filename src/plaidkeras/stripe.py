"""PlaidML's programs for the CPU, as messages of tile/stripe/stripe.proto: what of them is read and made here.

A program is a block that holds one other, whose statements run one after the other. Most of these are blocks
themselves, whose parts all cores share: they run what they hold once for each value of their indices. A block
names the tensors that it uses, each a part of one of the block around it, or allocated by itself.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator

from plaidkeras.wire_format import field, fields

# Fields of a Block, a Statement, a Special, a Refinement, a TensorShape and its Dimension, an Index, an Affine, and
# an entry of a map
BLOCK_NAME, INDICES, CONSTRAINTS, REFINEMENTS, STATEMENTS = 1, 3, 4, 5, 6
LOAD, STORE, BLOCK, SPECIAL, TAGS = 1, 2, 6, 7, 9
SPECIAL_NAME, INPUTS, OUTPUTS = 1, 2, 3
USES = {LOAD: (1,), STORE: (2,), SPECIAL: (INPUTS, OUTPUTS)}  # fields of these that name a tensor
DIRECTION, FROM, ACCESS, SHAPE, AGGREGATION, LOCATION, OFFSET, ATTRIBUTES = 1, 2, 4, 5, 6, 7, 8, 10
TYPE, DIMENSIONS, SIZE, STRIDE = 1, 3, 1, 2
INDEX_NAME, RANGE, START = 1, 2, 3
CONSTANT, TERMS = 1, 2
KEY, VALUE = 1, 2
ALLOCATED, IN, OUT = 0, 1, 2  # directions
BYTES = {2: 1, 16: 1, 17: 2, 18: 4, 19: 8, 20: 16, 32: 1, 33: 2, 34: 4, 35: 8, 49: 2, 50: 4, 51: 8, 56: 2}  # of a type


def parts(message: bytes, number: int) -> Iterator:
    """The contents of a message's fields of a number."""
    return (content for each, content in fields(message) if each == number)


def part(message: bytes, number: int, default):
    """The content of a field; a message lacks those that are 0 or empty."""
    return next(parts(message, number), default)


def entry(key: bytes, value: bytes | int) -> bytes:
    return field(KEY, key) + field(VALUE, value)


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor that a block names: `message` is its Refinement."""

    name: bytes
    message: bytes

    @property
    def source(self) -> bytes:
        """The name that it, or what it is a part of, has in the block around."""
        return part(self.message, FROM, b"")

    @property
    def is_allocated(self) -> bool:
        return part(self.message, DIRECTION, ALLOCATED) == ALLOCATED and not self.source

    @property
    def aggregation(self) -> bytes:
        """How what is stored there becomes one with what was: b"add", b"max", ..., or nothing where it replaces it."""
        return part(self.message, AGGREGATION, b"")

    @property
    def shape(self) -> bytes:
        return part(self.message, SHAPE, b"")

    @property
    def sizes(self) -> list[int]:
        return [part(dimension, SIZE, 0) for dimension in parts(self.shape, DIMENSIONS)]

    @property
    def strides(self) -> list[int]:
        return [part(dimension, STRIDE, 0) for dimension in parts(self.shape, DIMENSIONS)]

    @property
    def elements(self) -> int:
        return 1 + sum((size - 1) * stride for size, stride in zip(self.sizes, self.strides))

    @property
    def bytes(self) -> int:
        return self.elements * BYTES[part(self.shape, TYPE, 0)]

    @property
    def access(self) -> list[tuple[int, dict[bytes, int]]]:
        """Where the part begins along each axis: a number, and the factors of the block's indices."""
        return [(signed(part(affine, CONSTANT, 0)),
                 {part(term, KEY, b""): signed(part(term, VALUE, 0)) for term in parts(affine, TERMS)})
                for affine in parts(self.message, ACCESS)]


def signed(number: int) -> int:
    """An int64, which a message has modulo 2 ** 64."""
    return number - (number >> 63 << 64)


def tensors(block: bytes) -> list[Tensor]:
    return [Tensor(part(each, KEY, b""), part(each, VALUE, b"")) for each in parts(block, REFINEMENTS)]


def ranges(block: bytes) -> dict[bytes, int]:
    """The indices of a block, and how many values each has."""
    return {part(index, INDEX_NAME, b""): part(index, RANGE, 0) for index in parts(block, INDICES)}


def named(statement: bytes) -> list[bytes]:
    """The names of the tensors that a statement uses, of those around it."""
    for kind, content in fields(statement):
        if kind == BLOCK:
            return [tensor.source for tensor in tensors(content) if tensor.source]
        if kind in USES:
            return [name for number, name in fields(content) if number in USES[kind]]
    return []


def name_of_special(statement: bytes) -> bytes:
    return part(part(statement, SPECIAL, b""), SPECIAL_NAME, b"")


def has_tag(statement: bytes, name: bytes) -> bool:
    return any(part(each, KEY, b"") == name for each in parts(statement, TAGS))


def special(name: bytes, tensor: Tensor) -> bytes:
    """A statement that does something to what the block around it names."""
    # It is done to where that begins as it is passed to a block: to one of its own.
    use = _use(tensor, [(0, size) for size in tensor.sizes])
    done = field(SPECIAL, field(SPECIAL_NAME, name) + field(OUTPUTS, b"X"))
    return field(BLOCK, field(BLOCK_NAME, name) + field(REFINEMENTS, entry(b"X", use)) + field(STATEMENTS, done))


def in_threads(name: bytes, tensor: Tensor, boxes: list[list[tuple[int, int]]]) -> bytes:
    """A statement that does something to parts of a tensor, (begin, end) along each axis, on all cores: along the first
    axis, where all begin and end alike, one after the other."""
    begin, end = boxes[0][0]
    uses = [Tensor(b"X%d" % number, _use(tensor, [(begin, begin + 1), *others], index=b"i"))
            for number, (_, *others) in enumerate(boxes)]
    block = field(BLOCK_NAME, name) + field(INDICES, field(INDEX_NAME, b"i") + field(RANGE, end - begin)) + b"".join(
        field(REFINEMENTS, entry(use.name, use.message)) + field(STATEMENTS, special(name, use)) for use in uses)
    return field(BLOCK, block) + b"".join(field(TAGS, entry(tag, b"")) for tag in (b"cpu_thread", b"kernel"))


def copy(source: Tensor, box: list[tuple[int, int]], target: Tensor) -> bytes:
    """A statement that copies a part of a tensor, (begin, end) along each axis, to another one of as many elements, in
    their order."""
    sizes = [end - begin for begin, end in box]
    names = [b"i%d" % axis for axis in range(len(box))]

    def element(tensor, direction, begins, strides):
        access = b"".join(field(ACCESS, (field(CONSTANT, begin) if begin else b"") + field(TERMS, entry(name, 1)))
                          for begin, name in zip(begins, names))
        shape = _replaced(tensor.shape, DIMENSIONS, (field(SIZE, 1) + field(STRIDE, stride) for stride in strides))
        return field(DIRECTION, direction) + field(FROM, tensor.name) + access + field(SHAPE, shape) + b"".join(
            field(LOCATION, each) for each in parts(tensor.message, LOCATION))

    strides = [math.prod(sizes[axis + 1:]) for axis in range(len(sizes))]
    uses = ((b"X", element(source, IN, [begin for begin, _ in box], source.strides)),
            (b"Y", element(target, OUT, [0] * len(box), strides)))
    block = field(BLOCK_NAME, b"copy") + b"".join(
        field(INDICES, field(INDEX_NAME, name) + field(RANGE, size)) for name, size in zip(names, sizes)) + b"".join(
        field(REFINEMENTS, entry(*use)) for use in uses) + b"".join(
        field(STATEMENTS, field(kind, field(1, one) + field(2, other)))
        for kind, one, other in ((LOAD, b"X", b"$X"), (STORE, b"$X", b"Y")))
    return field(BLOCK, block) + field(TAGS, entry(b"kernel", b""))


def _use(tensor: Tensor, box: list[tuple[int, int]], index: bytes = b"") -> bytes:
    """A Refinement, to write a part of a tensor: (begin, end) along each axis, further by an index along the first."""
    access = [(field(CONSTANT, begin) if begin else b"") for begin, _ in box]
    if index:
        access[0] += field(TERMS, entry(index, 1))
    shape = _replaced(tensor.shape, DIMENSIONS, (field(SIZE, end - begin) + field(STRIDE, stride)
                                                 for (begin, end), stride in zip(box, tensor.strides)))
    return field(DIRECTION, OUT) + field(FROM, tensor.name) + b"".join(field(ACCESS, each) for each in access) \
        + field(SHAPE, shape) + b"".join(field(LOCATION, each) for each in parts(tensor.message, LOCATION))


def with_block(statement: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A statement whose block is changed."""
    return b"".join(field(number, change(content) if number == BLOCK else content)
                    for number, content in fields(statement))


def after(statement: bytes, block: bytes) -> bytes:
    """A block that begins with a statement."""
    return _replaced(block, STATEMENTS, [statement, *parts(block, STATEMENTS)])


def _replaced(message: bytes, number: int, contents: Iterable[bytes]) -> bytes:
    """A message with others in place of its fields of a number."""
    return b"".join(field(*each) for each in fields(message) if each[0] != number) + b"".join(
        field(number, content) for content in contents)


def change_statements(program: bytes, change: Callable[[list[bytes], list[Tensor]], list[bytes]]) -> bytes:
    """A program whose statements, those that run one after the other, are changed by what they and the tensors are
    that the block around them names."""
    return _change_main(program, lambda main: _replaced(
        main, STATEMENTS, change([*parts(main, STATEMENTS)], tensors(main))))


def change_tensors(program: bytes, change: Callable[[list[bytes], list[Tensor]], list[Tensor]]) -> bytes:
    """A program whose tensors, those that the block around these statements names, are changed by the same."""
    return _change_main(program, lambda main: _replaced(main, REFINEMENTS, (
        entry(tensor.name, tensor.message) for tensor in change([*parts(main, STATEMENTS)], tensors(main)))))


def _change_main(program: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return _replaced(program, STATEMENTS, (with_block(statement, change) for statement in parts(program, STATEMENTS)))
