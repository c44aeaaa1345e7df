"""What the doctor finds: on this machine, on pocl and oclgrind where they are installed, and on
machines that nobody here has, from what OpenCL and PlaidML would say of them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import requirements
from test_opencl import oclgrind

import plaidkeras
from plaidkeras import device, doctor, opencl, processor
from plaidkeras.doctor import BAD, GOOD, NOTE, Finding

CPU_PASSED = f"llvm_cpu.0 ({processor.described()}): self-test passed, "


@pytest.fixture
def icds(tmp_path):
    """A folder of drivers: icds(name=library)."""
    def make(**libraries):
        for name, library in libraries.items():
            (tmp_path / f"{name}.icd").write_text(library + "\n")
        return str(tmp_path)
    return make


def texts(findings, *states) -> list:
    return [finding.text for finding in findings if finding.state in states]


# This machine

def found_here(monkeypatch, **environment) -> list:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return list(doctor.examine())


@pytest.mark.slow
def test_without_a_driver_the_cpu_passes_and_is_measured(icds):
    done = subprocess.run([sys.executable, "-m", "plaidkeras.doctor", "llvm_cpu.0"], text=True,
                          capture_output=True, env={**os.environ, "OCL_ICD_VENDORS": icds()})
    assert (done.returncode, done.stderr) == (0, "")
    found = [Finding(**json.loads(line)) for line in done.stdout.splitlines()]
    assert found[0].text.startswith("Python 3.") and "plaidml 0.7.0" in texts(found, GOOD)
    assert not texts(found, BAD)
    assert [finding.usable for finding in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].text.startswith(CPU_PASSED)
    assert found[-1].text.endswith(
        "GFLOP/s in a convolution; use it with --device llvm_cpu.0")


@pytest.mark.slow
def test_a_setting_of_plaidml_that_hides_devices_is_found(monkeypatch, icds):
    found = found_here(monkeypatch, OCL_ICD_VENDORS=icds(), PLAIDML_EXPERIMENTAL="0")
    assert texts(found, BAD)[0].startswith("PLAIDML_EXPERIMENTAL is switched off")


@pytest.mark.slow
@pytest.mark.needs("pocl")
def test_pocl_is_refused_for_its_type(monkeypatch):
    found = found_here(monkeypatch, OCL_ICD_VENDORS=str(requirements.POCL.parent))
    (refusal,) = [each for each in found if "is an OpenCL device of type CPU" in each.text]
    assert refusal.state == NOTE and "--device llvm_cpu.0 computes on the same" in refusal.mend


SINGLE_THREADED = dict(OPENCL_BUILD_THREADS="1", OCLGRIND_NUM_THREADS="1")  # else it crashes


@pytest.mark.slow
@pytest.mark.needs("oclgrind")
def test_oclgrind_matches_no_hardware_configuration(monkeypatch, icds):
    found = found_here(monkeypatch, OCL_ICD_VENDORS=icds(oclgrind=str(requirements.OCLGRIND)), **SINGLE_THREADED)
    (refusal,) = [each for each in found if "matches no hardware configuration" in each.text]
    assert refusal.text.startswith("Oclgrind Simulator (Oclgrind) ")
    assert '"name_regex": "Oclgrind\\ Simulator"' in refusal.mend
    assert "PLAIDML_CONFIG_FILE" in refusal.mend


@pytest.mark.slow
@pytest.mark.needs("oclgrind")
def test_with_a_configuration_oclgrind_passes(monkeypatch, tmp_path):
    found = found_here(monkeypatch, **oclgrind(tmp_path))
    (simulator,) = [each for each in found if each.text.startswith(
        "opencl_oclgrind_oclgrind_simulator.0 (Oclgrind Oclgrind Simulator (OpenCL)): ")]
    assert simulator.usable and "self-test passed" in simulator.text


# Drivers

LOADER = {"loader": "libOpenCL.so", "opened_by_plaidml": "libOpenCL.so", "icds": [],
          "platforms": []}


@pytest.fixture
def drivers(icds, monkeypatch):
    """The findings about a folder of drivers, however the loader that reads it is called."""
    monkeypatch.setattr(opencl, "LOADERS", ["libOpenCL.so"])
    monkeypatch.setenv("OCL_ICD_VENDORS", icds())
    return lambda: list(doctor.loaders({**LOADER, "icds": opencl.icds()}))


def test_a_driver_that_is_gone_or_named_wrongly_is_a_fault_with_its_file(icds, drivers):
    folder = icds(gone="/nowhere/libamdocl64.so", empty="", zero="/nowhere/\0")
    loader, empty, gone, zero, none = drivers()
    assert loader == Finding(GOOD, "OpenCL loader libOpenCL.so")
    assert empty == Finding(
        BAD, f"driver {folder}/empty.icd names nothing, which cannot be opened (its first line is "
             "empty)", f"reinstall that driver, or remove {folder}/empty.icd")
    assert gone.text.startswith(
        f"driver {folder}/gone.icd names /nowhere/libamdocl64.so, which cannot be opened (")
    assert zero.state == BAD and "embedded null" in zero.text
    assert "no driver offers a device" in none.text and none.mend


def test_only_the_first_line_of_a_driver_s_file_is_read(drivers, tmp_path):
    (tmp_path / "lines.icd").write_bytes(b"/nowhere/a\xff\nb")
    _, finding, _ = drivers()
    assert "names /nowhere/a\ufffd, which cannot" in finding.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_among_the_drivers_is_a_fault_and_not_waited_for(drivers, tmp_path):
    os.mkfifo(tmp_path / "p.icd")
    _, finding, _ = drivers()
    assert finding.state == BAD
    assert "p.icd names nothing, which cannot be opened (it is a pipe" in finding.text


def test_one_file_may_be_named_for_all_drivers(drivers, icds, tmp_path, monkeypatch):
    icds(one="/nowhere/1.so", two="/nowhere/2.so")
    monkeypatch.setenv("OCL_ICD_VENDORS", str(tmp_path / "two.icd"))
    _, finding, _ = drivers()
    assert "/nowhere/2.so" in finding.text


def test_a_driver_that_opens_is_named():
    assert doctor.driver({"file": "a.icd", "library": "liba.so", "fault": None}) == Finding(
        GOOD, "driver a.icd: liba.so")


def test_a_loader_of_another_name_is_a_fault_with_its_link():
    found, *_ = doctor.loaders({**LOADER, "loader": "libOpenCL.so.1"})
    assert found.text == "only libOpenCL.so.1 is there, but PlaidML opens libOpenCL.so"
    assert "ln -s libOpenCL.so.1 libOpenCL.so" in found.mend


def test_no_loader_at_all_is_told_but_no_fault():
    found, = doctor.loaders({**LOADER, "loader": None})
    assert found.state == NOTE and "apt-get install ocl-icd-opencl-dev" in found.mend


# Devices

RADEON = {"name": "gfx1030", "vendor": "Advanced Micro Devices, Inc.", "version": [2, 0],
          "is_cpu": False}
AMD = {"name": "AMD Accelerated Parallel Processing"}
PLAIDML = {"devices": {"llvm_cpu.0": "AMD EPYC, 2 cores"}, "cpu": "llvm_cpu.0", "keeps_programs": True,
           "experimental": True, "configuration": "config.json",
           "selectors": [{"or": {"sel": [{"vendor_regex": "AMD"},
                                         {"vendor_regex": "Advanced Micro Devices.*"}]}},
                         {"and": {"sel": [{"name_regex": ".*HD Graphics.*"},
                                          {"not": {"name_regex": ".*Broxton.*"}}]}},
                         {"platform_regex": "Known Platform"}, {"unheard_of": ".*"}]}


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


@pytest.mark.parametrize("changes, platform, is_selected", [
    ({}, AMD, True), ({"vendor": "Nobody"}, AMD, False),
    ({"vendor": "Nobody"}, {"name": "Known Platform"}, True),
    ({"vendor": "Intel", "name": "Intel HD Graphics 530"}, AMD, True)])
def test_a_hardware_configuration_selects_by_name_vendor_or_platform(changes, platform,
                                                                     is_selected):
    gpu = {**RADEON, **changes}
    assert any(doctor.selects(each, gpu, platform)
               for each in PLAIDML["selectors"]) is is_selected


def test_a_device_that_plaidml_takes_is_not_refused():
    seen = {**LOADER, "platforms": [{**AMD, "devices": [RADEON]}]}
    taken = {**PLAIDML, "devices": {"opencl_amd_gfx1030.0": "gfx1030"}}
    assert list(doctor.refused(seen, taken)) == []
    assert len(list(doctor.refused(seen, PLAIDML))) == 1


def test_the_experimental_list_switched_off_is_a_fault():
    assert list(doctor.settings(PLAIDML)) == []
    (found,) = doctor.settings({**PLAIDML, "experimental": False})
    assert found == Finding(
        BAD, "PLAIDML_EXPERIMENTAL is switched off, which leaves only a few GPUs",
        "unset PLAIDML_EXPERIMENTAL, or set it to 1")


@pytest.mark.parametrize("machine, says, mend", [
    ("x86_64", "PlaidML is not installed", "pip install plaidml==0.7.0"),
    ("arm64", "PlaidML has no build for arm64, only for x86-64", "an x86-64 container")])
def test_without_plaidml_nothing_more_is_looked_at(monkeypatch, machine, says, mend):
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    monkeypatch.setattr("platform.machine", lambda: machine)
    *_, last = doctor.examine()
    assert last.state == BAD and last.text.startswith(says) and mend in last.mend
    with pytest.raises(device.DeviceError, match=f"^{says}"):
        plaidkeras.install()


def test_a_package_that_is_not_installed_is_a_fault(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    there, missing = doctor.packages()
    assert there.state == GOOD
    assert missing == Finding(BAD, "no-such-package is not installed", "pip install plaidml-report")


def test_where_compiled_programs_are_kept_is_told_or_why_they_are_not(monkeypatch, tmp_path):
    place = tmp_path / "new" / "programs"
    monkeypatch.setenv("PLAIDKERAS_CACHE", str(place))
    assert doctor.programs(PLAIDML) == Finding(GOOD, f"programs that were compiled for the CPU are kept in {place}")
    assert "may not change" in doctor.programs({**PLAIDML, "keeps_programs": False}).text
    place.mkdir(parents=True)
    place.chmod(0o777)
    assert f"{place} cannot be written, or can be written by others too" in doctor.programs(PLAIDML).text
    monkeypatch.setenv("PLAIDKERAS_CACHE", "")
    assert doctor.programs(PLAIDML).mend == "unset it, or name a folder in it"


@pytest.mark.parametrize("answer, state, says", [
    ({"fault": None, "gflops": 12.34}, GOOD,
     "llvm_cpu.0 (AMD EPYC, 2 cores): self-test passed, 12.3 GFLOP/s in a convolution; use it with "
     "--device llvm_cpu.0"),
    ({"fault": "llvm_cpu.0: self-test failed: the softmax is off by 1", "gflops": None}, BAD,
     "llvm_cpu.0: self-test failed: the softmax is off by 1"),
    (doctor.ProbeFailed("crashed (SIGSEGV)"), BAD, "llvm_cpu.0 (AMD EPYC, 2 cores) crashed (SIGS")])
def test_only_a_device_that_passed_its_self_test_is_usable(monkeypatch, answer, state, says):
    def ask(module, *arguments):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(doctor, "ask", ask)
    found = doctor.tried("llvm_cpu.0", PLAIDML)
    assert (found.state, found.usable) == (state, state == GOOD)
    assert found.text.startswith(says)


def test_a_device_that_is_not_there_is_refused_with_a_list_of_those_that_are():
    assert doctor.tried("opencl_moon.0", PLAIDML) == Finding(
        BAD, "opencl_moon.0 is not a device of PlaidML's", "name one of: llvm_cpu.0")


# The order of what is looked at

@pytest.fixture
def answers(monkeypatch):
    """What the child processes answer, by module and device; a ProbeFailed is raised."""
    made = {("plaidkeras.opencl",): LOADER, ("plaidkeras.device_probe",): PLAIDML,
            ("plaidkeras.device_probe", "llvm_cpu.0"): {"fault": None, "gflops": 100.0}}

    def ask(*command):
        if isinstance(made[command], Exception):
            raise made[command]
        return made[command]

    monkeypatch.setattr(doctor, "ask", ask)
    return made


def test_a_crash_of_opencl_is_a_fault_and_the_cpu_is_tried_all_the_same(answers):
    answers["plaidkeras.opencl",] = doctor.ProbeFailed("crashed (SIGSEGV)")
    found = list(doctor.examine())
    assert texts(found, BAD) == ["OpenCL crashed (SIGSEGV)"]
    assert found[-1].usable


def test_a_plaidml_that_does_not_run_is_the_last_thing_found(answers):
    answers["plaidkeras.device_probe",] = doctor.ProbeFailed("failed: no library")
    found = list(doctor.examine())
    assert found[-1].text == "PlaidML failed: no library"
    assert "pip install --force-reinstall plaidml==0.7.0" in found[-1].mend
    assert not any(finding.usable for finding in found)


def test_plaidml_is_not_asked_where_a_driver_would_keep_it_waiting(answers):
    answers["plaidkeras.opencl",] = {**LOADER, "icds": [
        {"file": "p.icd", "library": "", "fault": "it is a pipe", "blocks": True}]}
    del answers["plaidkeras.device_probe",]
    assert not any(finding.usable for finding in doctor.examine())


def test_one_device_can_be_named(answers):
    *_, last = doctor.examine("opencl_moon.0")
    assert last.text.startswith("opencl_moon.0 is not a device")


# Child processes

@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_driver_that_crashes_or_hangs_takes_no_one_with_it(tmp_path, monkeypatch):
    (tmp_path / "crashing.py").write_text("import os; os.kill(os.getpid(), 11)")
    (tmp_path / "failing.py").write_text("raise SystemExit('no such thing')")
    (tmp_path / "silent.py").write_text("raise SystemExit(3)")
    (tmp_path / "hanging.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for module, says in (("crashing", "crashed .SIGSEGV"), ("failing", "failed: no such thing"),
                         ("silent", "failed: it did not say why")):
        with pytest.raises(doctor.ProbeFailed, match=says):
            doctor.ask(module)
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.2)
    with pytest.raises(doctor.ProbeFailed, match="gave no answer within 0.2 seconds"):
        doctor.ask("hanging")


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_doctor_that_is_ended_ends_what_it_waits_for(tmp_path):
    pid = tmp_path / "pid"
    (tmp_path / "sitecustomize.py").write_text(f"""
import os, sys
if "plaidkeras.opencl" in sys.orig_argv:
    open({str(pid.with_suffix(".new"))!r}, "w").write(str(os.getpid()))
    os.rename({str(pid.with_suffix(".new"))!r}, {str(pid)!r})
    import time; time.sleep(60)
""")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    with subprocess.Popen([sys.executable, "-m", "plaidkeras.doctor"], stdout=subprocess.DEVNULL,
                          env={**os.environ, "PYTHONPATH": path}) as child:
        while not pid.exists():
            assert child.poll() is None
            time.sleep(0.01)
        probe = int(pid.read_text())
        child.terminate()
        assert child.wait(20) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(probe, 0)
