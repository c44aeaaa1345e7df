"""Runs Keras's test files, each in a process of its own, and compares what failed with the list.

pytest-xdist replaces a worker that crashes and goes on with the next test, so that one abort costs
one test; pytest-timeout ends one that hangs. Their verdicts are in pytest's own JUnit files.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
LIST = HERE / "known_failures.toml"
SECONDS_A_TEST = 900  # the slowest takes 90 on two cores that nothing else uses
PASSED, FAILED, CRASHED, SKIPPED = "passed", "failed", "crashed", "skipped"

Outcomes = dict[str, str]  # of "tests/keras/losses_test.py::TestLosses::test_cce", one of the above


def listed(path: Path = LIST) -> tuple[dict[str, str], dict[str, str]]:
    """The tests that are known to fail and the files that are left out, with the reason of each."""
    with path.open("rb") as file:
        content = tomllib.load(file)
    return ({f"{file}::{test}": reason for reason, files in content["fails"].items()
             for file, tests in files.items() for test in tests},
            {file: reason for reason, files in content["left_out"].items() for file in files})


def test_files(checkout: Path, left_out=()) -> list[str]:
    """The files of tests in a checkout of Keras, relative to it. Raises FileNotFoundError."""
    found = sorted({path.relative_to(checkout).as_posix() for pattern in ("test_*.py", "*_test.py")
                    for path in (checkout / "tests").rglob(pattern)})
    if not found:
        raise FileNotFoundError(f"{checkout} has no tests/: give the path of a checkout of "
                                f"keras-team/keras at tag 2.2.4")
    return [file for file in found if file not in left_out]


def run(checkout: Path, file: str, results: Path, stock: bool = False) -> Outcomes:
    """The outcomes of the tests of one file; results/ keeps pytest's report, and spares a rerun."""
    report = results.resolve() / f"{file.replace('/', '.')}.xml"
    if not report.exists():
        scratch = report.with_suffix("")  # some tests write where they are
        scratch.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")]),
            "KERAS_SUITE_STOCK": "1" if stock else ""}
        with report.with_suffix(".log").open("w") as log:
            subprocess.run(
                [sys.executable, "-m", "pytest", str(checkout.resolve() / file), "-c", os.devnull,
                 f"--rootdir={checkout.resolve()}", "-p", "tests.keras_suite.backend", "-n", "1",
                 "--max-worker-restart=1000", f"--timeout={SECONDS_A_TEST}",
                 "--timeout-method=thread", "-p", "no:cacheprovider", "-o", "junit_family=xunit1",
                 f"--junitxml={report}"],
                cwd=scratch, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    return dict(outcomes(report, file))


def outcomes(report: Path, file: str) -> Iterator[tuple[str, str]]:
    """The tests of a JUnit report with their outcomes; one that cannot be collected is its file."""
    module = file.removesuffix(".py").replace("/", ".")
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "")
        # xdist names a test that crashed by its path; pytest by module and class, dots between.
        classes = case.get("classname", "").removeprefix(module).strip(".").split(".")
        test = name.split("::", 1)[-1] if "::" in name else "::".join([*filter(None, classes), name])
        fault = case.find("failure") if case.find("failure") is not None else case.find("error")
        if fault is None:
            verdict = PASSED if case.find("skipped") is None else SKIPPED
        else:
            crashed = "crashed while running" in (fault.get("message") or "") + (fault.text or "")
            verdict = CRASHED if crashed else FAILED
        yield f"{file}::{test}", verdict


def surprises(found: Outcomes, known: dict[str, str]) -> list[str]:
    """What differs from the list: failures and crashes that it lacks, what it has and passes."""
    names = sorted(found.keys() | known.keys())
    return [f"{name} {found.get(name, 'does not exist')}, "
            + ("but known_failures.toml says it fails" if name in known else "as it should not")
            for name in names
            if (name in known) != (found.get(name) in (FAILED, CRASHED))
            or found.get(name) == CRASHED]
