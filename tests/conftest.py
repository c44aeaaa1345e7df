"""Options that several packages' tests share."""

import os
import signal

import pytest
import requirements
from hypothesis import HealthCheck, settings

# Examples are drawn the same way each time: few, or many by --hypothesis-profile thorough.
settings.register_profile("quick", deadline=None, database=None, derandomize=True, max_examples=20,
                          suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=400)
settings.load_profile("quick")

# What a script starts with `&` ignores Ctrl-C, and so do its children; tests send it to theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--refresh-golden", action="store_true",
                     help="write what the made run's site says as the golden site")


def pytest_configure(config):
    """Programs that tests compile are kept with pytest's own cache, if it has one."""
    if config.pluginmanager.has_plugin("cacheprovider"):
        programs = config.cache.mkdir("programs")
        programs.chmod(0o700)  # others may write into what is made for a group
        os.environ.setdefault("PLAIDKERAS_CACHE", str(programs))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(3600))
        if "browser" in item.fixturenames:
            item.add_marker(pytest.mark.needs("chromium"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    required = os.environ.get("REPORT_REQUIRE", "").split(",")
    for name in [name for marker in item.iter_markers("needs") for name in marker.args]:
        is_there, remedy = requirements.NEEDS[name]
        if not is_there():
            (pytest.fail if name in required else pytest.skip)(f"{name} is not installed ({remedy})")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Two processes share the tests, a file at a time. What trains stays in one of them: a training
    takes all cores, and two at a time cost twice the work."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            trains = file.startswith("tests/digits/") and "data" not in file
            return "tests/digits" if trains else file
    return Scheduling(config, log)
