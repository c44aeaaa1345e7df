"""The largest program of a small network's training, before and after a change of ours, and what it computes."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from small_network import NETWORK

TRAIN = """
import hashlib, sys
from plaidkeras import first_values, stripe, temporaries
name, ours, folder = sys.argv[1:]
module, function = name.split(".")
change = eval(ours or name)
def look(program):
    changed = change(program)
    for when, content in ("before", program), ("after", changed):
        open(f"{folder}/{len(program)}.{when}", "wb").write(content)
    return changed
setattr(globals()[module], function, look)
import plaidkeras
plaidkeras.install("llvm_cpu.0")
""" + NETWORK + """
losses = [float(model.train_on_batch(images, labels)) for _ in range(3)]
print(losses, hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest())
"""


def train(name: str, another: str = "") -> tuple[str, bytes, bytes]:
    """What is computed, and the program before and after the change of a name, such as first_values.set_late; or after
    another in its place."""
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run([sys.executable, "-c", TRAIN, name, another, folder], check=True, capture_output=True,
                              text=True, env={**os.environ, "PLAIDKERAS_CACHE": ""})
        assert not said.stderr
        before = max(Path(folder).glob("*.before"), key=lambda path: path.stat().st_size)
        return said.stdout, before.read_bytes(), before.with_suffix(".after").read_bytes()
