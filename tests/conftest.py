"""Fixtures and options that several packages' tests share."""


import pytest


def pytest_addoption(parser):
    parser.addoption("--refresh-golden", action="store_true",
                     help="write what the made run's site says as the golden site")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Two processes share the tests, a file at a time; what needs the trained run stays together,
    so that it is trained once."""
    for item in items:
        trained = "tiny" in item.fixturenames
        item.add_marker(pytest.mark.xdist_group("tiny" if trained else item.nodeid.split("::")[0]))
