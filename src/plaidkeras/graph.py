"""PlaidML's graph of operations, made readable.

PlaidML forgets an operation's arguments and the shapes of its inputs once the Tile code is
written. `remember_arguments` keeps both, because a gradient rule needs them. An operation may stand
for other operations until it is compiled: `Deferred` ones (the learning phase's switch, gradients)
are expanded when the phase is known.
"""

import copy
import functools
import inspect
import re
from typing import NamedTuple

import plaidml
import plaidml.keras.backend as plaidml_backend
from plaidml.tile import Operation, Shape, Value

from plaidkeras.dtypes import computable


stock = dict(vars(plaidml_backend))  # PlaidML's own functions, for what ours do not cover


class Setting(NamedTuple):
    """What a program is compiled for: a learning phase, or None where there is none; the number of
    steps of each unrolled operation, by the key of the Value that stands for it; and whether some
    input has an odd number of rows."""

    phase: int | None
    steps: frozenset = frozenset()
    has_odd_rows: bool = False


TRAIN = Setting(1)


def remember_arguments() -> None:
    """Let each Operation that is made from now on keep its arguments and inputs."""
    initialize = Operation.__init__

    def __new__(cls, *arguments, **keywords):
        operation = object.__new__(cls)
        operation.call = arguments, keywords
        return operation

    @functools.wraps(initialize)
    def __init__(self, code, inputs, outputs, name=None, side_effects=None):
        operands = {key: Value.from_python_value(value) for key, value in inputs}
        of = name if type(self) is Operation else type(self).__name__
        code, self.operands, outputs = computable(of, code, operands, outputs)
        self.scope = "/".join(plaidml_backend._NAME_SCOPE_STACK)  # the layer's name
        initialize(self, code, list(self.operands.items()), outputs, name, side_effects)

    Operation.__new__, Operation.__init__ = __new__, __init__


def arguments(operation: Operation) -> dict[str, object]:
    """The arguments that an operation's constructor was called with, defaults filled in."""
    positional, keywords = operation.call
    bound = inspect.signature(type(operation).__init__).bind(operation, *positional, **keywords)
    bound.apply_defaults()
    return bound.arguments


def kind(operation: Operation) -> str:
    """What an operation does: its class, or the name of one that was written in place."""
    return operation.name if type(operation) is Operation else type(operation).__name__


def is_plain_relu(operation: Operation | None) -> bool:
    """Whether an operation is max(x, 0), none of its relatives, which have operands besides."""
    return operation is not None and kind(operation) == "Relu" and list(operation.operands) == ["X"]


def kernel(name: str, code: str, inputs: dict[str, Value], dims, dtype=None) -> Value:
    """The output O of a Tile function of `inputs`, of the first input's type unless told."""
    dtype = dtype or next(iter(inputs.values())).shape.dtype
    return Operation(code, list(inputs.items()), [("O", Shape(dtype, tuple(dims)))],
                     name=name).sole_output()


class Deferred(Operation):
    """An operation that stands for others until it is compiled for a learning phase."""

    def expand(self, setting: Setting) -> dict[str, Value] | None:
        """The values of its outputs in a setting; None if it is to be compiled as it is."""
        raise NotImplementedError


def expansion(operation: Operation, setting: Setting) -> dict[str, Value] | None:
    """The values that a Deferred operation's outputs stand for in a setting, else None."""
    if not isinstance(operation, Deferred):
        return None
    known = vars(operation).setdefault("expansions", {})
    if setting not in known:
        known[setting] = operation.expand(setting)
    return known[setting]


def origin(value: Value, setting: Setting) -> Value:
    """The value that is computed, or the variable, where others only stand for it."""
    while value.source:
        operation, name = value.source
        stands_for = expansion(operation, setting)
        if stands_for:
            value = stands_for[name]
        elif operation.code and re.search(r"\{\s*\w+ = \w+;\s*\}", operation.code):
            (value,) = operation.operands.values()
        else:
            break
    return value


def is_elementwise(operation: Operation) -> bool:
    """Whether each element of an operation's output takes nothing but that element of others."""
    return bool(operation.code) and not re.search(
        r"\{.*(\[|reshape|gather|scatter|prng)", operation.code, re.DOTALL)


def with_operands(operation: Operation, changes: dict[str, Value]) -> Operation:
    """The same operation of other operands."""
    changed = copy.copy(operation)
    changed.operands = changed.inputs = operation.operands | changes
    changed.outputs = {name: Value.for_op(value.shape, changed, name)
                       for name, value in operation.outputs.items()}
    changed.output_tuple = tuple(changed.outputs.values())
    return changed


def copied(x: Value) -> Value:
    """A copy of x, of any type and rank."""
    axes = ", ".join(f"x{i}" for i in range(x.shape.ndims))
    ranges = f" : {axes.upper()}" if axes else ""
    code = f"function (I[{axes.upper()}]) -> (O) {{ O[{axes}{ranges}] = =(I[{axes}]); }}"
    return kernel("Copy", code, {"I": x}, x.shape.dims)


def needs(operation: Operation, setting: Setting) -> list[Value]:
    """The values that an operation's outputs are computed from."""
    return list((expansion(operation, setting) or operation.operands).values())


class PhaseSwitch(Deferred):
    """`train` in the training phase, else `test`; only the branch taken is compiled."""

    def __init__(self, learning_phase, train, test):
        super().__init__("function (C, T, E) -> (O) { O = (C ? T : E); }",
                         [("C", learning_phase), ("T", train), ("E", test)],
                         [("O", train.shape)])

    def expand(self, setting):
        if setting.phase is None:
            return None
        return {"O": self.operands["T" if setting.phase else "E"]}


class Unrolled(Deferred):
    """A number of steps that is known when the arrays are.

    `build` makes the outputs for a number of steps, `like` are these for one; `steps` stands for
    the number. `operands` are what it computes with as far as this is known before.
    """

    def __init__(self, build, steps, like, operands):
        self.build, self.steps = build, steps
        super().__init__(None, [(f"I{i}", value) for i, value in enumerate([steps, *operands])],
                         [(f"O{i}", value.shape) for i, value in enumerate(like)])

    def expand(self, setting):
        steps = dict(setting.steps).get(self.steps.key)
        return steps and {f"O{i}": value for i, value in enumerate(self.build(steps))}


class Bindings:
    """The PlaidML variables of all operations of one program: tile's own, plus the phase, and the
    results of operations that are there when the program runs."""

    def __init__(self, context, device, setting: Setting, results=None):
        self.ctx, self.dev, self.setting = context, device, setting
        self._variables = dict(results or {})

    def lookup(self, operation: Operation):
        return self._variables[operation]

    def is_bound(self, operation: Operation) -> bool:
        return operation in self._variables

    def bind(self, value: Value):
        """The PlaidML variable of a value, its operations bound depth first, without recursion."""
        waiting = [] if value.is_bound(self) else [value.source.op]
        while waiting:
            operation = waiting[-1]
            if operation in self._variables:
                waiting.pop()
                continue
            unbound = [need.source.op for need in needs(operation, self.setting)
                       if not need.is_bound(self)]
            stands_for = expansion(operation, self.setting)
            if unbound:
                waiting += reversed(unbound)  # the last one pushed is bound first
            elif stands_for:
                self._variables[operation] = {
                    name: need.bind(self) for name, need in stands_for.items()}
            else:
                self._variables[operation] = self._with_distinct_inputs(operation).bind(self)
        return value.bind(self)

    def _with_distinct_inputs(self, operation: Operation) -> Operation:
        """A matrix times itself, which PlaidML computes wrongly unless the second one is a copy."""
        distinct, met = dict(operation.inputs), set()
        for name, value in operation.operands.items():
            key = origin(value, self.setting).key
            if key in met and value.shape.ndims and not is_elementwise(operation):
                distinct[name] = copied(value)
                self.bind(distinct[name])
            met.add(key)
        if distinct == operation.inputs:
            return operation
        changed = copy.copy(operation)
        changed.inputs = distinct
        return changed


def invoker(inputs, outputs, setting, results=None) -> plaidml.Invoker:
    """PlaidML's program from placeholders to outputs, by name; `results` of some operations are there when
    it runs."""
    context = plaidml_backend._ctx
    bindings = Bindings(context, plaidml_backend._device(), setting, results)
    outputs = {name: bindings.bind(value) for name, value in outputs.items()}
    composer = plaidml.Composer()
    for name, value in inputs.items():
        composer.add_input(name, bindings.bind(value))
    for name, variable in outputs.items():
        composer.add_output(name, variable)
    return plaidml.Invoker(context, composer.build())
