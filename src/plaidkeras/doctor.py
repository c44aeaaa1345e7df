"""Which devices of this machine can be used, and why not the others.

What OpenCL offers is compared with what PlaidML 0.7.0 asks for. Both are asked in child processes,
since neither PlaidML nor a driver may take this one with it.

`python -m plaidkeras.doctor [DEVICE]` prints each finding as a line of JSON, as soon as it is
known.
"""

import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from plaidkeras import program_cache
from plaidkeras.device import why_no_plaidml

GOOD, BAD, NOTE = "ok", "FAULT", "note"
PACKAGES = "plaidml", "plaidml-keras", "keras", "numpy"
LEAST_OPENCL = [1, 2]
PROBE_SECONDS = 300
NO_OPENCL = {"loader": None, "opened_by_plaidml": "OpenCL", "icds": [], "platforms": []}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    `state` is GOOD, BAD or NOTE, `mend` says how to put right what is not good, and `usable` is
    true of a device that passed its self-test, and of nothing else.
    """

    state: str
    text: str
    mend: str = ""
    usable: bool = False


class ProbeFailed(Exception):
    """A child process that gave no answer; the message says how it ended."""


def examine(device: str | None = None) -> Iterator[Finding]:
    """Findings in the order in which they build on each other; `device`: try that one only."""
    yield Finding(GOOD, f"Python {platform.python_version()} on {platform.platform()}")
    yield from packages()
    if absence := why_no_plaidml():
        yield Finding(BAD, *absence)
        return
    try:
        opencl = ask("plaidkeras.opencl")
    except ProbeFailed as failed:
        opencl = NO_OPENCL
        yield Finding(BAD, f"OpenCL {failed}", "remove the driver that was installed last, from "
                                               "/etc/OpenCL/vendors or by the package manager")
    else:
        yield from loaders(opencl)
        if opencl["loader"] and any(icd["blocks"] for icd in opencl["icds"]):
            return  # PlaidML would not come back either
    try:
        plaidml = ask("plaidkeras.device_probe")
    except ProbeFailed as failed:
        yield Finding(BAD, f"PlaidML {failed}",
                      "pip install --force-reinstall plaidml==0.7.0 plaidml-keras==0.7.0")
        return
    yield from settings(plaidml)
    yield programs(plaidml)
    yield from refused(opencl, plaidml)
    for name in [device] if device else plaidml["devices"]:
        yield tried(name, plaidml)


def packages() -> Iterator[Finding]:
    """The packages that Keras on PlaidML consists of, with their versions."""
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
    yield from map(driver, opencl["icds"])
    if not any(each["devices"] for each in opencl["platforms"]):
        yield Finding(NOTE, "OpenCL is there, but no driver offers a device",
                      "install the GPU's OpenCL driver from its vendor, and see that this user may "
                      "use it: usermod -aG render,video USER")


def driver(icd: dict) -> Finding:
    """A registered driver, and whether it can be opened."""
    if not icd["fault"]:
        return Finding(GOOD, f"driver {icd['file']}: {icd['library']}")
    return Finding(BAD, f"driver {icd['file']} names {icd['library'] or 'nothing'}, which cannot "
                        f"be opened ({icd['fault']})",
                   f"reinstall that driver, or remove {icd['file']}")


def settings(plaidml: dict) -> Iterator[Finding]:
    """What the user's settings of PlaidML keep from being used."""
    if not plaidml["experimental"]:
        yield Finding(BAD, "PLAIDML_EXPERIMENTAL is switched off, which leaves only a few GPUs",
                      "unset PLAIDML_EXPERIMENTAL, or set it to 1")


def programs(plaidml: dict) -> Finding:
    """Where compiled programs are kept, if they can be."""
    not_kept = "compiled programs are not kept, each process compiles its own: "
    place = program_cache.folder()
    if place is None:
        return Finding(NOTE, not_kept + "PLAIDKERAS_CACHE is empty", "unset it, or name a folder in it")
    if not plaidml["keeps_programs"]:
        return Finding(NOTE, not_kept + "this process may not change PlaidML's library in memory",
                       "nothing to mend: this needs Linux, and no container that denies it")
    if not is_writable(place):
        return Finding(NOTE, not_kept + f"{place} cannot be written, or can be written by others too",
                       "name a folder of your own in PLAIDKERAS_CACHE")
    return Finding(GOOD, f"programs that were compiled for the CPU are kept in {place}")


def is_writable(place: Path) -> bool:
    """Whether a folder, which need not exist, can be written by this user and by no other."""
    try:
        nearest = next(each for each in (place, *place.parents) if each.exists())
        return nearest.is_dir() and os.access(nearest, os.W_OK) and program_cache.is_safe(place)
    except OSError:  # not even looked at
        return False


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
        return Finding(
            NOTE, f"{called} is an OpenCL device of type CPU, which PlaidML 0.7.0 refuses",
            f"nothing to mend: --device {plaidml['cpu']} computes on the same CPU")
    if device["version"] < LEAST_OPENCL:
        version = ".".join(map(str, device["version"]))
        return Finding(BAD, f"{called} has OpenCL {version}, PlaidML needs 1.2",
                       "update its driver")
    if not any(selects(selector, device, of) for selector in plaidml["selectors"]):
        return Finding(BAD, f"{called} matches no hardware configuration in "
                            f"{plaidml['configuration']}",
                       "set PLAIDML_EXPERIMENTAL=1, or copy that file, add a hardware_configs "
                       f"entry with \"sel\": {{\"name_regex\": \"{re.escape(device['name'])}\"}}, "
                       "and name the copy in PLAIDML_CONFIG_FILE")
    return Finding(BAD, f"{called} is not offered by PlaidML, which does not say why",
                   "update its driver")


def selects(selector: dict, device: dict, of: dict) -> bool:
    """Whether a selector of PlaidML's hardware configurations takes a device."""
    match selector:
        case {"and": {"sel": parts}}:
            return all(selects(part, device, of) for part in parts)
        case {"or": {"sel": parts}}:
            return any(selects(part, device, of) for part in parts)
        case {"not": part}:
            return not selects(part, device, of)
        case {"name_regex": pattern}:
            return re.fullmatch(pattern, device["name"]) is not None
        case {"vendor_regex": pattern}:
            return re.fullmatch(pattern, device["vendor"]) is not None
        case {"platform_regex": pattern}:
            return re.fullmatch(pattern, of["name"]) is not None
    return False


def tried(name: str, plaidml: dict) -> Finding:
    """What a device's self-test finds, and how fast the device is."""
    if name not in plaidml["devices"]:
        return Finding(BAD, f"{name} is not a device of PlaidML's",
                       f"name one of: {', '.join(plaidml['devices']) or 'none'}")
    called = f"{name} ({plaidml['devices'][name]})"
    try:
        found = ask("plaidkeras.device_probe", name)
    except ProbeFailed as failed:
        return Finding(BAD, f"{called} {failed}", "update its driver, or use another device")
    if found["fault"]:
        return Finding(BAD, found["fault"], "update its driver, or use another device")
    return Finding(GOOD, f"{called}: self-test passed, {found['gflops']:.3g} GFLOP/s in a "
                         f"convolution; use it with --device {name}", usable=True)


def slug(name: str) -> str:
    """A device's name as PlaidML writes it in its ids."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def ask(module: str, *arguments: str) -> dict:
    """The JSON that `python -m module` prints last. Raises ProbeFailed."""
    environment = {**os.environ, "PLAIDML_DEVICE_IDS": ""}
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, errors="replace",
                              timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        raise ProbeFailed(f"gave no answer within {PROBE_SECONDS} seconds") from None
    if done.returncode < 0:
        raise ProbeFailed(f"crashed ({signal.Signals(-done.returncode).name})")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise ProbeFailed(f"failed: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends the probe too
    for finding in examine(*sys.argv[1:]):
        print(json.dumps(asdict(finding)), flush=True)
