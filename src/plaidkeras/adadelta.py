"""Adadelta as one operation for each weight.

PlaidML fuses an element-wise operation into the kernel before it only if it reads what that kernel
made. Keras's own formula becomes six passes over the accumulators. Here all of it reads the
gradient, and so is fused into the kernel that sums the gradient up.
"""

import keras.backend as K
from keras.legacy.interfaces import legacy_get_updates_support
from plaidml.tile import Operation


class AdadeltaStep(Operation):
    """The next accumulator, weight and delta accumulator, as outputs A, W and D.

    Zeiler (2012), algorithm 1, with Keras's learning rate: all four of one shape, the rate ().
    The choices between two equal values make all expressions depend on the gradient.
    """

    def __init__(self, gradient, accumulator, weight, delta_accumulator, rate, rho, epsilon):
        super().__init__(
            f"""function (Gradient, OldA, OldW, OldD, Rate) -> (A, W, D) {{
                    Low = Gradient < 0.0;
                    G = (Low ? Gradient : Gradient);
                    A = (Low ? OldA : OldA) * {rho} + G * G * {1 - rho};
                    Before = (Low ? OldD : OldD);
                    Step = sqrt((Before + {epsilon}) / (A + {epsilon})) * G;
                    W = (Low ? OldW : OldW) - Step * Rate;
                    D = Before * {rho} + Step * Step * {1 - rho};
                }}""",
            [("Gradient", gradient), ("OldA", accumulator), ("OldW", weight),
             ("OldD", delta_accumulator), ("Rate", rate)],
            [(name, weight.shape) for name in "AWD"])


@legacy_get_updates_support
def adadelta_updates(self, loss, params):
    """Takes the place of keras.optimizers.Adadelta.get_updates."""
    accumulators = [K.zeros(K.int_shape(weight)) for weight in params]
    delta_accumulators = [K.zeros(K.int_shape(weight)) for weight in params]
    self.weights = accumulators + delta_accumulators
    self.updates = [K.update_add(self.iterations, 1)]
    rate = self.lr
    if self.initial_decay > 0:
        rate = rate / (1. + self.decay * K.cast(self.iterations, K.dtype(self.decay)))
    for weight, gradient, accumulator, delta_accumulator in zip(
            params, self.get_gradients(loss, params), accumulators, delta_accumulators):
        new_accumulator, new_weight, new_delta = AdadeltaStep.function(
            gradient, accumulator, weight, delta_accumulator, rate, self.rho, self.epsilon)
        if getattr(weight, "constraint", None) is not None:
            new_weight = weight.constraint(new_weight)
        self.updates += [K.update(accumulator, new_accumulator), K.update(weight, new_weight),
                         K.update(delta_accumulator, new_delta)]
    return self.updates
