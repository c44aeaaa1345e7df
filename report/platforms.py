"""Where PlaidML runs. Its builds are old and will not grow more: where there is none, this package
installs without it, and all that needs no training works."""

import platform
from importlib.util import find_spec

from report.errors import ReportError

WITH_BUILD = ("x86_64", "AMD64")  # as pyproject.toml names them, for Linux, macOS and Windows


def require_plaidml() -> None:
    """Raise ReportError, saying what to do, where PlaidML is not installed."""
    machine, system = platform.machine(), platform.system().replace("Darwin", "macOS")
    if find_spec("plaidml"):
        return
    if machine in WITH_BUILD:
        raise ReportError("PlaidML is not installed; install it: "
                          "pip install plaidml==0.7.0 plaidml-keras==0.7.0")
    rosetta = "with a Python for x86-64 under Rosetta 2, " * (system == "macOS")
    raise ReportError(
        f"PlaidML has no build for this machine ({system} on {machine}), only for x86-64 Linux, macOS and "
        f"Windows, so that nothing can be trained here. Train {rosetta}in an x86-64 container or virtual machine "
        "(docker run --platform linux/amd64 ...), or on another machine, and copy its runs/ here: render, serve, "
        "check and publish work here.")
