"""The processor's name, from what systems tell of it."""

import os
import subprocess
import sys

import pytest

from plaidkeras import device, processor

X86 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: {}
stepping\t: 1

processor\t: 1
model name\t: another
"""
ARM = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd08
"""


@pytest.mark.parametrize("told, name", [
    ("AMD EPYC", "AMD EPYC"),  # all that some virtual machines tell
    ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
    ("AMD Ryzen Threadripper 1950X Sixteen-Core Processor", "AMD Ryzen Threadripper 1950X"),
    ("AMD Ryzen 5 3400G with Radeon Vega Graphics", "AMD Ryzen 5 3400G with Radeon Vega Graphics"),
    ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "Intel Core i7-8700K"),
    ("Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", "Intel Core 2 Duo CPU E8400"),
    ("13th Gen Intel(R) Core(TM) i5-13600K", "13th Gen Intel Core i5-13600K"),
    ("Intel(R) Xeon(R) Processor @ 2.20GHz", "Intel Xeon Processor"),
    ("QEMU Virtual CPU version 2.5+", "QEMU Virtual CPU version 2.5+"),
    ("a: colon\x1b[31m", "a: colon [31m"),
    ("unknown", ""), ("", "")])
def test_the_model_name_of_x86_is_shown_without_marks_clock_and_core_count(told, name):
    assert processor.model_in_cpuinfo(X86.format(told)) == name


@pytest.mark.parametrize("text, name", [
    (ARM, ""),
    (ARM + "\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
     "Raspberry Pi 4 Model B Rev 1.4"),
    (ARM + "\nHardware\t: Qualcomm Technologies, Inc SDM845\n",
     "Qualcomm Technologies, Inc SDM845"),
    ("processor\t: 0\ncpu\t\t: POWER9, altivec supported\nmodel\t\t: 8375-42A\n",
     "POWER9, altivec supported"),
    ("system type\t: MIPS Malta\ncpu model\t\t: MIPS 24Kc V0.0  FPU V0.0\n",
     "MIPS 24Kc V0.0 FPU V0.0"),
    ("no colon\n: no key\nmodel name\t:\n", ""), ("", "")])
def test_other_architectures_name_it_elsewhere_or_not_at_all(text, name):
    assert processor.model_in_cpuinfo(text) == name


@pytest.mark.parametrize("cores, said", [(1, "AMD EPYC, 1 core"), (2, "AMD EPYC, 2 cores")])
def test_cores_are_counted_in_the_singular_and_the_plural(monkeypatch, cores, said):
    monkeypatch.setattr(processor, "model", lambda: "AMD EPYC")
    monkeypatch.setattr(processor, "usable_cores", lambda: cores)
    assert processor.described() == said


def test_a_processor_without_a_name_is_described_by_its_architecture(monkeypatch):
    monkeypatch.setattr(processor, "model", lambda: "")
    monkeypatch.setattr(processor, "usable_cores", lambda: 4)
    monkeypatch.setattr(processor.platform, "machine", lambda: "aarch64")
    assert processor.described() == "aarch64 processor, 4 cores"
    monkeypatch.setattr(processor.platform, "machine", lambda: "")
    assert processor.described() == "unknown processor, 4 cores"


def test_a_system_that_tells_nothing_gives_no_model(monkeypatch):
    def refused(*_, **__):
        raise PermissionError

    monkeypatch.setattr("builtins.open", refused)
    monkeypatch.setattr(processor.sys, "platform", "linux")
    assert processor.model() == ""
    monkeypatch.setattr(processor.subprocess, "check_output", refused)
    monkeypatch.setattr(processor.sys, "platform", "darwin")
    assert processor.model() == ""
    monkeypatch.setattr(processor.subprocess, "check_output", lambda *_, **__: "Apple M2 Pro\n")
    assert processor.model() == "Apple M2 Pro"
    monkeypatch.setattr(processor.sys, "platform", "win32")
    monkeypatch.setattr(processor.platform, "processor", lambda: "Intel64 Family 6, GenuineIntel")
    assert processor.model() == "Intel64 Family 6, GenuineIntel"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_only_cores_that_the_process_may_use_are_counted():
    one = next(iter(os.sched_getaffinity(0)))
    counted = subprocess.check_output([sys.executable, "-c", f"""
import os
os.sched_setaffinity(0, {{{one}}})
from plaidkeras import processor
print(processor.usable_cores())"""], text=True)
    assert counted == "1\n"


def test_plaidmls_cpu_is_described_as_the_processor():
    found = {each.id: each.description for each in device.devices()}
    assert found[device.CPU] == processor.described()
    assert str(device.choose(device.CPU)) == (
        f"llvm_cpu.0 ({processor.described()}): asked for")


def test_gpus_are_described_as_plaidml_does(monkeypatch):
    class Gpu:
        id, description = b"opencl_amd_ellesmere.0", b"AMD Ellesmere (OpenCL)"

    import plaidml
    monkeypatch.setattr(plaidml, "devices", lambda *_, **__: ([Gpu], []))
    (found,) = device.devices()
    assert found == device.Device("opencl_amd_ellesmere.0", "AMD Ellesmere (OpenCL)")
