"""Training neither crashes, slows nor grows, whatever the number of rows.

Native code writes past its buffers unseen, so each test of that has a process of its own, where
glibc's malloc looks behind every block that is freed.
"""

import concurrent.futures
import glob
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D

from plaidkeras.function import Function

INSTALL = """
import sys
import plaidkeras
from plaidkeras import memory_functions
memory_functions.serve_programs = lambda: False  # blocks that are kept are larger, and never freed
plaidkeras.install("llvm_cpu.0")
"""
CHECKED = INSTALL + """
from plaidkeras import selftest
for rows in map(int, sys.argv[1:]):
    for what, error in selftest.errors(rows).items():
        assert error < 1e-4, f"{rows} rows: {what} is off by {error:.2g}"
"""


def run(code, *arguments):
    """Run code in a new interpreter with a malloc that checks itself; returns the process."""
    environment = {**os.environ, "MALLOC_PERTURB_": "165"}
    if glob.glob("/lib/*/libc_malloc_debug.so.0") + glob.glob("/lib*/libc_malloc_debug.so.0"):
        environment.update(MALLOC_CHECK_="3", LD_PRELOAD="libc_malloc_debug.so.0")
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=environment,
                          capture_output=True, text=True)


def network(sides=12):
    np.random.seed(0)
    model = keras.Sequential([
        Conv2D(8, 3, activation="relu", input_shape=(sides, sides, 1)),
        Conv2D(8, 3, padding="same", activation="relu"), BatchNormalization(), MaxPooling2D(2),
        Dropout(0.25), Flatten(), Dense(16, activation="relu"), Dropout(0.5),
        BatchNormalization(), Dense(10, activation="softmax")])
    model.compile("adadelta", "categorical_crossentropy")
    return model


def rows_of_digits(count, sides=12):
    random = np.random.RandomState(count)
    return random.rand(count, sides, sides, 1), np.eye(10)[random.randint(0, 10, count)]


# Primes above 32 are the ones that PlaidML's compiler gets wrong.

def test_batches_of_a_prime_number_of_rows_corrupt_no_memory_and_are_right():
    result = run(CHECKED, 37)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(1, 2, 3, 15, 33, 49), (41, 43, 47, 53, 59), (97, 101, 103, 127)])
def test_batches_of_any_number_of_rows_corrupt_no_memory_and_are_right(sizes):
    result = run(CHECKED, *sizes)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_primes_corrupt_memory_if_plaidml_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("PLAIDKERAS_CACHE", "")  # where programs of patched compilers are
    leave = ("from plaidkeras import compiler_patches, temporaries\ncompiler_patches.apply = lambda: True\n"
             "temporaries.share_memory = lambda program: program\n")
    assert run(leave + CHECKED, 37).returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("size", [37, 41, 47])
def test_layers_and_images_of_a_prime_size_corrupt_no_memory(size):
    result = run(f"""{INSTALL}
import keras, numpy as np
from keras.layers import *
model = keras.Sequential([
    Conv2D({size}, 3, activation="relu", input_shape=({size}, {size}, 1)), MaxPooling2D(3),
    Conv2D(8, 3, padding="same"), Flatten(), Dense({size}, activation="relu"), Dense({size})])
model.compile("sgd", "mse")
for _ in range(3):
    loss = model.train_on_batch(np.full((8, {size}, {size}, 1), 0.1), np.ones((8, {size})))
assert loss < 10
""")
    assert result.returncode == 0, result.stderr


def test_a_short_last_batch_is_compiled_once_and_not_again(monkeypatch):
    programs, seconds = [], []
    monkeypatch.setattr(Function, "_compile", lambda self, phase, make=Function._compile: (
        programs.append(phase) or make(self, phase)))
    clock = keras.callbacks.LambdaCallback(  # the processor's: other processes do not count
        on_batch_begin=lambda batch, logs: seconds.append(-time.process_time()),
        on_batch_end=lambda batch, logs: seconds.append(seconds.pop() + time.process_time()))
    model = keras.Sequential([Dense(32, activation="relu", input_shape=(16,)), Dense(10)])
    model.compile("adadelta", "mse")
    programs.clear()  # which made the first weights
    model.fit(np.ones((72, 16)), np.ones((72, 10)), 32, epochs=6, verbose=0, callbacks=[clock])
    first, _, compiling, *later = seconds
    assert len(programs) == 1
    assert max(later) < min(first, compiling) / 2


def rows_computed(monkeypatch, model, count, batch_size):
    """The rows of each batch that a prediction computes, and the prediction."""
    batches = []
    monkeypatch.setattr(Function, "__call__", lambda self, arrays, call=Function.__call__: (
        batches.append(len(arrays[0])) or call(self, arrays)))
    inputs = np.random.RandomState(count).rand(count, 16)
    return batches, model.predict(inputs, batch_size), model.predict_on_batch(inputs)


@pytest.mark.parametrize("count, computed", [(72, [32, 32, 32, 72]), (64, [32, 32, 64]),
                                             (5, [5, 5]), (33, [32, 32, 33])])
def test_prediction_fills_up_a_short_last_batch(monkeypatch, count, computed):
    model = keras.Sequential([Dense(8, activation="relu", input_shape=(16,)), Dropout(0.5),
                              Dense(3, activation="softmax")])
    batches, in_batches, at_once = rows_computed(monkeypatch, model, count, 32)
    assert batches == computed
    np.testing.assert_allclose(in_batches, at_once, rtol=1e-5)


def resident_megabytes():
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2 ** 20


def dense_network():
    model = keras.Sequential([
        Flatten(input_shape=(12, 12, 1)), Dense(16, activation="relu"), Dropout(0.5),
        Dense(10, activation="softmax")])
    model.compile("adadelta", "categorical_crossentropy")
    return model


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("make", [dense_network, network])
def test_memory_does_not_grow_over_five_hundred_steps(make):
    """Of two batch sizes by turns, with tests and predictions between."""
    model = make()
    images, targets = rows_of_digits(32)

    def steps(count):
        for step in range(count):
            rows = slice(32 if step % 2 else 20)
            model.train_on_batch(images[rows], targets[rows])
            if step % 10 < 2:
                model.test_on_batch(images[rows], targets[rows])
                model.predict_on_batch(images[rows])

    steps(100)
    before = resident_megabytes()
    steps(500)
    assert resident_megabytes() - before < 2


def test_threads_that_predict_at_once_get_what_each_gets_alone():
    """Networks of one shape share a program, and calls of it the memory that it computes in."""
    from keras.layers import Conv2D, Dense, Flatten

    def network():
        return keras.Sequential([Conv2D(8, 3, activation="relu", input_shape=(16, 16, 1)), Conv2D(8, 3),
                                 Flatten(), Dense(4)])

    networks, images = [network() for _ in range(3)], np.random.RandomState(0).rand(64, 16, 16, 1)
    expected = [each.predict(images) for each in networks]
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        for _ in range(10):
            for found, wanted in zip(threads.map(lambda each: each.predict(images), networks), expected):
                np.testing.assert_array_equal(found, wanted)
