"""What a test needs that not every machine has: it is skipped where that is missing.

REPORT_REQUIRE=oclgrind,pocl,gcc,torch in the environment makes it fail there instead.
"""

import os
import shutil
from pathlib import Path

import pytest

OCLGRIND = Path("/usr/lib/oclgrind/liboclgrind-rt-icd.so")
POCL = Path("/etc/OpenCL/vendors/pocl.icd")


def oclgrind() -> None:
    """For tests that compute on oclgrind, a simulated GPU, which PlaidML reaches by the loader."""
    from plaidkeras import opencl

    needed("oclgrind", OCLGRIND.exists() and opencl.opens(opencl.LOADERS[0]),
           "apt-get install oclgrind ocl-icd-opencl-dev")


def pocl() -> None:
    """For tests that look at pocl, an OpenCL driver for CPUs."""
    from plaidkeras import opencl

    needed("pocl", POCL.exists() and opencl.opens(opencl.LOADERS[0]),
           "apt-get install pocl-opencl-icd ocl-icd-opencl-dev")


def posing_pocl() -> None:
    """For tests that compute on pocl as a GPU, by a driver that they compile."""
    pocl()
    needed("gcc", shutil.which("gcc") and Path("/usr/include/CL/cl_icd.h").exists(),
           "apt-get install gcc libc6-dev ocl-icd-opencl-dev")


def needed(name: str, is_there: bool, remedy: str) -> None:
    """Skip the test that runs unless what it needs is there; fail it if it is required."""
    if not is_there:
        is_required = name in os.environ.get("REPORT_REQUIRE", "").split(",")
        (pytest.fail if is_required else pytest.skip)(f"{name} is not installed ({remedy})")
