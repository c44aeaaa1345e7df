"""A compiled program: what K.function returns."""

import threading
from typing import NamedTuple

import keras.backend as K
import numpy as np
import plaidml
import plaidml.keras.backend as plaidml_backend
from plaidml.exceptions import PlaidMLError
from plaidml.tile import Value

from plaidkeras import checks, interrupts
from plaidkeras.checks import CannotCompute
from plaidkeras.dtypes import SIZE
from plaidkeras.graph import PhaseSwitch, Setting, Unrolled, invoker, is_elementwise, kind
from plaidkeras.precomputed import Precomputed, mark_changed
from plaidkeras.updates import Graph, ordered


# One at a time, whatever thread calls: a program's buffers, which PlaidML keeps, are for one call.
_running = threading.RLock()


class Program(NamedTuple):
    """What a function is compiled to."""

    invoker: plaidml.Invoker
    printed: dict[str, str]  # the message of each output that is to be printed
    of_unknown_size: dict[str, Value | None]  # such outputs, with the variable that they are stored in
    written: list[plaidml.Tensor]  # the variables
    precomputed: Precomputed | None


class Function:
    """Calls a program on arrays; it is compiled on the first call in each learning phase."""

    def __init__(self, inputs, outputs, updates):
        self.inputs, self.outputs = inputs, [_as_tensor(value) for value in outputs]
        self.updates = [(old, _as_tensor(new, old.shape.dims)) for old, new in updates]
        self.phase_input = next(
            (i for i, value in enumerate(inputs) if value is plaidml_backend._in_train_phase), None)
        self._programs = {}  # by the setting that each was compiled for
        self._steps = _steps([*self.outputs, *(new for _, new in self.updates)])

    def __call__(self, arrays):
        """arrays: one for each input, or a number. Returns a list of ndarrays.

        Raises CannotCompute, which names the input that its array does not fit, or the operation
        that cannot be computed.
        """
        if len(arrays) != len(self.inputs):
            raise CannotCompute(f"the function has {len(self.inputs)} inputs, not {len(arrays)}")
        if not self.outputs and not self.updates:
            return []
        with _running:
            return self._call(arrays)

    def _call(self, arrays):
        given = {f"I{i}": _variable(value, array)
                 for i, (value, array) in enumerate(zip(self.inputs, arrays)) if i != self.phase_input}
        setting = self._setting(arrays)
        context, device = plaidml_backend._ctx, plaidml_backend._device()
        try:
            if setting not in self._programs:
                self._programs[setting] = self._compile(setting)
            program = self._programs[setting]
            for name, variable in given.items():
                program.invoker.set_input(name, variable)
            names = [*(f"O{i}" for i in range(len(self.outputs))), *program.printed]
            results = {name: program.invoker.get_output_shape(name) for name in names}
            checks.check_sizes(program.invoker, program.of_unknown_size)
        except PlaidMLError as error:
            raise CannotCompute(self._why_not(setting, given) or str(error)) from error
        for name, shape in results.items():
            results[name] = plaidml.Tensor(device, shape)
            program.invoker.set_output(name, results[name])
        for variable in program.written:
            mark_changed(variable)
        with interrupts.deferred():
            if program.precomputed:
                program.precomputed.refresh()
            program.invoker.invoke()
        results = {name: tensor.as_ndarray(context) for name, tensor in results.items()}
        for name, message in program.printed.items():
            print(message, results.pop(name))
        return list(results.values())

    def _setting(self, arrays):
        """What a program for these arrays is compiled for."""
        phase = None if self.phase_input is None else int(arrays[self.phase_input])
        counts = Function(self.inputs, self._steps, [])(arrays) if self._steps else []
        return Setting(phase, frozenset((steps.key, int(count)) for steps, count in zip(self._steps, counts)),
                       any(np.shape(array)[0] % 2 for array in arrays if np.ndim(array)))

    def _compile(self, setting):
        # An update is an output that is stored where its variable is. PlaidML writes these one
        # after the other, in the order of their names.
        order, held = ordered(self.outputs, self.updates, setting)
        operations = self._operations(setting)
        checks.check(operations)
        outputs = {f"O{i}": value for i, value in enumerate(self.outputs)}
        printed = [operation for operation in operations if kind(operation) == "PrintTensor"]
        outputs |= {f"P{i}": operation.sole_output() for i, operation in enumerate(printed)}
        places, variables = {}, {}
        for letter, updates in (("U", order), ("V", held)):
            for i, (old, new) in enumerate(updates):
                checks.check_update(old, new)
                name, waits = f"{letter}{i:06}", letter == "U" and any(old is v for v, _ in held)
                places[name] = plaidml.Tensor(
                    plaidml_backend._device(), old.var.shape) if waits else old.var
                outputs[name], variables[name] = new, old
        precomputed = None
        if self.inputs and not places and not printed:
            precomputed = Precomputed(operations, self.outputs, setting)
        program = invoker(self._placeholders(), outputs, setting, precomputed and precomputed.results)
        program.set_outputs(places)
        return Program(
            program, {f"P{i}": operation.message for i, operation in enumerate(printed)},
            {name: variables.get(name) for name, value in outputs.items() if None in K.int_shape(value)},
            [old.var for old, _ in order], precomputed)

    def _placeholders(self):
        return {f"I{i}": value for i, value in enumerate(self.inputs) if i != self.phase_input}

    def _operations(self, setting):
        graph = Graph(setting)
        graph.behind([*self.outputs, *(new for _, new in self.updates)])
        return graph.operations

    def _why_not(self, setting, given):
        """The operation that does not compile for what is given, and why; None if none is found."""
        def compiles(values):
            outputs = {f"O{i}": value for i, value in enumerate(values)}
            program = invoker(self._placeholders(), outputs, setting)
            for name, variable in given.items():
                program.set_input(name, variable)
            for name in outputs:
                program.get_output_shape(name)
        return checks.culprit(self._operations(setting), compiles)


def _steps(values) -> list[Value]:
    """The numbers of steps that values are unrolled to."""
    waiting, seen, steps = [*values], set(), {}
    while waiting:
        source = waiting.pop().source
        if source and source.op not in seen:
            seen.add(source.op)
            waiting += source.op.operands.values()
            if isinstance(source.op, Unrolled):
                steps[source.op.steps.key] = source.op.steps
    return list(steps.values())


def _variable(value: Value, array):
    checks.check_array(value, array)
    if isinstance(array, int):
        return plaidml.Integer(array)
    if isinstance(array, float):
        return plaidml.Real(array)
    return plaidml_backend.variable(array, dtype=value.dtype).var


def _as_tensor(value, dims=()) -> Value:
    """A value, or where it is only a number, a tensor that holds it: PlaidML writes no numbers."""
    value = Value.from_python_value(value)
    if not _is_number(value):
        return value
    dtype = "int64" if value.shape.dtype == SIZE else value.dtype
    return plaidml_backend.variable(np.zeros(dims, dtype), dtype) + value


def _is_number(value: Value) -> bool:
    """Whether the compiler may know a value before it is computed: no tensor is behind it."""
    waiting, seen = [value], set()
    while waiting:
        value = waiting.pop()
        if value.shape.dims or not value.source:
            if not isinstance(value.var, (plaidml.Integer, plaidml.Real)):
                return False
        elif value.source.op not in seen and kind(value.source.op) != "SymbolicDim":
            operation = value.source.op
            seen.add(operation)
            if not is_elementwise(operation):
                return False
            waiting += [operation.operands[branch] for branch in "TE"] if isinstance(
                operation, PhaseSwitch) else operation.operands.values()
    return True
