"""The GPU's path without a GPU: OpenCL on oclgrind, which simulates a device.

PlaidML opens `libOpenCL.so`, which Debian ships in ocl-icd-opencl-dev, and knows a GPU by a
hardware configuration, of which it has none for a simulator.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requirements

pytestmark = pytest.mark.slow  # the simulator takes its time

DEVICE = "opencl_oclgrind_oclgrind_simulator.0"

PROGRAM = """
import json, sys, warnings
import plaidkeras
device = plaidkeras.install({device!r})
import keras, keras.backend as K, numpy as np
from keras.layers import *
np.random.seed(0)
model = keras.Sequential([
    Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)), Conv2D(8, 3, activation="relu"),
    BatchNormalization(), MaxPooling2D(2), Flatten(), Dense(8, activation="relu"),
    BatchNormalization(), Dense(3, activation="softmax")])
# Devices draw different random numbers: start both from NumPy's.
model.set_weights([np.random.standard_normal(weight.shape) * 0.3 + (weight.ndim == 1)
                   for weight in model.get_weights()])
model.compile("adadelta", "categorical_crossentropy")
images, targets = np.random.rand(8, 8, 8, 1), np.eye(3)[np.random.randint(0, 3, 8)]
model._make_train_function()
gradients = K.function([*model.inputs, *model.targets, *model.sample_weights, K.learning_phase()],
                       K.gradients(model.total_loss, model.trainable_weights))
found = gradients([images, targets, np.ones(8), 1])
losses = [float(model.train_on_batch(images, targets)) for _ in range(4)]
print(json.dumps({{"device": device.id, "losses": losses,
                   "gradients": [gradient.tolist() for gradient in found]}}))
"""


def oclgrind(folder):
    """The environment in which PlaidML sees oclgrind's device."""
    import plaidml.settings

    (folder / "vendors").mkdir()
    (folder / "vendors" / "oclgrind.icd").write_text(f"{requirements.OCLGRIND}\n")
    configuration = json.loads(Path(plaidml.settings.experimental_config).read_text())
    configuration["platform"]["hardware_configs"].append({
        "description": "oclgrind", "sel": {"name_regex": ".*Oclgrind.*"},
        "settings": {"threads": 16, "vec_size": 1, "mem_width": 64, "max_mem": 16384,
                     "max_regs": 16384, "goal_groups": 1, "goal_flops_per_byte": 50}})
    (folder / "plaidml.json").write_text(json.dumps(configuration))
    # More than one thread makes oclgrind crash under PlaidML.
    return {"OCL_ICD_VENDORS": str(folder / "vendors"), "OPENCL_BUILD_THREADS": "1",
            "OCLGRIND_NUM_THREADS": "1", "PLAIDML_CONFIG_FILE": str(folder / "plaidml.json")}


def train_on(device, **environment):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(device=device)], capture_output=True, text=True,
        env={**os.environ, "PLAIDML_DEVICE_IDS": "", **environment})
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    requirements.oclgrind()
    return train_on(DEVICE, **oclgrind(tmp_path_factory.mktemp("oclgrind"))), train_on("llvm_cpu.0")


def test_a_network_trains_on_opencl(trained):
    on_opencl, _ = trained
    assert on_opencl["device"] == DEVICE
    assert on_opencl["losses"][-1] < on_opencl["losses"][0]


def test_its_losses_and_gradients_are_those_of_the_cpu(trained):
    on_opencl, on_cpu = trained
    assert on_opencl["losses"] == pytest.approx(on_cpu["losses"], rel=1e-3)
    for theirs, ours in zip(on_opencl["gradients"], on_cpu["gradients"]):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_a_simulator_is_not_chosen_unasked(trained, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", "import plaidkeras; print(plaidkeras.install())"],
        capture_output=True, text=True,
        env={**os.environ, "PLAIDML_DEVICE_IDS": "", **oclgrind(tmp_path)})
    assert result.stdout.startswith("llvm_cpu.0"), result.stderr
