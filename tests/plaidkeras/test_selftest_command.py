"""`python -m plaidkeras selftest`: one clear verdict on a device, and the exit code that fits."""

import os
import subprocess
import sys

import pytest
from test_opencl import DEVICE, oclgrind

from plaidkeras import __main__ as command
from plaidkeras import processor, selftest


def plaidkeras(*arguments, folder=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "plaidkeras", *arguments], cwd=folder, capture_output=True,
        text=True, env={**os.environ, "PLAIDML_DEVICE_IDS": "", **environment})


def test_a_device_that_computes_correctly_passes(tmp_path):
    result = plaidkeras("selftest", "llvm_cpu.0", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    first, *parts, verdict = result.stdout.splitlines()
    assert first == f"llvm_cpu.0 ({processor.described()}): asked for"
    assert len(parts) == 8 and parts[0].split()[:2] == ["the", "convolution"]
    assert all(float(part.split()[-1]) < 1e-4 for part in parts)
    assert verdict.startswith("llvm_cpu.0: self-test passed: all 8 parts (errors")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.needs("oclgrind")
def test_a_simulated_gpu_passes(tmp_path):
    result = plaidkeras("selftest", DEVICE, **oclgrind(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{DEVICE}: self-test passed" in result.stdout


def test_an_unknown_device_is_one_message_that_lists_the_known_ones():
    result = plaidkeras("selftest", "opencl_moon.0")
    assert (result.returncode, result.stdout) == (1, "")
    (message,) = result.stderr.splitlines()
    assert message.startswith("Device 'opencl_moon.0' (asked for) is not here. PlaidML sees: ")
    assert "llvm_cpu.0" in message


def test_wrong_parts_are_named_and_fail(monkeypatch, capsys):
    monkeypatch.setattr(selftest, "errors", lambda: {"the softmax": 1e-7, "the loss": float("nan")})
    assert command.report("llvm_cpu.0") == 1
    _, right, wrong, verdict = capsys.readouterr().out.splitlines()
    assert right.endswith("1.0e-07") and wrong.endswith("nan  wrong")
    assert verdict.startswith("llvm_cpu.0: self-test failed: the loss (")


def test_a_device_that_computes_nothing_fails(monkeypatch, capsys):
    def broken():
        raise OSError("out of resources")

    monkeypatch.setattr(selftest, "errors", broken)
    assert command.report("llvm_cpu.0") == 1
    assert capsys.readouterr().err.startswith(
        "llvm_cpu.0: self-test failed: OSError: out of resources. Update its driver, or take ")


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_crash_is_a_verdict_too(monkeypatch, capsys):
    crash = [sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"]
    monkeypatch.setattr(command.subprocess, "run", lambda _, run=subprocess.run: run(crash))
    assert command.test_in_a_child("opencl_bad.0") == 1
    assert capsys.readouterr().err.startswith("opencl_bad.0 crashes: SIGSEGV. Update its driver")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("selftest", "--help")])
def test_it_explains_itself(arguments):
    result = plaidkeras(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: python -m plaidkeras")


@pytest.mark.parametrize("arguments", [("selftset",), ("selftest", "llvm_cpu.0", "gpu"), ("--gpu",)])
def test_wrong_usage_ends_with_two(arguments):
    assert plaidkeras(*arguments).returncode == 2
