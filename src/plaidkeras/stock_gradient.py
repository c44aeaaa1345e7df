"""PlaidML's own gradient of a single operation, for those that rules.py has no rule for."""

import copy

import plaidml
from plaidml.tile import Operation, Value


class StockGradient(Operation):
    """PlaidML's own gradient of one operation, for one operand, given its output's gradient g.

    PlaidML differentiates from a loss back to the beginning. Here the operation is cut out: a
    function of its operands and of g, with sum(output * g) for a loss.
    """

    def __init__(self, operation: Operation, operand: str, g: Value):
        self.operation, self.operand = operation, operand
        super().__init__(None, [*operation.operands.items(), ("Gradient", g)],
                         [("O", operation.operands[operand].shape)])

    def bind(self, bindings):
        inputs = {name: plaidml.Placeholder(value.shape.ndims)
                  for name, value in self.operands.items()}
        cut_out = copy.copy(self.operation)
        cut_out.inputs = {name: Value.from_var(inputs[name], ()) for name in self.operation.operands}
        (output,) = cut_out.bind(bindings).values()
        loss = _apply(bindings, plaidml.Function(_weighted_sum(self.operands["Gradient"])),
                      {"Y": output, "G": inputs["Gradient"]}, "L")
        composer = plaidml.Composer()
        for name, variable in inputs.items():
            composer.add_input(name, variable)
        composer.add_output("O", plaidml.gradients(loss, [inputs[self.operand]])[0])
        actual = {name: value.bind(bindings) for name, value in self.inputs.items()}
        gradient = _apply(bindings, composer.build(), actual, "O")
        # Of an operand that steers a choice alone it is a single zero.
        like = plaidml.Function("function (D, X) -> (O) { O = (X < 0.0 ? D : D); }")
        return {"O": _apply(bindings, like, {"D": gradient, "X": actual[self.operand]}, "O")}


stock_gradient = StockGradient.function


def _weighted_sum(like: Value) -> str:
    sizes = ", ".join(f"N{i}" for i in range(like.shape.ndims))
    return f"function (Y[{sizes}], G[{sizes}]) -> (L) {{ W = Y * G; L[] = +(W[{sizes.lower()}]); }}"


def _apply(bindings, function, inputs: dict[str, plaidml.Var], output: str) -> plaidml.Var:
    applier = plaidml.Applier(bindings.ctx, function)
    for name, variable in inputs.items():
        applier.add_input(name, variable)
    return applier.add_output(output)
