"""Options that several packages' tests share, and what a test needs that not every machine has."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Examples are drawn the same way each time: few, or many by --hypothesis-profile thorough.
settings.register_profile("quick", deadline=None, database=None, derandomize=True, max_examples=20,
                          suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=400)
settings.load_profile("quick")

# What a script starts with `&` ignores Ctrl-C, and so do its children; tests send it to theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--refresh-golden", action="store_true",
                     help="write what the made run's site says as the golden site")


# @pytest.mark.needs("pocl", "gcc"): skipped where one of these is missing, failed where REPORT_REQUIRE,
# a list with commas in the environment, names it. A test with the fixture `browser` needs "chromium".
OCLGRIND = Path("/usr/lib/oclgrind/liboclgrind-rt-icd.so")
POCL = Path("/etc/OpenCL/vendors/pocl.icd")
NEEDS = {
    "chromium": (lambda: any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                 "apt-get install chromium"),
    "oclgrind": (lambda: OCLGRIND.exists() and opens_opencl(),
                 "apt-get install oclgrind ocl-icd-opencl-dev"),
    "pocl": (lambda: POCL.exists() and opens_opencl(),
             "apt-get install pocl-opencl-icd ocl-icd-opencl-dev"),
    "gcc": (lambda: shutil.which("gcc") and Path("/usr/include/CL/cl_icd.h").exists(),
            "apt-get install gcc libc6-dev ocl-icd-opencl-dev"),
    "torch": (lambda: importlib.util.find_spec("torch"), "pip install '.[torch]'"),
    "dask": (lambda: importlib.util.find_spec("distributed"), "pip install '.[dask]'"),
}


def opens_opencl() -> bool:
    from plaidkeras import opencl
    return opencl.opens(opencl.LOADERS[0])


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(3600))
        if "browser" in item.fixturenames:
            item.add_marker(pytest.mark.needs("chromium"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    required = os.environ.get("REPORT_REQUIRE", "").split(",")
    for name in [name for marker in item.iter_markers("needs") for name in marker.args]:
        is_there, remedy = NEEDS[name]
        if not is_there():
            (pytest.fail if name in required else pytest.skip)(f"{name} is not installed ({remedy})")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Two processes share the tests, a file at a time. What trains stays in one of them: a training
    takes all cores, and two at a time cost twice the work."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            trains = file.startswith("tests/digits/") and "data" not in file
            return "tests/digits" if trains else file
    return Scheduling(config, log)
