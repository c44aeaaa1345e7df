"""`report doctor`: its exit code, lines to search in where it is piped, a table on a terminal."""

import io

import pytest
from click.testing import CliRunner
from rich.console import Console

from report.commands import doctor
from report.errors import ReportError

GOOD = {"state": "ok", "text": "llvm_cpu.0 (AMD EPYC): self-test passed", "mend": "",
        "usable": True}
BAD = {"state": "FAULT", "text": "driver [red]a\x1b.icd names nothing", "mend": "remove it",
       "usable": False}


@pytest.fixture
def found(monkeypatch):
    """What plaidkeras.doctor finds."""
    made = []
    monkeypatch.setattr(doctor, "findings", lambda device: iter(made))
    return made


def test_piped_each_finding_is_a_line_and_its_mend_another(found):
    found += [BAD, GOOD]
    result = CliRunner().invoke(doctor.doctor)
    assert (result.exit_code, result.output.splitlines()) == (0, [
        "FAULT  driver [red]a\\x1b.icd names nothing", "       -> remove it",
        "   ok  llvm_cpu.0 (AMD EPYC): self-test passed"])


def test_without_a_usable_device_the_command_fails(found):
    found += [BAD, {**GOOD, "usable": False}]
    result = CliRunner().invoke(doctor.doctor)
    assert result.exit_code == 1
    assert "no device can be used" in str(result.exception) + result.output


def test_on_a_terminal_long_findings_stay_in_their_column():
    terminal = Console(file=io.StringIO(), force_terminal=True, width=40, color_system="standard",
                       highlight=False)
    doctor.show(terminal, BAD)
    doctor.show(terminal, {**GOOD, "text": "word " * 12})
    shown = terminal.file.getvalue()
    assert "\x1b[1;31mFAULT\x1b[0m" in shown and "[red]a\\x1b.icd" in shown
    plain = Console(file=io.StringIO(), force_terminal=True, width=40, color_system=None)
    doctor.show(plain, {**GOOD, "text": "word " * 12})
    assert all(line.startswith("       ") for line in plain.file.getvalue().splitlines()[1:])


@pytest.fixture
def plaidkeras_doctor(monkeypatch, tmp_path):
    """A program in the place of plaidkeras.doctor."""
    (tmp_path / "plaidkeras").mkdir()
    (tmp_path / "plaidkeras" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return (tmp_path / "plaidkeras" / "doctor.py").write_text


def test_findings_are_those_of_plaidkeras(plaidkeras_doctor):
    plaidkeras_doctor("import json, sys\nprint(json.dumps({'text': sys.argv[1:]}))")
    assert list(doctor.findings("gpu.0")) == [{"text": ["gpu.0"]}]
    assert list(doctor.findings(None)) == [{"text": []}]


def test_a_failure_of_plaidkeras_doctor_is_told(plaidkeras_doctor):
    plaidkeras_doctor("import sys; sys.exit(3)")
    with pytest.raises(ReportError, match="plaidkeras.doctor ended with 3"):
        list(doctor.findings(None))


@pytest.mark.timeout(30)
def test_a_command_that_is_stopped_does_not_wait_for_plaidkeras_doctor(plaidkeras_doctor):
    plaidkeras_doctor("import time\nprint('{}', flush=True)\ntime.sleep(60)")
    begun = doctor.findings(None)
    next(begun)
    begun.close()
