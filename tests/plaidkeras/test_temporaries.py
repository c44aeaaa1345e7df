"""Temporaries share memory where they are not alive at once, and nothing else changes."""

import math
import os
import re
import subprocess
import sys

import pytest
from small_network import NETWORK

from plaidkeras import temporaries

# A few steps of a network with every kind of kernel, whose products have parts of their own in threads.
TRAIN = """
import hashlib, sys
from plaidkeras import temporaries
if sys.argv[1] == "stock":
    temporaries.share_memory = lambda: False
import plaidkeras
plaidkeras.install("llvm_cpu.0")
""" + NETWORK + """
losses = [float(model.train_on_batch(images, labels)) for _ in range(3)]
print(losses, hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest())
"""
BYTES = {"fp32": 4, "fp64": 8, "i32": 4, "u32": 4, "i64": 8, "bool": 1}


def train(which, stripe=None):
    environment = {**os.environ, **({"PLAIDML_STRIPE_OUTPUT": str(stripe)} if stripe else {})}
    return subprocess.run([sys.executable, "-c", TRAIN, which], check=True, capture_output=True, text=True,
                          env=environment).stdout


def temporaries_of(program):
    """(depth, start, size) of each that the text of a program says, start None if it has its own memory."""
    found = re.findall(r"^( +)(#placed )?none new@0x([0-9a-f]+) \w+<DRAM>\[[^\]]*\]\S* (\w+):I\(([\d, ]*)\)", program,
                       re.MULTILINE)
    return [(len(indent), int(start, 16) if is_placed else None,
             BYTES[kind] * math.prod(int(side) for side in sides.split(",") if side.strip()))
            for indent, is_placed, start, kind, sides in found]


def test_the_pass_is_told_so_once_and_for_the_cpu_alone(monkeypatch):
    assert temporaries.share_memory()
    assert not temporaries.share_memory.__wrapped__()  # its code is another one now
    monkeypatch.setattr(temporaries, "change", lambda is_known, write: True)
    assert temporaries.share_memory.__wrapped__()
    monkeypatch.setenv("PLAIDML_USE_STRIPE", "1")
    assert not temporaries.share_memory.__wrapped__()


@pytest.mark.slow
def test_a_training_step_takes_a_quarter_less_memory_or_better_and_computes_the_same(tmp_path):
    assert train("ours", tmp_path) == train("stock") != ""
    program = max((path.read_text() for path in (tmp_path / "passes").iterdir()),
                  key=lambda text: sum(start is not None for _, start, _ in temporaries_of(text)))
    shared = [(start, size) for depth, start, size in temporaries_of(program) if start is not None]
    assert max(start + size for start, size in shared) < 0.75 * sum(size for _, size in shared)
    inner = [start for depth, start, _ in temporaries_of(program) if depth > 6]
    assert inner and set(inner) == {None}  # of parts that run in threads
