"""`python -m plaidkeras check [DEVICE]`: does a device of PlaidML compute rightly?"""

import argparse
import signal
import subprocess
import sys
from typing import Optional

from plaidkeras import DeviceError, install


def main() -> int:
    """0 if the device computes rightly, 1 if it does not or is not there; argparse ends with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m plaidkeras", description="Keras 2.2.4 on PlaidML 0.7.0. In a program: "
        "import plaidkeras; plaidkeras.install(); and only then import keras.")
    commands = parser.add_subparsers(title="commands", dest="command")
    check = commands.add_parser(
        "check", help="compute a small network on a device and compare it with NumPy",
        description="Computes a small network, forward and backward, on a device of PlaidML, and "
        "compares each part with the same sums in NumPy. Ends with 0 if all are right, else 1.")
    check.add_argument("device", nargs="?", metavar="DEVICE", help="such as llvm_cpu.0; unless "
                       "told, that of PLAIDML_DEVICE_IDS, else a GPU, else the CPU")
    check.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.print_help()
        return 0
    if arguments.in_this_process:
        return report(arguments.device)
    return check_in_a_child(arguments.device)


def check_in_a_child(device: Optional[str]) -> int:
    """A driver may crash: that is a verdict too."""
    named = [device] if device else []
    code = subprocess.run([sys.executable, "-m", "plaidkeras", "check", "--in-this-process",
                           *named]).returncode
    if code < 0:
        print(f"{device or 'The device'} crashes: {signal.Signals(-code).name}. Update its "
              "driver, or take another device (llvm_cpu.0 is the CPU).", file=sys.stderr)
        return 1
    return code


def report(name: Optional[str]) -> int:
    """Print the error of each part and, last, the verdict."""
    try:
        device = install(name)
    except DeviceError as error:
        print(error, file=sys.stderr)
        return 1
    from plaidkeras import selftest

    print(device, flush=True)
    try:
        errors = selftest.errors()
    except Exception as error:  # PlaidML's own, or of a driver: whatever it is, a verdict
        print(f"{device.id} computes nothing: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    width = max(map(len, errors))
    for part, error in errors.items():
        print(f"  {part:{width}}  {error:7.1e}{'' if error < selftest.TOLERANCE else '  wrong'}")
    wrong = [part for part, error in errors.items() if not error < selftest.TOLERANCE]
    print(f"{device.id} computes " + (f"wrongly: {', '.join(wrong)}" if wrong else
                                      f"rightly: all {len(errors)} parts")
          + f" (errors as a part of the largest value; up to {selftest.TOLERANCE:g} is right).")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
