"""Which device PlaidML computes on: found, chosen and explained without a question asked."""

import os
import platform
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from plaidkeras import processor

CPU = "llvm_cpu.0"
WITH_BUILD = "x86_64", "AMD64"  # for Linux, macOS and Windows


class DeviceError(Exception):
    """No usable device; the message says which there are and what to do."""


@dataclass(frozen=True)
class Device:
    """A device of PlaidML: its id ("llvm_cpu.0"), what it is ("AMD EPYC, 2 cores"), and why it
    was chosen."""

    id: str
    description: str
    reason: str = ""

    def __str__(self):
        return f"{self.id} ({self.description}): {self.reason}"


def why_no_plaidml() -> tuple[str, str] | None:
    """Why PlaidML cannot be imported, and what to do; None if it can."""
    if find_spec("plaidml"):
        return None
    if platform.machine() in WITH_BUILD:
        return "PlaidML is not installed", "pip install plaidml==0.7.0 plaidml-keras==0.7.0"
    return (f"PlaidML has no build for {platform.machine()}, only for x86-64 Linux, macOS and "
            "Windows", "use such a machine, or an x86-64 container: docker run --platform "
                       "linux/amd64 ...")


def configure() -> None:
    """Stand in for plaidml-setup, which asks questions. Call before PlaidML is imported."""
    os.environ.setdefault("PLAIDML_EXPERIMENTAL", "1")  # the CPU and many GPUs are in this list
    os.environ.setdefault("PLAIDML_TELEMETRY", "0")


def devices() -> list[Device]:
    """All devices that PlaidML can open here, in its own order.

    GPUs are described as PlaidML describes them, the CPU, which it calls "CPU (via LLVM)", as
    people do.
    """
    import plaidml
    import plaidml.keras.backend

    _compute_without_vectors(plaidml)
    chosen = os.environ.pop("PLAIDML_DEVICE_IDS", None)  # else PlaidML lists no other
    try:
        valid, _ = plaidml.devices(plaidml.keras.backend._ctx, return_all=True)
    finally:
        if chosen is not None:
            os.environ["PLAIDML_DEVICE_IDS"] = chosen
    described = {device.id.decode(): device.description.decode() for device in valid}
    return [Device(name, processor.described() if name == CPU else description)
            for name, description in described.items()]


def _compute_without_vectors(plaidml) -> None:
    """Let GPUs compute with single numbers, whatever PlaidML's hardware configuration says.

    A few (Intel's Broxton, ARM's Mali) are given vectors of 2 or 8, with which PlaidML reads a
    column beside a matrix wrongly, 8 neighbours in place of one number 8 times: a softmax is NaN.
    """
    settings, enumerate_devices = plaidml.settings, plaidml._Enumerator.__init__
    if enumerate_devices.__module__ == __name__:  # it was called before
        return

    def __init__(self, context):
        given, experimental = settings.config, os.environ.get("PLAIDML_EXPERIMENTAL", "0") != "0"
        file = settings.config_file or (
            settings.experimental_config if experimental else settings.default_config)
        if given or os.path.exists(file or ""):
            settings.config = re.sub(r'("vec_size"\s*:\s*)\d+', r"\g<1>1",
                                     given or Path(file).read_text())
        try:
            enumerate_devices(self, context)
        finally:
            settings.config = given

    plaidml._Enumerator.__init__ = __init__


def choose(wanted: str | None = None) -> Device:
    """Take the wanted device, else that of PLAIDML_DEVICE_IDS, else a GPU, else the CPU.

    Raises DeviceError if the device asked for is not there, or if the process computes on another
    one already.
    """
    found = {device.id: device for device in devices()}
    for name, reason in ((wanted, "asked for"),
                         (os.environ.get("PLAIDML_DEVICE_IDS"), "set by PLAIDML_DEVICE_IDS")):
        if name:
            if name not in found:
                raise DeviceError(f"Device {name!r} ({reason}) is not here. PlaidML sees: "
                                  f"{', '.join(found) or 'none'}. Name one of these.")
            return _take(found[name], reason)
    # A simulator is a GPU that nobody would choose: it is there to test with.
    gpus = [name for name in found if name != CPU and "oclgrind" not in name]
    if gpus:
        return _take(found[gpus[0]], "the first GPU that PlaidML sees")
    if CPU in found:
        return _take(found[CPU], "PlaidML sees no GPU with OpenCL")
    raise DeviceError("PlaidML sees no device, not even the CPU. Reinstall it: "
                      "pip install --force-reinstall plaidml==0.7.0")


def on_cpu() -> bool:
    """Whether the chosen device is PlaidML's CPU."""
    return os.environ.get("PLAIDML_DEVICE_IDS") == CPU


def _take(device: Device, reason: str) -> Device:
    import plaidml.keras.backend

    opened = plaidml.keras.backend._dev  # PlaidML's backend opens one device a process
    if opened and os.environ.get("PLAIDML_DEVICE_IDS") != device.id:
        raise DeviceError(f"This process computes on {os.environ['PLAIDML_DEVICE_IDS']} already. "
                          f"Use {device.id} in a process of its own.")
    os.environ["PLAIDML_DEVICE_IDS"] = device.id
    return Device(device.id, device.description, reason)
