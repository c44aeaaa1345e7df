"""plaidkeras.install in a fresh process: what it leaves and what it refuses."""

import os
import subprocess
import sys


def python(code, folder=None, **environment):
    """Run code in a new interpreter without any setting of PlaidML; returns the process."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PLAIDML")}
    return subprocess.run([sys.executable, "-c", code], env={**clean, **environment},
                          cwd=folder, capture_output=True, text=True)


def test_keras_runs_on_plaidml_without_any_setup(tmp_path):
    result = python("import plaidkeras; device = plaidkeras.install('llvm_cpu.0')\n"
                    "import keras, keras.backend as K\n"
                    "print(K.backend(), K.eval(K.sum(K.ones((2, 3)))), device.reason)",
                    HOME=str(tmp_path))
    assert result.stdout == "plaidml 6.0 asked for\n", result.stderr
    assert not {".keras", ".plaidml"} & {path.name for path in tmp_path.iterdir()}


def test_the_device_is_the_one_asked_for_else_that_of_the_environment():
    result = python("""
import os, plaidkeras
for device in ("opencl_moon.0", None, "llvm_cpu.0"):
    try: print(plaidkeras.install(device))
    except plaidkeras.DeviceError as error: print(error)
print(plaidkeras.install().reason)
""", PLAIDML_DEVICE_IDS="opencl_mars.0")
    asked, named, taken, then = result.stdout.splitlines()
    assert asked.startswith("Device 'opencl_moon.0' (asked for) is not here. PlaidML sees: ")
    assert named.startswith("Device 'opencl_mars.0' (set by PLAIDML_DEVICE_IDS) is not here. ")
    assert all("llvm_cpu.0" in message for message in (asked, named))
    assert taken.startswith("llvm_cpu.0 (") and taken.endswith("): asked for")
    assert then == "set by PLAIDML_DEVICE_IDS", result.stderr


def test_install_after_keras_says_so(tmp_path):
    (tmp_path / "keras.py").write_text("")
    result = python("import keras, plaidkeras; plaidkeras.install()",
                    PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert "keras was imported before plaidkeras.install()" in result.stderr


def test_install_after_an_import_of_keras_that_failed_works(tmp_path):
    """On its own Keras 2.2.4 finds no backend, or no collections.Iterable."""
    result = python("try: import keras\n"
                    "except Exception: pass\n"
                    "import plaidkeras; plaidkeras.install('llvm_cpu.0')\n"
                    "import keras.backend; print(keras.backend.backend())", HOME=str(tmp_path))
    assert result.stdout == "plaidml\n", result.stderr


def test_a_second_install_changes_nothing():
    result = python("""
import plaidkeras
try: plaidkeras.install('opencl_moon.0')
except plaidkeras.DeviceError: print('not here')
first, second = plaidkeras.install('llvm_cpu.0'), plaidkeras.install()
import keras, keras.backend as K
x = K.variable([-1.0, 2.0])
print(first.id, second.id, K.eval(K.relu(x)), K.eval(K.pool2d(K.ones((1, 2, 2, 1)), (2, 2))).sum())
plaidkeras.install('llvm_cpu.0')
print(K.function([], K.gradients(K.sum(K.softmax(K.dropout(x, 0.5))), [x]))([])[0].shape)
""")
    assert result.stdout.splitlines() == [
        "not here", "llvm_cpu.0 llvm_cpu.0 [0. 2.] 1.0", "(2,)"], result.stderr


def test_another_device_takes_another_process():
    result = python("""
import plaidkeras
plaidkeras.install('llvm_cpu.0')
import keras.backend as K
from plaidkeras import device
K.eval(K.ones(1))
device.devices = lambda: [device.Device('gpu.0', 'a GPU')]
try: plaidkeras.install('gpu.0')
except plaidkeras.DeviceError as error: print(error)
""")
    assert result.stdout == ("This process computes on llvm_cpu.0 already. "
                             "Use gpu.0 in a process of its own.\n"), result.stderr


def test_a_users_own_settings_of_keras_and_plaidml_stay_as_they_are(tmp_path):
    keras, plaidml = tmp_path / ".keras" / "keras.json", tmp_path / ".plaidml"
    keras.parent.mkdir()
    keras.write_text('{"backend": "tensorflow", "floatx": "float64"}')
    plaidml.write_text('{"PLAIDML_DEVICE_IDS": ["llvm_cpu.0"], "PLAIDML_EXPERIMENTAL": true}')
    before = keras.read_bytes(), plaidml.read_bytes()
    result = python("import plaidkeras; device = plaidkeras.install()\n"
                    "import keras.backend as K; print(K.backend(), device.id, device.reason)",
                    HOME=str(tmp_path), KERAS_BACKEND="theano", KERAS_HOME=str(keras.parent))
    assert result.stdout == "plaidml llvm_cpu.0 set by PLAIDML_DEVICE_IDS\n", result.stderr
    assert (keras.read_bytes(), plaidml.read_bytes()) == before


def test_it_needs_no_home_and_writes_nothing_where_it_is_called(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    result = python("import sys; sys.dont_write_bytecode = True\n"
                    "import plaidkeras; plaidkeras.install('llvm_cpu.0')\n"
                    "import keras, sys; print('digits' in sys.modules)",
                    # No OpenCL drivers: pocl alone tries for a minute to write into its home.
                    folder=folder, HOME="/dev/null", OCL_ICD_VENDORS=str(folder))
    assert result.stdout == "False\n", result.stderr
    assert not list(folder.iterdir())


def test_models_and_weights_can_be_saved_and_loaded(tmp_path):
    """Keras decodes what h5py 3 gives as text, and its callbacks call np.Inf."""
    import keras
    import numpy as np

    x, y = np.random.rand(16, 6), np.random.rand(16, 3)
    layers = [keras.layers.Dense(4, input_shape=(6,)), keras.layers.BatchNormalization(),
              keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0, validation_data=(x, y), callbacks=[
        keras.callbacks.ModelCheckpoint(str(tmp_path / "best.h5")), keras.callbacks.EarlyStopping(),
        keras.callbacks.ReduceLROnPlateau()])
    expected = model.predict(x)
    model.save(str(tmp_path / "model.h5"))
    model.save_weights(str(tmp_path / "weights.h5"))
    for name in ("best.h5", "model.h5"):
        loaded = keras.models.load_model(str(tmp_path / name))
        np.testing.assert_array_equal(loaded.predict(x), expected)
    loaded.fit(x, y, verbose=0)  # the optimizer came along
    for by_name in (False, True):
        model.set_weights([weight * 0 for weight in model.get_weights()])
        model.load_weights(str(tmp_path / "weights.h5"), by_name=by_name)
        np.testing.assert_array_equal(model.predict(x), expected)


def test_importing_plaidkeras_imports_neither_keras_nor_plaidml():
    result = python("import plaidkeras, sys; print({'keras', 'plaidml'} & set(sys.modules))")
    assert result.stdout == "set()\n", result.stderr
