"""Fixtures and options that several packages' tests share."""


def pytest_addoption(parser):
    parser.addoption("--refresh-golden", action="store_true",
                     help="write what the made run's site says as the golden site")
