"""PyTorch at float64, the reference of several test modules."""

import os

import pytest


def torch():
    """The module; where it is missing the test is skipped, or fails if REPORT_REQUIRE names it."""
    try:
        import torch
    except ImportError:
        reason = "PyTorch is not installed (pip install '.[torch]')"
        (pytest.fail if "torch" in os.environ.get("REPORT_REQUIRE", "") else pytest.skip)(reason)
    return torch
