"""Why a device can be used or not: what OpenCL has, held against what PlaidML 0.7.0 wants.

PlaidML is asked in child processes: neither it nor a driver can take this one with it.
"""

import json
import os
import platform
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Iterator, List, Optional

from report.errors import one_line

GOOD, BAD, NOTE = "ok", "FAULT", "note"
PACKAGES = "plaidml", "plaidml-keras", "keras", "numpy"
LEAST_OPENCL = [1, 2]
PROBE_SECONDS = 300


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: its state ("ok", "FAULT" or "note"), and how to mend a fault."""

    state: str
    text: str
    mend: str = ""


class ProbeFailed(Exception):
    """A child process that gave no answer; the message says how it ended."""


def examine(device: Optional[str] = None) -> Iterator[Finding]:
    """Findings in the order in which they build on each other; `device`: try that one only."""
    yield Finding(GOOD, f"Python {platform.python_version()} on {platform.platform()}")
    yield from packages()
    try:
        opencl = ask("plaidkeras.opencl")
    except ProbeFailed as failed:
        opencl = {"loader": None, "opened_by_plaidml": "OpenCL", "icds": [], "platforms": []}
        yield Finding(BAD, f"OpenCL {failed}", "remove the driver that was installed last, from "
                                               "/etc/OpenCL/vendors or by the package manager")
    else:
        yield from loaders(opencl)
        if opencl["loader"] and any(icd["waits"] for icd in opencl["icds"]):
            return  # PlaidML would wait too
    try:
        plaidml = ask("plaidkeras.probe")
    except ProbeFailed as failed:
        yield Finding(BAD, f"PlaidML {failed}",
                      "pip install --force-reinstall plaidml==0.7.0 plaidml-keras==0.7.0")
        return
    yield from settings(plaidml)
    yield from refused(opencl, plaidml)
    for name in [device] if device else plaidml["devices"]:
        yield tried(name, plaidml)


def packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(GOOD, f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Finding(BAD, f"{name} is not installed", "pip install plaidml-report")


def loaders(opencl: dict) -> Iterator[Finding]:
    """The library through which programs reach OpenCL, and the drivers behind it."""
    wanted = opencl["opened_by_plaidml"]
    if opencl["loader"] is None:
        yield Finding(NOTE, f"no OpenCL: {wanted} is not on this machine, so no GPU can be used",
                      "for a GPU: apt-get install ocl-icd-opencl-dev, and its vendor's driver")
        return
    if opencl["loader"] != wanted:
        yield Finding(BAD, f"only {opencl['loader']} is there, but PlaidML opens {wanted}",
                      "apt-get install ocl-icd-opencl-dev, or: "
                      f"ln -s {opencl['loader']} {wanted} in a folder that LD_LIBRARY_PATH names")
    else:
        yield Finding(GOOD, f"OpenCL loader {wanted}")
    for icd in opencl["icds"]:
        if icd["fault"]:
            names = f"driver {icd['file']} names {icd['library'] or 'nothing'}, which cannot be opened"
            yield Finding(BAD, one_line(f"{names} ({icd['fault']})"),
                          one_line(f"reinstall that driver, or remove {icd['file']}"))
        else:
            yield Finding(GOOD, one_line(f"driver {icd['file']}: {icd['library']}"))
    if not any(each["devices"] for each in opencl["platforms"]):
        yield Finding(NOTE, "OpenCL is there, but no driver offers a device",
                      "install the GPU's OpenCL driver from its vendor, and see that this user may "
                      "use it: usermod -aG render,video USER")


def settings(plaidml: dict) -> Iterator[Finding]:
    if not plaidml["experimental"]:
        yield Finding(BAD, "PLAIDML_EXPERIMENTAL is switched off, which leaves only a few GPUs",
                      "unset PLAIDML_EXPERIMENTAL, or set it to 1")


def refused(opencl: dict, plaidml: dict) -> Iterator[Finding]:
    """The OpenCL devices that PlaidML does not take, each with the reason."""
    taken = " ".join(plaidml["devices"])
    for each in opencl["platforms"]:
        for device in each["devices"]:
            if slug(device["name"]) not in taken:
                yield refusal(device, each, opencl, plaidml)


def refusal(device: dict, of: dict, opencl: dict, plaidml: dict) -> Finding:
    """Why PlaidML does not take a device: the first of its conditions that is not met."""
    called = f"{device['name']} ({of['name']})"
    if opencl["loader"] != opencl["opened_by_plaidml"]:
        return Finding(NOTE, f"{called} is hidden from PlaidML by the missing loader", "as above")
    if device["is_cpu"]:
        return Finding(NOTE, f"{called} is an OpenCL device of type CPU, which PlaidML 0.7.0 refuses",
                       f"nothing to mend: --device {plaidml['cpu']} computes on the same CPU")
    if device["version"] < LEAST_OPENCL:
        version = ".".join(map(str, device["version"]))
        return Finding(BAD, f"{called} has OpenCL {version}, PlaidML needs 1.2",
                       "update its driver")
    if not any(selects(selector, device, of) for selector in plaidml["selectors"]):
        return Finding(BAD, f"{called} matches no hardware configuration in "
                            f"{plaidml['configuration']}",
                       "set PLAIDML_EXPERIMENTAL=1, or copy that file, add a hardware_configs entry "
                       f"with \"sel\": {{\"name_regex\": \"{re.escape(device['name'])}\"}}, and name "
                       "the copy in PLAIDML_CONFIG_FILE")
    return Finding(BAD, f"{called} is not offered by PlaidML, which does not say why",
                   "update its driver")


def selects(selector: dict, device: dict, of: dict) -> bool:
    """Whether a selector of PlaidML's hardware configurations takes a device."""
    (kind, value), = selector.items()
    if kind == "and":
        return all(selects(each, device, of) for each in value["sel"])
    if kind == "or":
        return any(selects(each, device, of) for each in value["sel"])
    if kind == "not":
        return not selects(value, device, of)
    text = {"name_regex": device["name"], "vendor_regex": device["vendor"],
            "platform_regex": of["name"]}.get(kind)
    return text is not None and re.fullmatch(value, text) is not None


def tried(name: str, plaidml: dict) -> Finding:
    """A device's self-test and speed."""
    if name not in plaidml["devices"]:
        return Finding(BAD, f"{name} is not a device of PlaidML's",
                       f"name one of: {', '.join(plaidml['devices']) or 'none'}")
    called = f"{name} ({plaidml['devices'][name]})"
    try:
        found = ask("plaidkeras.probe", name)
    except ProbeFailed as failed:
        return Finding(BAD, f"{called} {failed}", "update its driver, or use another device")
    if found["fault"]:
        return Finding(BAD, found["fault"], "update its driver, or use another device")
    return Finding(GOOD, f"{called}: computes rightly, {found['gflops']:.3g} GFLOP/s in a "
                         f"convolution; use it with --device {name}")


def slug(name: str) -> str:
    """A device's name as PlaidML writes it in its ids."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def ask(module: str, *arguments: str) -> dict:
    """The JSON that `python -m module` prints last. Raises ProbeFailed."""
    environment = {**os.environ, "PLAIDML_DEVICE_IDS": ""}
    command: List[str] = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, errors="replace",
                              timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        raise ProbeFailed(f"gave no answer within {PROBE_SECONDS} seconds") from None
    if done.returncode < 0:
        raise ProbeFailed(f"crashed ({signal.Signals(-done.returncode).name})")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise ProbeFailed(f"failed: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])
