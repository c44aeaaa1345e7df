"""What is said where PlaidML is not there."""

from pathlib import Path

import pytest

from report import platforms
from report.errors import ReportError


def refusal(monkeypatch, system, machine) -> str:
    monkeypatch.setattr(platforms, "find_spec", lambda name: None)
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(ReportError) as caught:
        platforms.require_plaidml()
    return str(caught.value)


@pytest.mark.parametrize("system, machine, here, rosetta", [
    ("Darwin", "arm64", "macOS on arm64", True), ("Linux", "aarch64", "Linux on aarch64", False),
    ("Windows", "ARM64", "Windows on ARM64", False), ("Windows", "x86", "Windows on x86", False)])
def test_a_machine_without_a_build_is_told_where_to_train(monkeypatch, system, machine, here, rosetta):
    message = refusal(monkeypatch, system, machine)
    assert f"PlaidML has no build for this machine ({here}), only for x86-64" in message
    assert "docker run --platform linux/amd64" in message and "copy its runs/ here" in message
    assert ("Rosetta" in message) == rosetta


def test_a_machine_with_a_build_is_told_to_install_it(monkeypatch):
    assert "pip install plaidml==0.7.0" in refusal(monkeypatch, "Linux", "x86_64")


def test_where_plaidml_is_there_nothing_is_said():
    platforms.require_plaidml()


def test_plaidml_is_required_where_it_has_a_build_and_nowhere_else():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    marker = " or ".join(f"platform_machine == '{name}'" for name in platforms.WITH_BUILD)
    for name in ("plaidml", "plaidml-keras"):
        assert f'"{name}==0.7.0; {marker}"' in project
