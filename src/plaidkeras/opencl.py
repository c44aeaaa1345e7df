"""The OpenCL loader, drivers, platforms and devices of this machine.

`python -m plaidkeras.opencl` prints them as JSON. PlaidML says nothing of those that it does not
take. Run it in a process of its own: a driver may crash when it is loaded.
"""

import ctypes
import json
import os
import re
import sys
from pathlib import Path

# <CL/cl.h>
PLATFORM_NAME, PLATFORM_VERSION = 0x0902, 0x0901
DEVICE_TYPE, DEVICE_NAME, DEVICE_VENDOR, DEVICE_VERSION = 0x1000, 0x102B, 0x102C, 0x102F
TYPE_ALL, TYPE_CPU, TYPE_GPU, TYPE_ACCELERATOR = 0xFFFFFFFF, 1 << 1, 1 << 2, 1 << 3

# PlaidML opens the first of these; Linux distributions ship it in their development packages.
LOADERS = {"darwin": ["/System/Library/Frameworks/OpenCL.framework/OpenCL"],
           "win32": ["OpenCL.dll"]}.get(sys.platform, ["libOpenCL.so", "libOpenCL.so.1"])


def look() -> dict:
    """{"loader": name or None, "icds": [...], "platforms": [{..., "devices": [...]}]}."""
    loader = next(filter(opens, LOADERS), None)
    drivers = icds()
    returns = loader and not any(driver["blocks"] for driver in drivers)
    return {"loader": loader, "opened_by_plaidml": LOADERS[0], "icds": drivers,
            "platforms": platforms(ctypes.CDLL(loader)) if returns else []}


def icds() -> list[dict]:
    """The drivers that are registered, an ICD file each.

    `fault` is why the library that the file names cannot be opened, or None; `blocks` is true of a
    file that whoever reads it would wait for without end.
    """
    if LOADERS[0] != "libOpenCL.so":
        return []
    named = os.environ.get("OCL_ICD_VENDORS", "/etc/OpenCL/vendors")
    files = [Path(named)] if named.endswith(".icd") else sorted(Path(named).glob("*.icd"))
    found = []
    for file in files:
        library, blocks = "", file.is_fifo()
        try:
            if blocks:
                fault = "it is a pipe, for which all programs that use OpenCL wait without end"
            else:
                with open(file, encoding="utf-8", errors="replace") as lines:
                    library = lines.readline(4096).strip()  # the loader reads no more
                fault = _fault(library) if library else "its first line is empty"
        except OSError as error:
            fault = error.strerror
        found.append({"file": str(file), "library": library, "fault": fault,
                      "blocks": blocks})
    return found


def platforms(library) -> list[dict]:
    """All platforms with their devices, in the loader's order."""
    return [{"name": _text(library.clGetPlatformInfo, platform, PLATFORM_NAME),
             "version": _text(library.clGetPlatformInfo, platform, PLATFORM_VERSION),
             "devices": [_device(library, device) for device in _ids(
                 library.clGetDeviceIDs, ctypes.c_void_p(platform), ctypes.c_uint64(TYPE_ALL))]}
            for platform in _ids(library.clGetPlatformIDs)]


def _device(library, device: int) -> dict:
    kind = ctypes.c_uint64()
    library.clGetDeviceInfo(ctypes.c_void_p(device), DEVICE_TYPE, ctypes.c_size_t(8),
                            ctypes.byref(kind), None)
    version = _text(library.clGetDeviceInfo, device, DEVICE_VERSION)  # "OpenCL 1.2 pocl ..."
    numbers = re.search(r"(\d+)\.(\d+)", version)
    return {"name": _text(library.clGetDeviceInfo, device, DEVICE_NAME),
            "vendor": _text(library.clGetDeviceInfo, device, DEVICE_VENDOR),
            "version": list(map(int, numbers.groups())) if numbers else [0, 0],
            # A simulator claims every type at once.
            "is_cpu": kind.value & (TYPE_CPU | TYPE_GPU | TYPE_ACCELERATOR) == TYPE_CPU}


def _ids(function, *arguments) -> list[int]:
    count = ctypes.c_uint32()
    function(*arguments, ctypes.c_uint32(0), None, ctypes.byref(count))
    found = (ctypes.c_void_p * count.value)()
    if count.value:
        function(*arguments, count, found, None)
    return list(found)


def _text(function, handle: int, key: int) -> str:
    size = ctypes.c_size_t()
    function(ctypes.c_void_p(handle), key, ctypes.c_size_t(0), None, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value or 1)
    function(ctypes.c_void_p(handle), key, size, text, None)
    return text.value.decode(errors="replace").strip()


def opens(library: str) -> bool:
    """Whether a library can be loaded."""
    return _fault(library) is None


def _fault(library: str) -> str | None:
    """Why a library cannot be loaded; None if it can."""
    try:
        ctypes.CDLL(library)
    except (OSError, ValueError) as error:  # ValueError: of a name with a zero byte
        return str(error)
    return None


if __name__ == "__main__":
    print(json.dumps(look()))
