"""Waiting for what another process does, or for its end."""

import time
from pathlib import Path

import pytest


def wait_until(holds, seconds=60):
    """What `holds` returns, once that is true."""
    for _ in range(seconds * 20):
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail("what was waited for never came")


def is_running(pid: int) -> bool:
    """An orphan that has ended may stay a zombie, where nobody takes note of it."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
