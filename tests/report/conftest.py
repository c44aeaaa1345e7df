"""A small made run, the site made from it, and a browser."""

from pathlib import Path

import pytest
import requirements
from made import write_run
from pages_as_trees import read_html

from digits.run import Run
from report.figures.drawing_cache import DrawingCache
from report.output.render import render
from report.output.template_cache import TemplateCache
from report.settings import SiteSettings


@pytest.fixture(scope="session", autouse=True)
def drawn_once(tmp_path_factory):
    """All tests share the drawings and translated templates, which take most of the time of a render."""
    class Shared(DrawingCache):
        def forget_unused(self):
            pass

    shared = Shared(tmp_path_factory.mktemp("drawings"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("report.pages.study.DrawingCache", lambda folder: shared)
        templates = TemplateCache(tmp_path_factory.mktemp("templates"), "")
        patch.setattr("report.output.render.TemplateCache", lambda folder, code: templates)
        yield


@pytest.fixture
def make_run(tmp_path):
    """make_run(misclassified=..., folds=..., ...) writes a run and reads it."""
    def make(folder="run", **changes) -> Run:
        return write_run(tmp_path / folder, **changes)
    return make


@pytest.fixture(scope="session")
def made_run(tmp_path_factory) -> Run:
    """A finished run of 200 drawn digits of which five are misclassified, and another one beside it.
    Read it, do not change it."""
    runs = tmp_path_factory.mktemp("runs")
    write_run(runs / "kaggle-earlier", misclassified=[(1, 7, 0.6)] * 6, fingerprint="earlier",
              finished="2025-02-01T12:00:00+00:00")
    return write_run(runs / "kaggle-0123456789", whole=True)


@pytest.fixture(scope="session")
def made_site(made_run, tmp_path_factory) -> Path:
    """The site of `made_run`. Read it, do not change it."""
    output = tmp_path_factory.mktemp("published") / "site"
    render(made_run, output, Path("no-notes"), SiteSettings())
    return output


@pytest.fixture(scope="session")
def browser():
    """Chromium; a test with this fixture is one that needs it (tests/conftest.py)."""
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=requirements.chromium(), args=[
            "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        # One page that stays open: starting and ending the last one costs a second each time.
        chromium.new_page()
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def read_page(made_site):
    """read_page("index") is that page of the made site as a tree."""
    return lambda name: read_html(made_site / f"{name}.html")
