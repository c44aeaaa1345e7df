"""What `report doctor` says: of this machine, of pocl and oclgrind, of made-up drivers, of devices
that nobody here has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plaidkeras import processor
from report import doctor

POCL = Path("/etc/OpenCL/vendors/pocl.icd")
OCLGRIND = Path("/usr/lib/oclgrind/liboclgrind-rt-icd.so")
ROOT = Path(__file__).parents[2]


def report(**environment) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "report", "doctor"], cwd=ROOT, text=True,
                          env={**os.environ, "PLAIDML_DEVICE_IDS": "", **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def needed(file: Path, package: str) -> None:
    if not file.exists():
        required = package in os.environ.get("REPORT_REQUIRE", "")
        (pytest.fail if required else pytest.skip)(f"{package} is not installed")


@pytest.fixture
def icds(tmp_path):
    """A folder of drivers: icds(name=library)."""
    def make(**libraries):
        for name, library in libraries.items():
            (tmp_path / f"{name}.icd").write_text(library + "\n")
        return str(tmp_path)
    return make


def test_without_a_driver_the_cpu_is_tried_and_measured(icds):
    done = report(OCL_ICD_VENDORS=icds())
    assert done.returncode == 0 and done.stderr == ""
    assert "ok  Python 3." in done.stdout and "ok  plaidml 0.7.0" in done.stdout
    assert f"llvm_cpu.0 ({processor.described()}): computes rightly, " in done.stdout
    assert "GFLOP/s in a convolution; use it with --device llvm_cpu.0" in done.stdout


def test_a_driver_that_is_gone_or_named_wrongly_is_a_fault_with_its_file(icds):
    folder = icds(gone="/nowhere/libamdocl64.so", empty="")
    found = list(doctor.loaders(looked(OCL_ICD_VENDORS=folder)))
    texts = [finding.text for finding in found if finding.state == doctor.BAD]
    assert f"driver {folder}/gone.icd names /nowhere/libamdocl64.so, which cannot be" in texts[1]
    assert f"driver {folder}/empty.icd names nothing, which cannot be opened" in texts[0]
    assert "no driver offers a device" in found[-1].text and found[-1].mend


def test_a_pipe_is_not_waited_for_and_only_the_first_line_of_a_file_counts(
        icds, tmp_path, monkeypatch):
    folder = icds(zero="/nowhere/\0")
    os.mkfifo(tmp_path / "p.icd")
    (tmp_path / "lines.icd").write_bytes(b"/nowhere/a\x1b\xff\nb")
    monkeypatch.setenv("OCL_ICD_VENDORS", folder)
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 30)
    texts = [finding.text for finding in doctor.examine() if finding.state == doctor.BAD]
    assert f"driver {folder}/lines.icd names /nowhere/a\\x1b\ufffd, which cannot be" in texts[0]
    assert f"driver {folder}/p.icd names nothing, which cannot be opened (it is a pipe, " in texts[1]
    assert f"driver {folder}/zero.icd names /nowhere/\\x00, which cannot be opened" in texts[2]
    assert len(texts) == 3


def looked(**environment) -> dict:
    return json.loads(subprocess.check_output(
        [sys.executable, "-m", "plaidkeras.opencl"], env={**os.environ, **environment}))


def test_pocl_is_refused_for_its_type():
    needed(POCL, "pocl-opencl-icd")
    done = report(OCL_ICD_VENDORS=str(POCL.parent))
    assert "is an OpenCL device of type CPU, which PlaidML 0.7.0 refuses" in done.stdout
    assert "--device llvm_cpu.0 computes on the same CPU" in done.stdout


def test_oclgrind_matches_no_hardware_configuration(icds):
    needed(OCLGRIND, "oclgrind")
    done = report(OCL_ICD_VENDORS=icds(oclgrind=str(OCLGRIND)), OPENCL_BUILD_THREADS="1",
                  OCLGRIND_NUM_THREADS="1")
    assert "Oclgrind Simulator (Oclgrind) matches no hardware configuration in " in done.stdout
    assert '"name_regex": "Oclgrind\\ Simulator"' in done.stdout
    assert "PLAIDML_CONFIG_FILE" in done.stdout


@pytest.mark.slow
def test_with_a_configuration_oclgrind_computes_rightly(icds, tmp_path):
    needed(OCLGRIND, "oclgrind")
    from plaidml import settings
    configuration = json.loads(Path(settings.experimental_config).read_text())
    configuration["platform"]["hardware_configs"].append({
        "description": "oclgrind", "sel": {"name_regex": ".*Oclgrind.*"},
        "settings": {"threads": 16, "vec_size": 1, "mem_width": 64, "max_mem": 16384,
                     "max_regs": 16384, "goal_groups": 1, "goal_flops_per_byte": 50}})
    (tmp_path / "plaidml.json").write_text(json.dumps(configuration))
    done = report(OCL_ICD_VENDORS=icds(oclgrind=str(OCLGRIND)), OPENCL_BUILD_THREADS="1",
                  OCLGRIND_NUM_THREADS="1", PLAIDML_CONFIG_FILE=str(tmp_path / "plaidml.json"))
    assert "opencl_oclgrind_oclgrind_simulator.0 (Oclgrind Oclgrind Simulator (OpenCL)): computes" \
        in done.stdout, done.stdout


def test_the_experimental_list_switched_off_is_a_fault(icds):
    done = report(OCL_ICD_VENDORS=icds(), PLAIDML_EXPERIMENTAL="0")
    assert "FAULT  PLAIDML_EXPERIMENTAL is switched off" in done.stdout
    assert "-> unset PLAIDML_EXPERIMENTAL, or set it to 1" in done.stdout


# Machines that nobody here has: what OpenCL and PlaidML would say of them, held against each other

RADEON = {"name": "gfx1030", "vendor": "Advanced Micro Devices, Inc.", "version": [2, 0],
          "is_cpu": False}
AMD = {"name": "AMD Accelerated Parallel Processing"}
PLAIDML = {"devices": {"llvm_cpu.0": "CPU"}, "cpu": "llvm_cpu.0", "configuration": "config.json",
           "selectors": [{"or": {"sel": [{"vendor_regex": "AMD"},
                                         {"vendor_regex": "Advanced Micro Devices.*"}]}},
                         {"and": {"sel": [{"name_regex": ".*HD Graphics.*"},
                                          {"not": {"name_regex": ".*Broxton.*"}}]}}]}
LOADER = {"loader": "libOpenCL.so", "opened_by_plaidml": "libOpenCL.so", "icds": []}


@pytest.mark.parametrize("changes, loader, says, mend", [
    ({}, "libOpenCL.so.1", "hidden from PlaidML by the missing loader", "as above"),
    ({"is_cpu": True}, "libOpenCL.so", "type CPU, which PlaidML 0.7.0 refuses", "llvm_cpu.0"),
    ({"version": [1, 1]}, "libOpenCL.so", "has OpenCL 1.1, PlaidML needs 1.2", "driver"),
    ({"vendor": "Nobody", "name": "HD Graphics Broxton"}, "libOpenCL.so",
     "matches no hardware configuration in config.json", "PLAIDML_CONFIG_FILE"),
    ({}, "libOpenCL.so", "is not offered by PlaidML", "driver")])
def test_a_device_is_refused_for_the_first_condition_it_misses(changes, loader, says, mend):
    found = doctor.refusal({**RADEON, **changes}, AMD, {**LOADER, "loader": loader}, PLAIDML)
    assert says in found.text and mend in found.mend


def test_a_device_that_plaidml_takes_is_not_refused():
    opencl = {**LOADER, "platforms": [{**AMD, "devices": [RADEON]}]}
    taken = {**PLAIDML, "devices": {"opencl_amd_gfx1030.0": "gfx1030"}}
    assert list(doctor.refused(opencl, taken)) == []


def test_a_loader_of_another_name_is_a_fault_with_its_link():
    found, *_ = doctor.loaders({**LOADER, "loader": "libOpenCL.so.1", "platforms": []})
    assert found.text == "only libOpenCL.so.1 is there, but PlaidML opens libOpenCL.so"
    assert "ln -s libOpenCL.so.1 libOpenCL.so" in found.mend


def test_no_loader_at_all_is_told_but_no_fault():
    found, = doctor.loaders({**LOADER, "loader": None, "platforms": []})
    assert found.state == doctor.NOTE and "apt-get install ocl-icd-opencl-dev" in found.mend


def test_a_driver_that_crashes_takes_no_one_with_it(tmp_path, monkeypatch):
    (tmp_path / "crashing.py").write_text("import os; os.kill(os.getpid(), 11)")
    (tmp_path / "failing.py").write_text("raise SystemExit('no such thing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(doctor.ProbeFailed, match="crashed .SIGSEGV"):
        doctor.ask("crashing")
    with pytest.raises(doctor.ProbeFailed, match="failed: no such thing"):
        doctor.ask("failing")
