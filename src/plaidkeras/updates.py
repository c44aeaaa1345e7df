"""The order in which a program writes its variables.

PlaidML stores the new value of a variable where the old one is, as soon as it is known: operations
that run later and are meant to read the old value read the new one. It runs updates in the
alphabetical order of their names, "_T10" before "_T9", and computes the outputs last. So weights
change before the gradients of earlier layers, or the loss, are computed from them. Here each update
comes after all that reads the old value. Where no order does that, as for two variables that are
exchanged, the new value is held back until the end.
"""

from dataclasses import dataclass

from plaidml.tile import Operation, Value

from plaidkeras.graph import Setting, copied, is_elementwise, origin, with_operands

Update = tuple[Value, Value]  # a variable and its new value


@dataclass(frozen=True)
class Step:
    """An update and the operations around it, each a set as the bits of a number."""

    update: Update
    behind: int   # what leads to the new value
    maker: int    # the operation that writes it
    readers: int  # what reads the old value and does not lead to the new one
    in_place: bool  # whether the maker has read each element before it writes it


def ordered(outputs: list[Value], updates: list[Update],
            setting: Setting) -> tuple[list[Update], list[Update]]:
    """The updates of a program in the order to make them in, those that its operations bring along
    included; and those of them whose new value is held back until all others are known.
    """
    graph = Graph(setting)
    shown = graph.behind(outputs)
    steps = _steps(graph, _with_side_effects(graph, updates))
    order = _after_readers(steps, shown)
    # The outputs are worked out first, then one update after the other.
    held, known = [step for step in order if not step.in_place], 0
    for behind in [shown, *(step.behind for step in order)]:
        held += [step for step in order if step not in held
                 and step.maker & behind & ~known and step.readers & ~known]
        known |= behind
    return [step.update for step in order], [step.update for step in held]


def _with_side_effects(graph: "Graph", updates: list[Update]) -> list[Update]:
    """One update a variable, with those that operations bring along."""
    found = []
    for old, new in updates:
        found.append((old, new))
        maker = origin(new, graph.setting).source
        found += maker.op.side_effects if maker else []
    graph.behind(new for _, new in found)
    for operation in graph.operations:  # which grow
        found += [update for update in operation.side_effects
                  if not any(update is other for other in found)]
        graph.behind(new for _, new in operation.side_effects)
    return _chained(found, graph.setting)


def _chained(updates: list[Update], setting: Setting) -> list[Update]:
    """Of several updates of a variable each takes up what the one before has left: a shared
    BatchNormalization averages over all its inputs."""
    latest = {}
    for old, new in updates:
        if old.var in latest and origin(new, setting).source:
            operation, output = origin(new, setting).source
            changed = with_operands(operation, {
                name: latest[value.var][1] for name, value in operation.operands.items()
                if value.var in latest})
            new = changed.outputs[output]
        latest[old.var] = old, new
    return list(latest.values())


def _steps(graph: "Graph", updates: list[Update]) -> list[Step]:
    setting = graph.setting
    updates = [(old, new if origin(new, setting).source else copied(new)) for old, new in updates]
    behind = [graph.behind([new]) for _, new in updates]
    readers = graph.readers()
    steps = []
    for (old, new), before in zip(updates, behind):
        maker = origin(new, setting).source.op
        reading = readers.get(old.var, 0)
        steps.append(Step((old, new), before, graph.bit(maker), reading & ~before,
                          is_elementwise(maker) or not reading & graph.bit(maker)))
    return steps


def _after_readers(steps: list[Step], shown: int) -> list[Step]:
    """Each after those that need what reads its old value; else in the order that they have."""
    order, met = [], set()

    def add(step):
        if id(step) in met:
            return
        met.add(id(step))
        for other in steps:
            if other is not step and other.behind & step.readers & ~shown:
                add(other)
        order.append(step)

    for step in steps:
        add(step)
    return order


class Graph:
    """The operations of a program, each set of them the bits of a number."""

    def __init__(self, setting: Setting):
        self.setting = setting
        self.operations: list[Operation] = []
        self._numbers: dict[Operation, int] = {}
        self._behind: dict[Operation, int] = {}

    def bit(self, operation: Operation) -> int:
        return 1 << self._numbers[operation]

    def behind(self, values) -> int:
        """The operations that values depend on."""
        sources = self._sources(values)
        waiting = list(sources)
        while waiting:
            operation = waiting[-1]
            before = self._sources(operation.operands.values())
            unknown = [other for other in before if other not in self._behind]
            if unknown and operation not in self._behind:
                waiting += unknown
                continue
            waiting.pop()
            if operation not in self._behind:
                self._numbers[operation] = len(self.operations)
                self.operations.append(operation)
                self._behind[operation] = self.bit(operation) | self._union(before)
        return self._union(sources)

    def _sources(self, values) -> list[Operation]:
        origins = [origin(value, self.setting) for value in values]
        return [value.source.op for value in origins if value.source]

    def _union(self, operations) -> int:
        union = 0
        for operation in operations:
            union |= self._behind[operation]
        return union

    def readers(self) -> dict[object, int]:
        """The operations that read a variable, by PlaidML's variable."""
        readers = {}
        for operation in self.operations:
            for value in operation.operands.values():
                read = origin(value, self.setting)
                if read.source is None:
                    readers[read.var] = readers.get(read.var, 0) | self.bit(operation)
        return readers
