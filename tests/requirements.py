"""What a test needs that not every machine has.

@pytest.mark.needs("pocl", "gcc"): skipped where one of these is missing, failed where REPORT_REQUIRE, a list
with commas in the environment, names it (tests/conftest.py). A test with the fixture `browser` needs
"chromium".
"""

import importlib.util
import shutil
from pathlib import Path

OCLGRIND = Path("/usr/lib/oclgrind/liboclgrind-rt-icd.so")
POCL = Path("/etc/OpenCL/vendors/pocl.icd")


def chromium() -> str | None:
    """Where its program is."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def opens_opencl() -> bool:
    from plaidkeras import opencl
    return opencl.opens(opencl.LOADERS[0])


NEEDS = {
    "chromium": (chromium, "apt-get install chromium"),
    "oclgrind": (lambda: OCLGRIND.exists() and opens_opencl(),
                 "apt-get install oclgrind ocl-icd-opencl-dev"),
    "pocl": (lambda: POCL.exists() and opens_opencl(),
             "apt-get install pocl-opencl-icd ocl-icd-opencl-dev"),
    "gcc": (lambda: shutil.which("gcc") and Path("/usr/include/CL/cl_icd.h").exists(),
            "apt-get install gcc libc6-dev ocl-icd-opencl-dev"),
    "torch": (lambda: importlib.util.find_spec("torch"), "pip install '.[torch]'"),
    "dask": (lambda: importlib.util.find_spec("distributed"), "pip install '.[dask]'"),
}
