"""What LLVM is told in PlaidML's library in memory."""

import os
import subprocess
import sys

import pytest
from library_memory import read

from plaidkeras import code_generation, processor

# A few steps of a small network with every kind of kernel: element-wise, copies, sums, products.
TRAIN = """
import hashlib, sys
from plaidkeras import code_generation, compile_time
if sys.argv[1] == "stock":
    code_generation.use_instructions_of_the_processor = code_generation.vectorize = lambda: False
    compile_time.skip_loop_strength_reduction = compile_time.merge_equal_functions_first = lambda: False
    compile_time.number_names_from_their_count = lambda: False
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


def generic_features():
    entry = code_generation.ENTRY
    return entry.unpack(read(code_generation.TABLE + code_generation.GENERIC * entry.size, entry.size))[1].hex()


@pytest.mark.skipif(not code_generation.NEEDED <= processor.instruction_sets(), reason="a processor without AVX2")
def test_the_compiler_translates_for_this_processor():
    assert code_generation.use_instructions_of_the_processor()
    assert generic_features() == code_generation.KNOWN[code_generation.HASWELL][1]


def test_a_processor_without_them_is_not_given_them(monkeypatch):
    before = generic_features()
    monkeypatch.setattr(processor, "instruction_sets", lambda: code_generation.NEEDED - {"avx2"})
    assert not code_generation.use_instructions_of_the_processor.__wrapped__()
    assert generic_features() == before


def test_a_table_of_another_plaidml_is_left_alone(monkeypatch):
    before = generic_features()
    monkeypatch.setattr(processor, "instruction_sets", lambda: code_generation.NEEDED)
    monkeypatch.setitem(code_generation.KNOWN, code_generation.GENERIC, (b"generic\0", before))
    for entry, (name, features) in list(code_generation.KNOWN.items()):
        for other in (b"another\0", features), (name, features.replace("8", "9")):
            with monkeypatch.context() as patched:
                patched.setitem(code_generation.KNOWN, entry, other)
                assert not code_generation.use_instructions_of_the_processor.__wrapped__()
    with monkeypatch.context() as patched:
        patched.setattr(code_generation, "TABLE", 2 ** 62)  # where nothing is
        assert not code_generation.use_instructions_of_the_processor.__wrapped__()
    assert generic_features() == before
    assert code_generation.use_instructions_of_the_processor.__wrapped__()  # all as it is known


@pytest.mark.slow
def test_the_numbers_are_the_same_with_them_and_without():
    stock, ours = (subprocess.run([sys.executable, "-c", TRAIN, which], check=True, capture_output=True, text=True,
                                   env={**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0"}).stdout
                    for which in ("stock", "ours"))
    assert stock == ours != ""
