"""Reverse-mode differentiation: one walk over the graph, with the rules of rules.py.

The walk happens when a program is compiled: only then is the learning phase known, and with it the
branch that the loss is computed by.
"""

import collections
import functools
import operator
import re
import warnings

from plaidml.tile import Operation, Shape, Value

from plaidkeras.graph import Deferred, Setting, expansion, kind, needs
from plaidkeras.kernels import add_affine, filled_like, unbroadcast
from plaidkeras.rules import NOT_DIFFERENTIABLE, PLAIDMLS_OWN, RULES, ZERO, AffineTerm
from plaidkeras.stock_gradient import stock_gradient


class NotDifferentiable(Exception):
    """A gradient was asked for through an operation that has none; the message names it."""


def gradients(loss: Value, variables) -> list[Value]:
    """The gradients of the sum of `loss` with respect to each variable; it is K.gradients.

    Each has its variable's shape and is zero where the loss does not depend on the variable.
    Compiling them raises NotDifferentiable if the walk meets an operation without a derivative, and
    warns once of each kind of operation that has no rule here.
    """
    variables = [variables] if isinstance(variables, Value) else list(variables)
    return list(Gradients(loss, variables).output_tuple)


class Gradients(Deferred):
    """The gradients of a loss, written out when the program that asks for them is compiled."""

    def __init__(self, loss, variables):
        super().__init__(None, [("Loss", loss)] + [(f"I{i}", v) for i, v in enumerate(variables)],
                         [(f"O{i}", v.shape) for i, v in enumerate(variables)])
        self.loss, self.variables = loss, variables

    def expand(self, setting):
        return {f"O{i}": value
                for i, value in enumerate(walk(self.loss, self.variables, setting))}


def walk(loss: Value, variables: list[Value], setting: Setting) -> list[Value]:
    """Go back from the loss through every operation that leads to a variable, once each."""
    order = _operations_behind(loss, setting)
    leading = _values_leading_to(variables, order, setting)
    contributions = collections.defaultdict(list)  # to the gradient of each value, by its key
    contributions[loss.key].append(filled_like(loss, 1.0))

    for operation in reversed(order):
        stands_for = expansion(operation, setting)
        if stands_for:
            for name, value in stands_for.items():
                contributions[value.key] += contributions[operation.outputs[name].key]
            continue
        output = operation.sole_output()
        if not contributions[output.key]:
            continue
        g = total(contributions[output.key])
        for name, operand in operation.operands.items():
            if operand.key in leading:
                contribution = rule_for(operation, name)(operation, g)
                if isinstance(contribution, Value):
                    contribution = _of_known_size(unbroadcast(contribution, operand), operand)
                if contribution is not ZERO:
                    contributions[operand.key].append(contribution)
    return [total(contributions[v.key]) if contributions[v.key] else filled_like(v, 0.0)
            for v in variables]


def _of_known_size(gradient: Value, operand: Value) -> Value:
    """A gradient, whose sizes are its operand's: Keras's targets are of unknown size, and with them
    what is computed from the loss, while the sizes of a convolution stand in its Tile code."""
    dims = tuple(known if isinstance(known, int) else dim
                 for known, dim in zip(operand.shape.dims, gradient.shape.dims))
    if dims == gradient.shape.dims:
        return gradient
    return Value(Shape(gradient.shape.dtype, dims), gradient.var, gradient.source)


def total(contributions) -> Value:
    """The sum of Values and AffineTerms; the latter together are one pass over their tensor."""
    values = [each for each in contributions if isinstance(each, Value)]
    terms = [each for each in contributions if isinstance(each, AffineTerm)]
    gradient = functools.reduce(operator.add, values) if values else None
    if not terms:
        return gradient
    x, mean = terms[0].x, terms[0].mean
    slope = functools.reduce(operator.add, (term.slope for term in terms))
    shift = functools.reduce(operator.add, (
        term.shift if term.mean is mean else term.shift + term.slope * (mean - term.mean)
        for term in terms))
    return add_affine(filled_like(x, 0.0) if gradient is None else gradient, x, mean, slope, shift)


def _operations_behind(loss: Value, setting: Setting) -> list[Operation]:
    """All operations that a value depends on, each after those that it depends on itself."""
    order, seen = [], set()
    waiting = [(loss.source, False)]
    while waiting:
        source, is_ready = waiting.pop()
        if source is None or (source.op in seen and not is_ready):
            continue
        if is_ready:
            order.append(source.op)
            continue
        seen.add(source.op)
        waiting.append((source, True))
        waiting += [(value.source, False) for value in needs(source.op, setting)]
    return order


def _values_leading_to(variables, order: list[Operation], setting: Setting) -> set:
    """The keys of all values that depend on one of the variables."""
    leading = {variable.key for variable in variables}
    for operation in order:
        if any(value.key in leading for value in needs(operation, setting)):
            leading.update(value.key for value in operation.outputs.values())
    return leading


def rule_for(operation: Operation, operand: str):
    """The function (operation, gradient of its output) -> gradient of one operand, or ZERO."""
    rule = RULES.get((kind(operation), operand))
    if rule is None:
        rule = RULES.get((kind(operation), ...))
        if callable(rule):
            return functools.partial(rule, operand=operand)
    if rule is NOT_DIFFERENTIABLE:
        raise NotDifferentiable(
            f"{kind(operation)} has no derivative with respect to its input {operand}, but the "
            f"loss depends on a variable through it. Keep it out of the loss, or wrap its input "
            f"in K.stop_gradient.")
    if rule is ZERO:
        return lambda operation, g: ZERO
    if rule is None and re.search(r"\+\([^)]*\*", operation.code or ""):
        _warn_once(kind(operation))  # a sum of products, which PlaidML's gradients miss the kernels for
    if rule in (None, PLAIDMLS_OWN):
        return lambda operation, g: stock_gradient(operation, operand, g)
    return rule


_warned = set()


def _warn_once(name: str) -> None:
    if name not in _warned:
        warnings.warn(f"plaidkeras has no gradient rule for {name}: PlaidML's own gradient is "
                      f"used for this operation. It may be slow.", stacklevel=2)
        _warned.add(name)
