"""`python -m plaidkeras selftest [DEVICE]`: does a device of PlaidML compute correctly?"""

import argparse
import signal
import subprocess
import sys

from plaidkeras import DeviceError, install


def main() -> int:
    """0 if the self-test passes, 1 if it fails or the device is not there; argparse ends with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m plaidkeras", description="Keras 2.2.4 on PlaidML 0.7.0. In a program: "
        "import plaidkeras; plaidkeras.install(); and only then import keras.")
    commands = parser.add_subparsers(title="commands", dest="command")
    selftest = commands.add_parser(
        "selftest", help="compute a small network on a device and compare it with NumPy",
        description="Computes a small network, forward and backward, on a device of PlaidML, and "
        "compares each part with NumPy's result. Ends with 0 if all are correct, else 1.")
    selftest.add_argument("device", nargs="?", metavar="DEVICE", help="such as llvm_cpu.0 "
                          "(default: that of PLAIDML_DEVICE_IDS, else a GPU, else the CPU)")
    selftest.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.print_help()
        return 0
    if arguments.in_this_process:
        return report(arguments.device)
    return test_in_a_child(arguments.device)


def test_in_a_child(device: str | None) -> int:
    """Run the self-test in a process of its own: a driver that crashes has failed it too."""
    named = [device] if device else []
    code = subprocess.run([sys.executable, "-m", "plaidkeras", "selftest", "--in-this-process",
                           *named]).returncode
    if code < 0:
        print(f"{device or 'The device'} crashes: {signal.Signals(-code).name}. Update its "
              "driver, or take another device (llvm_cpu.0 is the CPU).", file=sys.stderr)
        return 1
    return code


def report(name: str | None) -> int:
    """Print the error of each part and, last, whether the self-test passed."""
    try:
        device = install(name)
    except DeviceError as error:
        print(error, file=sys.stderr)
        return 1
    from plaidkeras import selftest

    print(device, flush=True)
    try:
        errors = selftest.errors()
    except Exception as error:  # whatever PlaidML or a driver raises, the device is not usable
        print(f"{device.id}: self-test failed: {type(error).__name__}: {error}. Update its driver, "
              "or take another device (llvm_cpu.0 is the CPU).", file=sys.stderr)
        return 1
    width = max(map(len, errors))
    for part, error in errors.items():
        print(f"  {part:{width}}  {error:7.1e}{'' if error < selftest.TOLERANCE else '  wrong'}")
    wrong = [part for part, error in errors.items() if not error < selftest.TOLERANCE]
    result = f"failed: {', '.join(wrong)}" if wrong else f"passed: all {len(errors)} parts"
    print(f"{device.id}: self-test {result} (errors relative to the largest value; up to "
          f"{selftest.TOLERANCE:g} is accepted).")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
