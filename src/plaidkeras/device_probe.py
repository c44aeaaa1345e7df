"""PlaidML's devices, as JSON: `python -m plaidkeras.device_probe [DEVICE]`.

Without a device: those that PlaidML can use, its hardware configurations, and whether programs are kept.
With one: the result of its self-test, and its speed. Run it in a process of its own, since native code
may crash.
"""

import json
import sys
import time
from pathlib import Path

import plaidkeras
from plaidkeras import compat, compiled_programs
from plaidkeras.device import CPU, configure, devices

REPEATS = 5
SMALL, LARGE = (1, 8, 8), (64, 26, 32)  # images, their sides, their channels


def main() -> None:
    if len(sys.argv) > 1:
        plaidkeras.install(sys.argv[1])
        print(json.dumps(measure()))
    else:
        configure()
        compat.restore_collections()
        compat.install_backend()
        from plaidml import settings as its

        configuration = Path(its.config_file or (
            its.experimental_config if its.experimental else its.default_config))
        hardware = json.loads(configuration.read_text())["platform"]["hardware_configs"]
        print(json.dumps({
            "devices": {device.id: device.description for device in devices()}, "cpu": CPU,
            "experimental": its.experimental, "configuration": str(configuration),
            "selectors": [each["sel"] for each in hardware],
            "keeps_programs": compiled_programs.keep_compiled_programs()}))


def measure() -> dict:
    """{"fault": what is wrong or None, "gflops": of a convolution of 3 x 3, forward}."""
    from plaidkeras import selftest

    try:
        selftest.check()
    except plaidkeras.DeviceError as error:
        return {"fault": str(error), "gflops": None}
    gflops, seconds = _convolution(*SMALL)
    if seconds < 0.02:  # a simulator would take hours for the large one
        gflops, _ = _convolution(*LARGE)
    return {"fault": None, "gflops": gflops}


def _convolution(count: int, side: int, channels: int):
    """GFLOP/s and seconds of a convolution."""
    import keras.backend as K
    import numpy as np

    images = K.variable(np.ones((count, side, side, channels)))
    kernel = K.variable(np.ones((3, 3, channels, channels)))
    # Only one number is fetched, so that the time is the device's and not that of the transfer.
    convolve = K.function([], [K.mean(K.conv2d(images, kernel))])
    convolve([])  # compiles
    started = time.perf_counter()
    for _ in range(REPEATS):
        convolve([])
    seconds = (time.perf_counter() - started) / REPEATS
    return 2 * count * (side - 2) ** 2 * 9 * channels ** 2 / seconds / 1e9, seconds


if __name__ == "__main__":
    main()
