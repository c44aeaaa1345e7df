"""The processor that LLVM translates for, in PlaidML's library in memory."""

import os
import subprocess
import sys

import plaidml
import pytest

from plaidkeras import instructions, processor

# A few steps of a small network with every kind of kernel: element-wise, copies, sums, products.
TRAIN = """
import hashlib, sys
from plaidkeras import instructions
if sys.argv[1] == "generic":
    instructions.use_those_of_the_processor = lambda: False
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
    plaidml._lib()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        library = min(int(line.partition("-")[0], 16) for line in maps if line.rstrip().endswith("/libplaidml.so"))
        memory.seek(library + instructions.TABLE + instructions.GENERIC * instructions.ENTRY.size)
        return instructions.ENTRY.unpack(memory.read(instructions.ENTRY.size))[1].hex()


@pytest.mark.skipif(not instructions.NEEDED <= processor.instruction_sets(), reason="a processor without AVX2")
def test_the_compiler_translates_for_this_processor():
    assert instructions.use_those_of_the_processor()
    assert generic_features() == instructions.KNOWN[instructions.HASWELL][1]


def test_a_processor_without_them_is_not_given_them(monkeypatch):
    before = generic_features()
    monkeypatch.setattr(processor, "instruction_sets", lambda: instructions.NEEDED - {"avx2"})
    assert not instructions.use_those_of_the_processor.__wrapped__()
    assert generic_features() == before


def test_a_table_of_another_plaidml_is_left_alone(monkeypatch):
    before = generic_features()
    monkeypatch.setattr(processor, "instruction_sets", lambda: instructions.NEEDED)
    monkeypatch.setitem(instructions.KNOWN, instructions.GENERIC, (b"generic\0", before))
    for entry, (name, features) in list(instructions.KNOWN.items()):
        for other in (b"another\0", features), (name, features.replace("8", "9")):
            with monkeypatch.context() as patched:
                patched.setitem(instructions.KNOWN, entry, other)
                assert not instructions.use_those_of_the_processor.__wrapped__()
    with monkeypatch.context() as patched:
        patched.setattr(instructions, "TABLE", 2 ** 62)  # where nothing is
        assert not instructions.use_those_of_the_processor.__wrapped__()
    assert generic_features() == before
    assert instructions.use_those_of_the_processor.__wrapped__()  # all as it is known


@pytest.mark.slow
def test_the_numbers_are_the_same_with_them_and_without():
    generic, own = (subprocess.run([sys.executable, "-c", TRAIN, which], check=True, capture_output=True, text=True,
                                   env={**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0"}).stdout
                    for which in ("generic", "own"))
    assert generic == own != ""
