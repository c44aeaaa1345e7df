"""Random numbers that follow their seed: the functions of keras.backend that take one.

PlaidML sets NumPy's own generator to the seed that one of them is given, and so changes all that
is drawn after it, such as the order of the rows in `fit`; and it takes seed 0 for none.
"""

import contextlib
import functools

import keras.backend as K
import numpy as np
import plaidml.keras.backend as plaidml_backend


def replace_functions() -> None:
    """Let the drawing functions of keras.backend follow their seed."""
    for name in ("dropout", "random_normal", "random_normal_variable", "random_uniform",
                 "random_uniform_variable", "truncated_normal"):
        # keras.backend is a copy of the names of plaidml.keras.backend: both need them.
        for module in (K, plaidml_backend):
            setattr(module, name, _following_seed(getattr(module, name)))


def _following_seed(draw):
    """`draw` with the seed it is given, 0 among them; what NumPy draws elsewhere is untouched."""
    if getattr(draw, "follows_seed", False):
        return draw

    @functools.wraps(draw)
    def seeded(*arguments, seed=None, **keywords):
        with _numpy_seeded(seed):  # PlaidML's states come from NumPy's generator
            return draw(*arguments, **keywords)
    seeded.follows_seed = True
    return seeded


@contextlib.contextmanager
def _numpy_seeded(seed):
    if seed is None:
        yield
        return
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
