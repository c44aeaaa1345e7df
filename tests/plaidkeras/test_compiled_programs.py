"""A program is compiled once: what a second process finds computes the same, and is found only for the same."""

import os
import shutil
import subprocess
import sys

import pytest
from library_memory import elsewhere

from plaidkeras import compiled_programs

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the library is known on Linux only")

# Trains and predicts with every kind of kernel, noise and a last batch of another size, and says what it found,
# what it compiled, and a checksum of all that it computed.
TRAIN = """
import hashlib, sys
from plaidkeras import program_cache
load, store, found, compiled = program_cache.load, program_cache.store, [], []
program_cache.load = lambda key: (program := load(key)) and found.append(key) or program
program_cache.store = lambda key, program: compiled.append(key) or store(key, program)
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import numpy as np
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, GaussianNoise, MaxPooling2D
from keras.models import Sequential
np.random.seed(4)
model = Sequential([
    GaussianNoise(0.1, input_shape=(12, 12, 1)), Conv2D(16, 3, activation="relu"), BatchNormalization(),
    MaxPooling2D(), Dropout(0.25), Flatten(), Dense(int(sys.argv[1]), activation="relu"),
    Dense(10, activation="softmax")])
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
images, labels = np.random.rand(40, 12, 12, 1), np.eye(10)[np.arange(40) % 10]
losses = model.fit(images, labels, batch_size=16, epochs=2, verbose=0).history
computed = [*model.get_weights(), model.predict(images, batch_size=16)]
print(len(found), len(compiled), losses,
      hashlib.sha256(b"".join(array.tobytes() for array in computed)).hexdigest())
"""


def train(cache, units=24, program=TRAIN, **environment):
    """(programs found, compiled, what was computed)"""
    said = subprocess.run(
        [sys.executable, "-c", program, str(units)], check=True, capture_output=True, text=True,
        env={**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0", "PLAIDKERAS_CACHE": str(cache), **environment})
    assert not said.stderr
    found, compiled, computed = said.stdout.split(maxsplit=2)
    return int(found), int(compiled), computed


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with the programs of a process, and what it computed."""
    folder = tmp_path_factory.mktemp("programs")
    found, compiled, computed = train(folder)
    assert found == 0 and compiled == len(list(folder.iterdir())) >= 5
    return folder, computed


@pytest.mark.slow
def test_a_second_process_compiles_nothing_and_computes_the_same(first):
    folder, computed = first
    assert train(folder) == (len(list(folder.iterdir())), 0, computed)


@pytest.mark.slow
def test_without_a_place_for_them_all_are_compiled(first):
    _, computed = first
    assert train("") == (0, 0, computed)


@pytest.mark.slow
def test_a_network_of_another_size_shares_only_what_is_the_same(first, tmp_path):
    folder, _ = first
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    found, compiled, computed = train(tmp_path, units=32)
    assert found < compiled
    assert train("", units=32)[2] == computed


@pytest.mark.slow
def test_a_damaged_program_is_compiled_again(first, tmp_path):
    folder, computed = first
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    largest, *others = sorted(tmp_path.iterdir(), key=lambda path: -path.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:-100])
    assert train(tmp_path) == (len(others), 1, computed)
    assert largest.read_bytes() == whole


@pytest.mark.slow
def test_what_the_compiler_is_told_is_part_of_the_key(first, tmp_path):
    folder, _ = first
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    stock = "from plaidkeras import code_generation\ncode_generation.vectorize = lambda: False\n" + TRAIN
    found, compiled, _ = train(tmp_path, program=stock)
    assert found == 0 and compiled == len(list(folder.iterdir()))


@pytest.mark.slow
def test_who_looks_at_compiling_sees_it(first, tmp_path):
    folder, computed = first
    assert train(folder, PLAIDML_STRIPE_OUTPUT=str(tmp_path)) == (0, 0, computed)
    assert list(tmp_path.iterdir())


def test_in_a_library_that_is_not_known_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(compiled_programs, "_Watch", lambda memory: pytest.fail("it is looked at"))
    for at, beginning in compiled_programs.OPTIMIZE, compiled_programs.COPY:
        for other in elsewhere(at, beginning):
            known = [function for function in compiled_programs.KNOWN if function[0] != at]
            monkeypatch.setattr(compiled_programs, "KNOWN", (*known, other))
            assert not compiled_programs.keep_compiled_programs.__wrapped__()


@pytest.mark.slow
def test_where_a_change_fails_the_program_is_compiled_as_it_is(first):
    fails = """
from plaidkeras import first_values
def fail(program): raise MemoryError
first_values.set_late = fail
import os, sys
said, sys.stderr = sys.stderr, open(os.devnull, "w")  # where ctypes tells of it
""" + TRAIN
    assert train("", program=fails)[2] == first[1]


SIGNALLED = """
import os, signal, sys
from plaidkeras import program_cache
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import keras.backend as K
def answer(number, frame):
    raise ValueError("answered")
number = getattr(signal, sys.argv[1])
signal.signal(number, answer)
double = K.function([], [2 * K.variable([21.0])])
program_cache.load = lambda key: os.kill(os.getpid(), number)  # while PlaidML makes the program
try:
    double([])
except ValueError as error:
    print(error)
assert signal.getsignal(number) is answer
print(double([]))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGALRM"])
def test_a_signal_while_it_compiles_is_answered(tmp_path, name):
    said = subprocess.run([sys.executable, "-c", SIGNALLED, name], check=True, capture_output=True, text=True,
                          env={**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0", "PLAIDKERAS_CACHE": str(tmp_path)})
    assert said.stdout == "answered\n[array([42.], dtype=float32)]\n" and not said.stderr


RAISING = """
import sys
from plaidkeras import compiled_programs, interrupts
def fail(*arguments):
    raise MemoryError
setattr(compiled_programs._Watch, sys.argv[1], fail)
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import keras.backend as K
print(K.eval(2 * K.variable([21.0])))
"""


@pytest.mark.parametrize("look", ["make_program", "generate_stripe", "optimize", "compile", "run_passes",
                                  "generate_code", "get_object", "notify_compiled"])
def test_what_is_raised_where_plaidml_calls_back_keeps_it_from_nothing(tmp_path, look):
    said = subprocess.run([sys.executable, "-c", RAISING, look], check=True, capture_output=True, text=True,
                          env={**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0", "PLAIDKERAS_CACHE": str(tmp_path)})
    assert said.stdout == "[42.]\n" and "MemoryError" in said.stderr


PROFILED_LATER = """
import os, sys
import plaidkeras
plaidkeras.install("llvm_cpu.0")
os.environ["PLAIDML_CPU_PROFILE"] = sys.argv[1]
import keras.backend as K
K.eval(2 * K.variable([21.0]))
"""


def test_a_profile_that_is_asked_for_after_the_start_is_written_and_not_kept(tmp_path):
    subprocess.run([sys.executable, "-c", PROFILED_LATER, str(tmp_path / "profile")], check=True, capture_output=True,
                   env={**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0", "PLAIDKERAS_CACHE": str(tmp_path / "kept")})
    assert list(tmp_path.glob("profile.*")) and not list(tmp_path.glob("kept/*"))
