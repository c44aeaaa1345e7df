"""A compiled program: what K.function returns."""

import plaidml
import plaidml.keras.backend as plaidml_backend
from plaidml.tile import Value, convert_pml_dtype_to_np

from plaidkeras.graph import compose
from plaidkeras.updates import ordered


class Function:
    """Calls a program on arrays; it is compiled on the first call in each learning phase."""

    def __init__(self, inputs, outputs, updates):
        self.inputs, self.outputs, self.updates = inputs, outputs, updates
        self.phase_input = next(
            (i for i, value in enumerate(inputs) if value is plaidml_backend._in_train_phase), None)
        self._invokers = {}

    def __call__(self, arrays):
        """arrays: one for each input, or a number. Returns a list of ndarrays."""
        phase = None if self.phase_input is None else int(arrays[self.phase_input])
        if phase not in self._invokers:
            self._invokers[phase] = self._compile(phase)
        invoker = self._invokers[phase]
        context, device = plaidml_backend._ctx, plaidml_backend._device()
        for i, (value, array) in enumerate(zip(self.inputs, arrays)):
            if i != self.phase_input:
                invoker.set_input(f"I{i}", _variable(value, array))
        results = [plaidml.Tensor(device, invoker.get_output_shape(f"O{i}"))
                   for i in range(len(self.outputs))]
        for i, result in enumerate(results):
            invoker.set_output(f"O{i}", result)
        invoker.invoke()
        return [result.as_ndarray(context) for result in results]

    def _compile(self, phase):
        inputs = [(f"I{i}", value) for i, value in enumerate(self.inputs)
                  if i != self.phase_input]
        outputs = [(f"O{i}", value) for i, value in enumerate(self.outputs)]
        # An update is an output that is stored where its variable is. PlaidML writes these one
        # after the other, in the order of their names.
        order, held = ordered(self.outputs, self.updates, phase)
        context, device = plaidml_backend._ctx, plaidml_backend._device()
        places = {}
        for letter, updates in (("U", order), ("V", held)):
            for i, (old, new) in enumerate(updates):
                waits = letter == "U" and any(old is other for other, _ in held)
                places[f"{letter}{i:06}"] = (
                    plaidml.Tensor(device, old.var.shape) if waits else old.var)
                outputs.append((f"{letter}{i:06}", new))
        invoker = plaidml.Invoker(context, compose(
            context, device, inputs, outputs, phase=phase, side_effects=False))
        invoker.set_outputs(places)
        return invoker


def _variable(value: Value, array):
    if isinstance(array, int):
        return plaidml.Integer(array)
    if isinstance(array, float):
        return plaidml.Real(array)
    return plaidml_backend.variable(array, dtype=convert_pml_dtype_to_np(value.shape.dtype)).var
