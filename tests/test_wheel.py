"""The wheel in an empty environment and an empty folder, as somebody who installs it has it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command, **options):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_installed_wheel_builds_a_site_in_an_empty_folder(tmp_path):
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", tmp_path, ROOT)
    wheel, = tmp_path.glob("plaidml_report-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("templates", "assets"):
        for path in (ROOT / folder).rglob("*"):
            assert path.is_dir() or f"report/{path.relative_to(ROOT).as_posix()}" in names

    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(python, "-m", "pip", "install", wheel)
    empty = tmp_path / "empty"
    empty.mkdir()
    said = run(python, "-m", "report", "build", "--epochs", "1", "--refit-epochs", "0", cwd=empty)
    assert "1,797 digits" in said
    assert (empty / "site" / "index.html").is_file()
    assert (empty / "site" / "downloads" / "submission.csv").read_text().startswith("ImageId,Label")
