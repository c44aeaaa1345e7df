"""`report doctor`: its exit code, lines to search in where it is piped, a table on a terminal."""

import io
import sys
from types import SimpleNamespace

import pytest
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


def test_piped_each_finding_is_a_line_and_its_mend_another(found, capsys):
    found += [BAD, GOOD]
    doctor.run(SimpleNamespace(device=None))
    assert capsys.readouterr().out.splitlines() == [
        "FAULT  driver [red]a\\x1b.icd names nothing", "       -> remove it",
        "   ok  llvm_cpu.0 (AMD EPYC): self-test passed"]


def test_without_a_usable_device_the_command_fails(found):
    found += [BAD, {**GOOD, "usable": False}]
    with pytest.raises(ReportError, match="no device can be used"):
        doctor.run(SimpleNamespace(device=None))


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


def test_findings_are_those_of_plaidkeras_and_a_failure_of_it_is_told(monkeypatch, tmp_path):
    (tmp_path / "plaidkeras").mkdir()
    (tmp_path / "plaidkeras" / "__init__.py").touch()
    program = tmp_path / "plaidkeras" / "doctor.py"
    program.write_text("import json, sys\nprint(json.dumps({'text': sys.argv[1:]}))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert list(doctor.findings("gpu.0")) == [{"text": ["gpu.0"]}]
    assert list(doctor.findings(None)) == [{"text": []}]
    program.write_text("import sys; sys.exit(3)")
    with pytest.raises(ReportError, match="plaidkeras.doctor ended with 3"):
        list(doctor.findings(None))


def test_a_command_that_is_stopped_ends_the_doctor(monkeypatch):
    monkeypatch.setattr(doctor, "subprocess", SimpleNamespace(
        DEVNULL=-3, PIPE=-1, Popen=Endless))
    begun = doctor.findings(None)
    next(begun)
    begun.close()
    assert Endless.terminated


class Endless:
    """A child process that goes on finding something until it is terminated."""

    terminated, returncode = False, None

    def __init__(self, command, **given):
        assert command[:3] == [sys.executable, "-m", "plaidkeras.doctor"]
        self.stdout = iter(lambda: '{"text": "another"}', None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def terminate(self):
        Endless.terminated = True
