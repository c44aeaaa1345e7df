"""The optimizers that a recipe may name, as Keras has them or after its manner."""

import keras
import keras.backend as K
from keras.legacy.interfaces import legacy_get_updates_support

from digits.recipe import Optimizer


def build(chosen: Optimizer) -> keras.optimizers.Optimizer:
    if chosen.name == "adadelta":
        return keras.optimizers.Adadelta(lr=chosen.learning_rate)
    return AdamW(lr=chosen.learning_rate, weight_decay=chosen.weight_decay)


class AdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay: Loshchilov and Hutter (2019), algorithm 2.

    Only kernels decay, not biases or what scales a normalization.
    """

    def __init__(self, weight_decay: float = 0.01, **keywords):
        super().__init__(**keywords)
        self.weight_decay = weight_decay

    @legacy_get_updates_support
    def get_updates(self, loss, params):
        kernels = {id(weight) for weight in params if len(K.int_shape(weight)) > 1}
        self.updates = [
            (old, new - self.lr * self.weight_decay * old) if id(old) in kernels else (old, new)
            for old, new in super().get_updates(loss=loss, params=params)]
        return self.updates
