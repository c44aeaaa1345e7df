"""Keras's own tests: what fails is what the list says; and the runner, on a suite of five tests."""

import os
from pathlib import Path

import pytest

from tests.keras_suite import suite

SUITE = """
import keras.backend as K, os, pytest

def test_passes():
    assert K.backend() == "plaidml"

def test_fails():
    raise ValueError("crashed, but not the process")

def test_aborts():
    os.abort()

class TestAfterwards:
    @pytest.mark.parametrize("number", [1, 2])
    def test_goes_on(self, number):
        assert number == 1

    @pytest.mark.skip
    def test_is_left(self):
        pass
"""
FILE = "tests/keras/some_test.py"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    file = folder / "checkout" / FILE
    file.parent.mkdir(parents=True)
    file.write_text(SUITE)
    (file.parent / "broken_test.py").write_text("import no_such_module")
    return {name: outcome for each in suite.test_files(folder / "checkout")
            for name, outcome in suite.run(folder / "checkout", each, folder / "results").items()}


@pytest.mark.slow
def test_an_abort_costs_one_test(outcomes):
    assert outcomes == {
        "tests/keras/broken_test.py::tests.keras.broken_test": suite.FAILED,
        f"{FILE}::test_passes": suite.PASSED,
        f"{FILE}::test_fails": suite.FAILED,
        f"{FILE}::test_aborts": suite.CRASHED,
        f"{FILE}::TestAfterwards::test_goes_on[1]": suite.PASSED,
        f"{FILE}::TestAfterwards::test_goes_on[2]": suite.FAILED,
        f"{FILE}::TestAfterwards::test_is_left": suite.SKIPPED,
    }


def test_failures_passes_and_crashes_that_the_list_does_not_tell_are_surprises():
    found = {"as listed": suite.FAILED, "fine": suite.PASSED, "mended": suite.PASSED,
             "new": suite.FAILED, "aborts": suite.CRASHED, "left": suite.SKIPPED}
    known = dict.fromkeys(("as listed", "mended", "aborts", "gone"), "a reason")
    assert [line.split(", ")[0] for line in suite.surprises(found, known)] == [
        "aborts crashed", "gone does not exist", "mended passed", "new failed"]


def test_a_folder_without_tests_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="tag 2.2.4"):
        suite.test_files(tmp_path)


def test_each_known_failure_has_a_reason():
    known, left_out = suite.listed()
    assert all(name.startswith("tests/") and "::" in name and reason for name, reason in known.items())
    assert all(file.endswith(".py") and reason for file, reason in left_out.items())


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.skipif("KERAS_CHECKOUT" not in os.environ, reason=(
    "KERAS_CHECKOUT=path of keras-team/keras at tag 2.2.4, and an hour: "
    "KERAS_CHECKOUT=... python -m pytest -m slow tests/keras_suite"))
def test_what_fails_of_keras_own_tests_is_what_the_list_says(tmp_path):
    checkout = Path(os.environ["KERAS_CHECKOUT"])
    known, left_out = suite.listed()
    found = {}
    for file in suite.test_files(checkout, left_out):
        found |= suite.run(checkout, file, tmp_path)
    assert suite.surprises(found, known) == []
