"""Imports run one way: report -> digits -> plaidkeras; and rendering stays free of PlaidML."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imported_by(package: Path) -> set:
    """The top-level names that any module of a package imports, anywhere in its text."""
    names = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package, forbidden", [
    ("report", {"keras", "plaidml", "plaidkeras"}),
    ("src/digits", {"report"}),
    ("src/plaidkeras", {"report", "digits"}),
])
def test_imports_run_one_way(package, forbidden):
    assert not imported_by(ROOT / package) & forbidden


def test_all_of_report_loads_without_what_trains():
    program = """
import importlib, pkgutil, sys, report
for module in pkgutil.walk_packages(report.__path__, "report."):
    if module.name != "report.__main__":
        importlib.import_module(module.name)
loaded = {name.split(".")[0] for name in sys.modules}
assert {"jinja2", "digits"} <= loaded
assert not loaded & {"keras", "plaidml", "scipy", "sklearn", "pandas"}, loaded
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_help_of_every_command_loads_nothing_heavy():
    program = """
import sys
from report import cli
for arguments in ([], *([name] for name in cli.commands.commands)):
    assert cli.main([*arguments, "--help"]) == 0
heavy = {"numpy", "pandas", "matplotlib", "jinja2", "pydantic", "rich"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
