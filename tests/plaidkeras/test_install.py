"""plaidkeras.install in a fresh process: what it leaves and what it refuses."""

import os
import subprocess
import sys

import pytest


def python(code, **environment):
    """Run code in a new interpreter without any setting of PlaidML; returns the process."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PLAIDML")}
    return subprocess.run([sys.executable, "-c", code], env={**clean, **environment},
                          capture_output=True, text=True)


def test_keras_runs_on_plaidml_without_any_setup(tmp_path):
    result = python("import plaidkeras; device = plaidkeras.install('llvm_cpu.0')\n"
                    "import keras, keras.backend as K\n"
                    "print(K.backend(), K.eval(K.sum(K.ones((2, 3)))), device.reason)",
                    HOME=str(tmp_path))
    assert result.stdout == "plaidml 6.0 asked for\n", result.stderr
    assert not {".keras", ".plaidml"} & {path.name for path in tmp_path.iterdir()}


def test_environment_chooses_the_device():
    result = python("import plaidkeras; print(plaidkeras.install().reason)",
                    PLAIDML_DEVICE_IDS="llvm_cpu.0")
    assert result.stdout == "set by PLAIDML_DEVICE_IDS\n", result.stderr


def test_argument_wins_over_the_environment():
    result = python("import plaidkeras; print(plaidkeras.install('llvm_cpu.0'))",
                    PLAIDML_DEVICE_IDS="no_such_device.0")
    assert "llvm_cpu.0" in result.stdout, result.stderr


@pytest.mark.parametrize("code, environment, reason", [
    ("plaidkeras.install('opencl_moon.0')", {}, "asked for"),
    ("plaidkeras.install()", {"PLAIDML_DEVICE_IDS": "opencl_moon.0"},
     "set by PLAIDML_DEVICE_IDS")])
def test_device_that_is_not_there_is_refused_by_name(code, environment, reason):
    result = python(f"import plaidkeras\ntry: {code}\n"
                    "except plaidkeras.DeviceError as error: print(error)", **environment)
    assert f"Device 'opencl_moon.0' ({reason}) is not here" in result.stdout, result.stderr
    assert "llvm_cpu.0" in result.stdout


def test_install_after_keras_says_so(tmp_path):
    (tmp_path / "keras.py").write_text("")
    result = python("import keras, plaidkeras; plaidkeras.install()", PYTHONPATH=str(tmp_path))
    assert "keras was imported before plaidkeras.install()" in result.stderr


def test_importing_plaidkeras_imports_neither_keras_nor_plaidml():
    result = python("import plaidkeras, sys; print({'keras', 'plaidml'} & set(sys.modules))")
    assert result.stdout == "set()\n", result.stderr
