"""The process that has PlaidML: `python -m digits.member_process FOLDER --dataset FILE --recipe JSON`.

Started by `member.py`. What PlaidML and Keras have to say is kept in the folder as log.txt; standard
output is for the one message of a training that failed.
"""

import argparse
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

import plaidkeras
from digits.member import TrainingFault
from digits.recipe import Recipe
from digits.run import FINISHED, DeviceFacts, Member, now, write_record


def main() -> int:
    parser = argparse.ArgumentParser(prog="digits.member_process")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--recipe", type=Recipe.model_validate_json, required=True)
    parser.add_argument("--device")
    parser.add_argument("--insist", action="store_true")
    options = parser.parse_args()
    _end_with_the_parent()
    answer = _own_stdout()
    try:
        train(options)
        return 0
    except Exception as error:
        traceback.print_exc()
        print(_message(error, options.folder), end="", file=answer, flush=True)
        return 1


def train(options) -> None:
    """Takes the member from "training" to "finished": its record is written last of all."""
    device = plaidkeras.install(options.device)
    path = options.folder / "member.json"
    record = Member(options.folder).record.model_copy(update={"started": now(), "device": DeviceFacts(
        id=device.id, description=device.description, reason=device.reason)})
    write_record(path, record)
    from digits import fitting  # imports keras, which needs PlaidML to be installed
    from plaidkeras import selftest

    warnings = []
    try:
        selftest.check()
    except plaidkeras.DeviceError as error:  # it computes wrong numbers
        if not options.insist:
            raise
        warnings.append(str(error))
    seconds = fitting.train(options.folder, options.dataset, options.recipe, record.seed,
                            options.insist, warnings)
    write_record(path, record.model_copy(update={
        "status": FINISHED, "finished": now(), "seconds": seconds, "warnings": tuple(warnings)}))


def _message(error: Exception, folder: Path) -> str:
    if isinstance(error, (plaidkeras.DeviceError, TrainingFault)):
        return str(error)  # these explain themselves
    if isinstance(error, OSError):
        return (f"{folder}: cannot be written ({error.strerror or error}); free some space there. The "
                "same command then goes on from the last finished epoch")
    return f"{type(error).__name__}: {error} (more in {folder / 'log.txt'})"


def _end_with_the_parent() -> None:
    """Ends this process as soon as its parent has ended, however it ended: the parent holds the
    other end of standard input. Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait():
        while os.read(0, 1024):
            pass
        os._exit(1)
    threading.Thread(target=wait, daemon=True).start()


def _own_stdout():
    """Standard output for this module alone; all else that is printed, from Python or native code,
    goes to standard error."""
    sys.stdout.flush()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer


if __name__ == "__main__":
    sys.exit(main())
