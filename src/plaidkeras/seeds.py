"""Random numbers that follow their seed: the functions of keras.backend that take one.

PlaidML sets NumPy's own generator to the seed that one of them is given, and so changes all that
is drawn after it, such as the order of the rows in `fit`; and it takes seed 0 for none.
"""

import contextlib
import functools

import keras.backend as K
import numpy as np
import plaidml.keras.backend as plaidml_backend

PLACES = {"dropout": 3, "random_normal": 4, "random_normal_variable": 5, "random_uniform": 4,
          "random_uniform_variable": 5, "truncated_normal": 4}


def replace_functions() -> None:
    """Let the drawing functions of keras.backend follow their seed."""
    for name, place in PLACES.items():
        seeded = _following_seed(getattr(K, name), place)
        # keras.backend is a copy of the names of plaidml.keras.backend: both need them.
        for module in (K, plaidml_backend):
            setattr(module, name, seeded)


def _following_seed(draw, place):
    """`draw` with the seed it is given, 0 among them; what NumPy draws elsewhere is untouched.
    place: of the seed among the arguments."""
    @functools.wraps(draw)
    def seeded(*arguments, seed=None, **keywords):
        seed = arguments[place] if len(arguments) > place else seed
        with _numpy_seeded(seed):  # PlaidML's states come from NumPy's generator
            return draw(*arguments[:place], **keywords)
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
