"""The GPU's path without a GPU: OpenCL on oclgrind, which simulates a device, and on pocl, which
computes on the processor, by a driver of posing_icd.c that says it is a GPU.

PlaidML opens `libOpenCL.so`, which Debian ships in ocl-icd-opencl-dev, and knows a GPU by a
hardware configuration, which it chooses by the vendor's name and the device's; it has none for a
simulator. That of Intel's newer GPUs (Gen9) asks for subgroups, which neither has.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requirements
from sklearn.datasets import load_digits

pytestmark = [pytest.mark.slow,  # the simulator takes its time
              pytest.mark.needs("oclgrind", "pocl", "gcc")]

DEVICE = "opencl_oclgrind_oclgrind_simulator.0"
AMD = "opencl_amd_ellesmere.0"
GPUS = {AMD: ("Advanced Micro Devices, Inc.", "Ellesmere"),
        "opencl_nvidia_geforce_gtx_1060.0": ("NVIDIA Corporation", "GeForce GTX 1060"),
        "opencl_intel_hd_graphics_broxton.0": ("Intel(R) Corporation",
                                               "Intel(R) HD Graphics Broxton")}

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
x = K.variable(images)
dropped = K.dropout(x, 0.4)
dropped, passed = K.function([], [dropped, *K.gradients(K.sum(dropped), [x])])([])
print(json.dumps({{"device": device.id, "losses": losses,
                   "gradients": [gradient.tolist() for gradient in found],
                   "share dropped": float((passed == 0).mean()),
                   "off": float(abs(dropped - images * passed).max())}}))
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


@pytest.fixture(scope="module")
def posing(tmp_path_factory):
    """The environment in which PlaidML sees pocl as a GPU; a function of the device's id."""
    folder = tmp_path_factory.mktemp("posing")
    source = Path(__file__).with_name("posing_icd.c")
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
                    folder / "libposing.so", source, "-ldl"], check=True)
    (folder / "posing.icd").write_text(f"{folder / 'libposing.so'}\n")

    def environment(device):
        vendor, name = GPUS[device]
        return {"OCL_ICD_VENDORS": str(folder), "POSING_VENDOR": vendor, "POSING_NAME": name,
                "POCL_CACHE_DIR": str(folder)}

    return environment


def run(*command, **given):
    """What a Python program prints, in this environment but for what is given."""
    folder = given.pop("folder", None)
    result = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=folder,
                            env={**os.environ, "PLAIDML_DEVICE_IDS": "", **given})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def train_on(device, **environment):
    return json.loads(run("-c", PROGRAM.format(device=device), **environment))


@pytest.fixture(scope="module")
def on_cpu():
    return train_on("llvm_cpu.0")


@pytest.fixture(scope="module", params=[DEVICE, *GPUS])
def trained(request, on_cpu, tmp_path_factory):
    """The device and what was trained there, and the same on the CPU."""
    if request.param == DEVICE:
        environment = oclgrind(tmp_path_factory.mktemp("oclgrind"))
    else:
        environment = request.getfixturevalue("posing")(request.param)
    return request.param, train_on(request.param, **environment), on_cpu


def test_a_network_trains_on_opencl(trained):
    device, on_opencl, _ = trained
    assert on_opencl["device"] == device
    assert on_opencl["losses"][-1] < on_opencl["losses"][0]


def test_its_losses_and_gradients_are_those_of_the_cpu(trained):
    _, on_opencl, on_cpu = trained
    assert on_opencl["losses"] == pytest.approx(on_cpu["losses"], rel=1e-3)
    for theirs, ours in zip(on_opencl["gradients"], on_cpu["gradients"]):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_its_dropout_passes_back_what_it_passed(trained):
    _, on_opencl, _ = trained
    assert 0.3 < on_opencl["share dropped"] < 0.5
    assert on_opencl["off"] < 1e-6


def test_a_simulator_is_not_chosen_unasked(tmp_path):
    assert run("-c", "import plaidkeras; print(plaidkeras.install())",
               **oclgrind(tmp_path)).startswith("llvm_cpu.0")


@pytest.mark.parametrize("device", GPUS)
def test_a_gpu_is_chosen_unasked_and_passes_the_self_test(posing, device):
    said = run("-c", "import plaidkeras; print(plaidkeras.install())\n"
               "from plaidkeras import selftest; selftest.check()", **posing(device))
    assert said.startswith(device) and "the first GPU that PlaidML sees" in said


MODELS = "residual or depthwise"


@pytest.mark.needs("torch")
def test_models_learn_on_an_amd_gpu_what_they_learn_in_pytorch(posing):
    said = run("-m", "pytest", "-q", "-n", "0", "-m", "slow or not slow", "-k", MODELS,
               Path(__file__).with_name("test_models.py"), REPORT_TEST_DEVICE=AMD, **posing(AMD))
    assert "2 passed" in said


STEP = """
import sys
import plaidkeras
plaidkeras.install({device!r})
import numpy as np
sys.path.insert(0, {folder!r})
import notebook_network
np.random.seed(0)
model = notebook_network.build()
random = np.random.RandomState(0)
model.set_weights([random.standard_normal(weight.shape) * np.sqrt(2 / weight[..., 0].size)
                   if weight.ndim > 1 else weight for weight in model.get_weights()])
model.compile("adadelta", "categorical_crossentropy")
images, targets = random.rand(8, 28, 28, 1), np.eye(10)[random.randint(0, 10, 8)]
print([float(model.train_on_batch(images, targets)) for _ in range(2)])
"""


def test_a_step_of_the_notebooks_network_on_an_amd_gpu_is_that_of_the_cpu(posing):
    ours, theirs = (json.loads(run("-c", STEP.format(device=device, folder=str(
        Path(__file__).parent)), **environment))
        for device, environment in (("llvm_cpu.0", {}), (AMD, posing(AMD))))
    assert theirs == pytest.approx(ours, rel=1e-3)
    assert theirs[1] < theirs[0]


def test_report_builds_a_site_on_an_amd_gpu(posing, tmp_path):
    """By the sample's recipe, for an epoch, of so many of its rows as a minute is enough for."""
    digits = load_digits()
    pixels = np.pad(np.kron(digits.images, np.ones((3, 3))) * 255 // 16, ((0,), (2,), (2,)))
    header = ",".join(f"pixel{i}" for i in range(784))
    for name, head, columns in (
            ("train", f"label,{header}", np.column_stack([digits.target, pixels.reshape(-1, 784)])[:64]),
            ("test", header, pixels.reshape(-1, 784)[64:72])):
        np.savetxt(tmp_path / f"{name}.csv", columns, "%d", ",", header=head, comments="")
    run("-m", "report", "build", "--data", tmp_path, "--recipe", "quick", "--epochs", "1",
        folder=tmp_path, PYTHONPATH=os.pathsep.join(filter(None, sys.path)), **posing(AMD))
    assert AMD in (tmp_path / "site" / "training.html").read_text()
    assert (tmp_path / "site" / "downloads" / "submission.csv").read_text().count("\n") == 9
