"""What LLVM is told in PlaidML's library in memory."""

import os
import subprocess
import sys

import pytest
from library_memory import read

from plaidkeras import code_generation, processor
from plaidkeras.library import change

# A few steps of a small network with every kind of kernel: element-wise, copies, sums, products.
TRAIN = """
import hashlib, sys
from plaidkeras import code_generation, compile_time, matrix_kernels, memory_functions, stencils
if sys.argv[1] == "stock":
    code_generation.use_instructions_of_the_processor = code_generation.vectorize = lambda: False
    code_generation.know_tensors_apart = code_generation.know_all_calls = lambda: False
    matrix_kernels.clear_registers = matrix_kernels.look_up_in_a_table = lambda: False
    memory_functions.serve_programs = lambda: False
    compile_time.optimize_less = compile_time.number_names_from_their_count = lambda: False
    stencils.prefer_rows_that_lie_together = lambda: False
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import numpy as np
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
np.random.seed(4)
model = Sequential([Conv2D(16, 3, activation="relu", input_shape=(12, 12, 1)), BatchNormalization(), MaxPooling2D(),
                    Dropout(0.25), Flatten(), Dense(10, activation="softmax")])
model.compile("adam", "categorical_crossentropy")
images, labels = np.random.rand(32, 12, 12, 1), np.eye(10)[np.arange(32) % 10]
losses = [float(model.train_on_batch(images, labels)) for _ in range(3)]
print(losses, hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest())
"""


FEATURES = code_generation.TABLE + code_generation.GENERIC * code_generation.ENTRY.size + 8  # of "generic"
PLACES = {FEATURES: bytes.fromhex(code_generation.KNOWN[code_generation.GENERIC][1]),
          **dict([code_generation.ITS_RETURN, code_generation.IS_APART]), **code_generation.EXTERNAL}


def told():
    """The features and the width of vectors, in bits, that LLVM is told."""
    return read(FEATURES, 24).hex(), int.from_bytes(read(code_generation.VECTOR_WIDTH, 4), "little")


def write(places):
    assert change(lambda library: True, lambda library: [library.write(*place) for place in places.items()])


@pytest.fixture
def stock_library():
    """The library as it was built; afterwards it is again as it was."""
    before = {at: read(at, len(content)) for at, content in PLACES.items()}
    write(PLACES)
    yield
    write(before)


@pytest.mark.parametrize("has, entry, width", [
    (code_generation.AVX512, code_generation.SKYLAKE, 512),
    (code_generation.AVX512 - {"avx512bw"}, code_generation.HASWELL, 256),
    (code_generation.AVX512 - {"avx2"}, 0, 128),
    (set(), 0, 128)])
def test_the_compiler_translates_for_what_the_processor_has(stock_library, monkeypatch, has, entry, width):
    monkeypatch.setattr(processor, "instruction_sets", lambda: has)
    assert code_generation.use_instructions_of_the_processor.__wrapped__() == entry
    assert code_generation.vectorize.__wrapped__()
    assert told() == (code_generation.KNOWN[entry or code_generation.GENERIC][1], width)


@pytest.mark.parametrize("change_it, place", [(code_generation.vectorize, "ITS_RETURN"),
                                              (code_generation.know_tensors_apart, "IS_APART")])
def test_code_of_another_plaidml_is_left_alone(stock_library, monkeypatch, change_it, place):
    at, code = getattr(code_generation, place)
    with monkeypatch.context() as patched:
        patched.setattr(code_generation, place, (at, code[::-1]))
        assert not change_it.__wrapped__()
    assert read(at, len(code)) == code
    assert change_it.__wrapped__() and read(at, len(code)) != code


@pytest.mark.parametrize("at", code_generation.EXTERNAL)
def test_functions_of_another_plaidml_are_left_alone(stock_library, monkeypatch, at):
    known = dict(code_generation.EXTERNAL)
    with monkeypatch.context() as patched:
        patched.setitem(code_generation.EXTERNAL, at, known[at][::-1])
        assert not code_generation.know_all_calls.__wrapped__()
    assert {at: read(at, len(code)) for at, code in known.items()} == known
    assert code_generation.know_all_calls.__wrapped__()
    assert {at: read(at, len(code)) for at, code in known.items()} == code_generation.INTERNAL


@pytest.mark.skipif(not code_generation.AVX2 <= processor.instruction_sets(), reason="a processor without AVX2")
def test_what_is_installed_translates_for_this_processor():
    assert code_generation.use_instructions_of_the_processor() == code_generation.best_processor()
    assert told()[0] == code_generation.KNOWN[code_generation.best_processor()][1]


def test_a_table_of_another_plaidml_is_left_alone(stock_library, monkeypatch):
    before = told()
    monkeypatch.setattr(processor, "instruction_sets", lambda: code_generation.AVX512)
    for entry, (name, features) in list(code_generation.KNOWN.items()):
        for other in (b"another\0", features), (name, features.replace("8", "9")):
            with monkeypatch.context() as patched:
                patched.setitem(code_generation.KNOWN, entry, other)
                assert not code_generation.use_instructions_of_the_processor.__wrapped__()
    with monkeypatch.context() as patched:
        patched.setattr(code_generation, "TABLE", 2 ** 62)  # where nothing is
        assert not code_generation.use_instructions_of_the_processor.__wrapped__()
    assert told() == before
    assert code_generation.use_instructions_of_the_processor.__wrapped__()  # all as it is known


@pytest.mark.slow
def test_the_numbers_are_the_same_with_them_and_without():
    stock, ours = (subprocess.run([sys.executable, "-c", TRAIN, which], check=True, capture_output=True, text=True,
                                   env={**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0"}).stdout
                    for which in ("stock", "ours"))
    assert stock == ours != ""
