"""What programs read: the model card, the metrics, the structured data of the overview, the sitemap."""

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from report.output.render import render
from report.pages.study import Study
from report.settings import SiteSettings
from report.text.model_card import metrics, model_card


def metadata(card: str) -> dict:
    """The metadata at the card's head: YAML, whose values here are JSON."""
    _, head, _ = card.split("---\n", 2)
    return {key: json.loads(value) for key, value in (line.split(": ", 1) for line in head.splitlines())}


@pytest.mark.parametrize("how", [{}, {"source": "sample"}, {"folds": 4, "refit": False}, {"seeds": 3}])
def test_the_card_says_how_good_the_network_is(make_run, how):
    study = Study(make_run(**how))
    card = model_card(study)
    [result] = metadata(card)["model-index"][0]["results"]
    assert result["metrics"][0] == {"type": "accuracy", "name": "Accuracy", "value": study.evaluation.accuracy}
    assert set(result) == {"task", "dataset", "metrics"} and {"type", "name"} <= set(result["dataset"])
    assert ("bundled sample" in card) == study.sample


def test_the_metrics_are_those_of_the_evaluation(make_run):
    study = Study(make_run())
    found = json.loads(json.dumps(metrics(study)))
    assert found["validation"]["misclassified"] == study.evaluation.errors
    assert found["validation"]["accuracy_interval_95"] == list(study.evaluation.interval)
    assert [each["label"] for each in found["validation"]["classes"]] == list(range(10))
    low, high = found["submission"]["score_interval_95"]
    assert low < found["submission"]["accuracy"] <= high


@pytest.fixture
def site(make_run, tmp_path):
    def rendered(**how) -> Path:
        render(make_run(**how), tmp_path / "site", Path("no-notes"), SiteSettings(base_url="https://example.org/a&b/"))
        return tmp_path / "site"
    return rendered


def test_the_network_can_be_taken_away(site, make_run):
    downloads = site() / "downloads"
    with np.load(io.BytesIO((downloads / "weights.npz").read_bytes()), allow_pickle=False) as arrays:
        assert list(arrays.files) == ["conv1/kernel"]
    assert json.loads((downloads / "architecture.json").read_text())["config"]["layers"]
    assert (downloads / "model-card.md").read_text().startswith("---\n")


def test_large_networks_are_taken_away_in_half_the_bytes(site, monkeypatch):
    monkeypatch.setattr("report.pages.model.LARGEST", 0)
    folder = site()
    with np.load(folder / "downloads" / "weights.npz", allow_pickle=False) as arrays:
        assert arrays["conv1/kernel"].dtype == np.float16
    assert "kernels in float16" in (folder / "model.html").read_text()


def test_each_network_of_several_can_be_taken_away(site):
    found = {path.name for path in (site(seeds=2) / "downloads").glob("weights*")}
    assert found == {"weights-seed-333.npz", "weights-seed-334.npz"}


def test_search_engines_find_every_page_where_the_address_is_known(site):
    folder = site()
    tree = ElementTree.parse(folder / "sitemap.xml")
    found = [element.text for element in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    pages = {path.name for path in folder.glob("*.html")} - {"404.html"}
    assert set(found) == {f"https://example.org/a&b/{name}" for name in pages}
    assert "Sitemap: https://example.org/a&b/sitemap.xml" in (folder / "robots.txt").read_text()


def test_without_an_address_there_is_nothing_for_search_engines(made_site):
    assert not (made_site / "sitemap.xml").exists() and not (made_site / "robots.txt").exists()


def test_the_overview_has_structured_data(made_site):
    [found] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', (made_site / "index.html").read_text())
    about = json.loads(found)
    assert about["@context"] == "https://schema.org"
    assert [each["@type"] for each in about["@graph"]] == ["Dataset", "SoftwareApplication"]
    assert all(each["name"] and each["description"] for each in about["@graph"])
