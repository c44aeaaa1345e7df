"""The site in this repository is the one that this code makes of the bundled digits.

Refresh it with the README's first command: python -m report build
"""

import hashlib
import json
from pathlib import Path

import pytest

from report.output import sources

SITE = Path(__file__).parents[1] / "site"


@pytest.fixture(scope="module")
def marker():
    if not (SITE / "build.json").is_file():
        pytest.skip("no site/ has been made yet")
    return json.loads((SITE / "build.json").read_text(encoding="utf-8"))


def test_the_published_site_is_not_stale(marker):
    assert marker["made_from"]["sources"] == sources.fingerprint(), \
        "templates, notes, assets or code have changed: run python -m report build"


def test_the_published_site_is_as_it_was_made(marker):
    for path, digest in marker["files"].items():
        assert hashlib.sha256((SITE / path).read_bytes()).hexdigest() == digest, path


def test_the_published_site_is_that_of_the_sample(marker):
    assert "bundled sample" in (SITE / "index.html").read_text(encoding="utf-8")
