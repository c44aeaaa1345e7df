"""The processor as people know it: its model, and how many cores this process may use."""

import os
import platform
import re
import subprocess
import sys


def described() -> str:
    """Such as "AMD EPYC, 2 cores" or, where the model is not known, "x86_64 processor, 1 core"."""
    count = usable_cores()
    name = model() or f"{platform.machine() or 'unknown'} processor"
    return f"{name}, {count} core{'' if count == 1 else 's'}"


def usable_cores() -> int:
    """The cores that this process may be scheduled on, as containers and taskset limit them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def model() -> str:
    """The model's name; "" where the system does not tell it."""
    try:
        if sys.platform.startswith("linux"):
            return model_in_cpuinfo(_cpuinfo())
        if sys.platform == "darwin":
            return tidied(subprocess.check_output(
                ["sysctl", "-n", "machdep.cpu.brand_string"], text=True, timeout=10))
    except (OSError, subprocess.SubprocessError):
        return ""
    return tidied(platform.processor())


def instruction_sets() -> set[str]:
    """Such as "avx2", as Linux names them; none where the system does not tell them."""
    try:
        lines = _cpuinfo().splitlines()
    except OSError:
        return set()
    return next((set(line.split()[2:]) for line in lines if line.startswith("flags")), set())


def _cpuinfo() -> str:
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        return file.read()


def model_in_cpuinfo(text: str) -> str:
    """The model that /proc/cpuinfo names; "" if none, as on most ARM machines.

    x86 has a "model name", MIPS a "cpu model" and POWER a "cpu". A Raspberry Pi names its board
    in "Model", other ARM machines in "Hardware".
    """
    fields = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), tidied(value))
    keys = "model name", "cpu model", "cpu", "Model", "Hardware"
    return next((fields[key] for key in keys if fields.get(key)), "")


def tidied(name: str) -> str:
    """A model's name without trademarks, clock rate and core count: "Intel Core i7-8700K"."""
    name = "".join(letter if letter.isprintable() else " " for letter in name)
    name = re.sub(r"\((R|TM|C)\)|(\bCPU)?\s*@.*|\s\S+-Core Processor\b.*", " ", name,
                  flags=re.IGNORECASE)
    name = " ".join(name.split())
    return "" if name.isdigit() or name.lower() == "unknown" else name
