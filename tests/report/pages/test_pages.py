"""The pages of the made site, read as trees."""

import csv
import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import html5lib
import numpy as np
import pytest
from PIL import Image
from made import MISCLASSIFIED, TEST, VALIDATION
from pages_as_trees import NAMES, read_html, text_of

from digits import recipes
from digits.evaluation import Evaluation
from digits.run import DataFacts, DeviceFacts, RunError
from report.errors import ReportError
from report.figures.drawing_cache import DrawingCache
from report.output.bundle import Bundle
from report.output.render import render
from report.pages import results, submission
from report.pages.study import Study
from report.settings import SiteSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCRIPTS = "site.js", "dial.js", "quiz.js", "draw/ink.js", "draw/network.js", "draw/pad.js", "draw/page.js"
TABLES = "history", "confusion", "predictions", "embedding", "suspected-labels"


def files_of(site: Path) -> dict:
    return {path.relative_to(site).as_posix(): path.read_bytes()
            for path in site.rglob("*") if path.is_file()}


def rendered(run, folder: Path, notes=Path("no-notes"), **settings) -> Path:
    render(run, folder, notes, SiteSettings(**settings))
    return folder


def test_the_site_has_every_page_and_download(made_site):
    assert {path.name for path in made_site.iterdir()} == {
        "index.html", "data.html", "model.html", "training.html", "results.html", "misclassified.html",
        "labels.html", "handwriting.html", "activations.html", "draw.html", "draw", "submission.html",
        "augmentation.html", "reproduce.html", "runs.html", "quiz.html", "quiz.js", "dial.js",
        "404.html", "favicon.svg", "style.css", "site.js", ".nojekyll", "build.json", "downloads",
        "images"}
    assert {path.name for path in (made_site / "downloads").iterdir()} == {
        "submission.csv", "architecture.json", "constraints.txt", "metrics.json", "model-card.md", "weights.npz",
        *(f"{name}.{kind}" for name in TABLES for kind in ("csv", "json"))}


@pytest.mark.parametrize("name", NAMES)
def test_every_page_says_what_it_is_and_where_one_is(read_page, name):
    page = read_page(name)
    assert page.get("lang") == "en"
    assert text_of(page.find(".//title")).endswith("– Reading handwritten digits")
    assert page.find(".//meta[@name='description']").get("content")
    assert page.find(".//meta[@name='viewport']") is not None
    assert page.find(".//a[@class='skip']").get("href") == "#content"
    assert len(page.findall(".//main[@id='content']")) == len(page.findall(".//h1")) == 1
    assert [link.get("href") for link in page.findall(".//header//a[@aria-current]")] == \
        ([f"{name}.html"] if name != "404" else [])


@pytest.mark.parametrize("name", NAMES)
def test_every_page_keeps_the_strict_policy(read_page, name):
    page = read_page(name)
    policy = page.find(".//meta[@http-equiv='Content-Security-Policy']").get("content")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for element in page.iter():
        assert element.tag != "style"
        assert element.tag != "script" or element.get("src") in SCRIPTS or "json" in element.get("type")
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("name", NAMES)
def test_every_page_can_be_read_without_seeing_it(read_page, name):
    page = read_page(name)
    for image in page.findall(".//img"):
        assert image.get("alt") and image.get("width") and image.get("height")
    for drawing in page.findall(".//svg"):
        assert drawing.get("aria-hidden") or drawing.get("role") in ("img", "group") and drawing.get("aria-label")
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    levels = [int(element.tag[1]) for element in page.iter() if element.tag in ("h1", "h2", "h3")]
    assert all(below <= above + 1 for above, below in zip([0, *levels], levels))


def test_every_link_and_anchor_inside_the_site_resolves(made_site, read_page):
    trees = {f"{name}.html": read_page(name) for name in NAMES}
    anchors = {path: {element.get("id") for element in tree.iter()} for path, tree in trees.items()}
    for path, tree in trees.items():
        for element in tree.iter():
            target = element.get("href") or element.get("src")
            if element.tag in ("meta", "use") or not target or target.startswith(("https://github", "https://www.kaggle")):
                continue
            file, anchor = urldefrag(unquote(target))
            file = file or path
            assert (made_site / file).is_file(), f"{path} links to {target}"
            assert not anchor or anchor in anchors[file], f"{path} links to {target}"


@pytest.mark.slow
def test_rendering_twice_gives_the_same_bytes(made_run, made_site, tmp_path, monkeypatch):
    monkeypatch.setattr("report.pages.study.DrawingCache", lambda folder: DrawingCache())  # all drawn anew
    assert files_of(rendered(made_run, tmp_path / "again")) == files_of(made_site)


def test_the_tables_show_corners_and_some_of_the_middle_as_in_the_files(read_page, made_run):
    train, test = read_page("data").findall(".//section[@aria-labelledby='tables']//table")
    header = [text_of(cell) for cell in train.findall(".//thead//th")]
    assert header[1:] == ["label", "pixel0", "…", "pixel402", "pixel403", "pixel404", "pixel405", "…", "pixel783"]
    for table, stored, places in ((train, made_run.data.train_head, [0, 1, *range(403, 407), 784]),
                                  (test, made_run.data.test_head, [0, *range(402, 406), 783])):
        cells = [text_of(cell) for cell in table.findall(".//tbody/tr")[0].findall("td")]
        assert [int(cell) for cell in cells if cell != "…"] == stored[0][places].tolist()
    assert len(train.findall(".//tbody/tr")) == len(test.findall(".//tbody/tr")) == 5
    assert [text_of(row.find("td")) for row in train.findall(".//tbody/tr")] == list("01234")


def test_a_row_is_shown_as_the_numbers_that_it_is(read_page, made_run):
    picture = read_page("data").find(".//svg[@class='pixels']")
    shown = {(int(text.get("x")) // 20, int(text.get("y")) // 20): int(text.text) for text in picture.findall("text")}
    image = made_run.data.first_images[0]
    assert shown == {(column, row): image[row, column] for row, column in zip(*image.nonzero())}


def test_the_six_digits_are_rows_3_to_8_with_their_labels(read_page):
    captions = read_page("data").findall(".//ul[@class='six']//figcaption")
    assert [text_of(caption) for caption in captions] == [f"{row} row {row}" for row in range(3, 9)]


def test_the_class_table_counts_every_row_once(read_page):
    rows = read_page("data").findall(".//section[@aria-labelledby='balance']//tbody/tr")
    counts = [[int(text_of(row.findall("td")[column])) for column in (0, 2)] for row in rows]
    assert sum(fit for fit, _ in counts) == 140 and sum(held for _, held in counts) == VALIDATION


def test_the_model_page_has_all_16_layers_and_the_notebooks_totals(read_page):
    page = read_page("model")
    assert len(page.findall(".//tbody/tr")) == 16
    assert len(page.findall(".//svg[@class='diagram']/g")) == 17  # the image before them
    totals = [text_of(page.findall(".//tfoot//td")[column]) for column in (4, 7)]
    assert totals == ["2,839,274", "2,817,578"]


def test_fit_and_refit_are_shown_with_their_best_epoch(read_page):
    page = read_page("training")
    assert [text_of(row.find("th")) for row in page.findall(".//tr[@class='best']")] == \
        ["3 best", "2 best"]
    assert len(page.findall(".//svg[@class='chart']")) == 4


def test_a_run_without_refit_speaks_of_none(make_run, tmp_path):
    site = rendered(make_run(refit=False), tmp_path / "site")
    assert read_html(site / "training.html").find(".//h2[@id='refit']") is None
    assert "refit" not in text_of(read_html(site / "index.html").find(".//main"))


def test_a_stage_of_one_epoch_is_a_sentence_and_no_curve(make_run, tmp_path):
    site = rendered(make_run(recipe={"epochs": 1, "refit": {"epochs": 2}}), tmp_path / "site")
    page = (site / "training.html").read_text()
    assert page.count("There was one epoch, so there is no curve") == 1
    assert page.count('class="chart"') == 2  # of the refit


def test_the_confusion_matrix_adds_up_and_leads_to_its_digits(read_page):
    cells = read_page("results").findall(".//table[@class='matrix']//td")
    first_lines = [text_of(cell).split()[0] for cell in cells]
    assert len(cells) == 100 and sum(map(int, first_lines)) == VALIDATION
    links = [cell.find("a").get("href") for cell in cells if cell.find("a") is not None]
    assert sorted(links) == sorted({f"misclassified.html#true-{true}-predicted-{predicted}"
                                    for true, predicted, _ in MISCLASSIFIED})


def test_every_misclassified_digit_is_shown_the_most_confident_first(read_page):
    shown = read_page("misclassified").findall(".//ul[@class='misclassified']/li")
    marks = [text_of(item.find(".//p[@class='mark']")) for item in shown]
    confident_first = sorted(MISCLASSIFIED, key=lambda each: -each[2])
    assert marks == [f"{predicted} {true}" for true, predicted, _ in confident_first]
    # The line on which bars stand, and those that are high enough to be seen: the predicted and the true label's.
    assert [path.get("d").count("M") for path in shown[0].findall(".//path")] == [1, 1, 1]
    assert "9 with 97.0%" in shown[0].find(".//svg").get("aria-label")


def test_a_run_without_misclassified_digits_says_so(make_run, tmp_path):
    site = rendered(make_run(misclassified=[], refit=False), tmp_path / "site")
    page = read_html(site / "misclassified.html")
    assert "all 60 validation digits" in text_of(page.find(".//main"))
    assert text_of(read_html(site / "index.html").find(".//p[@class='answer']")).startswith("100.00%")


def test_beyond_a_limit_misclassified_digits_are_shown_small(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr("report.pages.misclassified.LARGE", 2)
    page = read_html(rendered(make_run(), tmp_path / "site") / "misclassified.html")
    assert len(page.findall(".//ul[@class='misclassified']/li")) == 2
    assert len(page.findall(".//ul[@class='smalls']/li")) == 3


def test_predictions_that_misclassify_other_rows_than_were_stored_are_damaged(make_run):
    run = make_run()
    (run.folder / "misclassified.npz").write_bytes(
        (make_run("other", misclassified=[(1, 7, 0.6)]).folder / "misclassified.npz").read_bytes())
    with pytest.raises(RunError, match="misclassified.npz: damaged"):
        Study(run)


def test_activations_show_32_channels_and_the_last_layer_as_bars(made_site, read_page):
    page = read_page("activations")
    opened = page.findall(".//details[@class='watched']")
    assert [text_of(digit.find("summary")) for digit in opened] == ["A 0 row 10", "A 1 row 11"]
    assert [digit.get("open") for digit in opened] == ["", None]
    with Image.open(made_site / "images/activations/row-10/conv1.png") as sheet:
        assert sheet.size == (8 * 28 - 2, 4 * 28 - 2)
    assert len(page.findall(".//svg[@class='bars']")) == 2


def test_the_submission_passes_its_checks_and_carries_its_checksum(made_run, made_site, read_page):
    page = read_page("submission")
    assert text_of(page.find(".//p[@class='answer']")) == "Valid 5 of 5 checks hold"
    content = made_run.submission.read_bytes()
    assert (made_site / "downloads/submission.csv").read_bytes() == content
    assert hashlib.sha256(content).hexdigest() in text_of(page.find(".//p[@class='checksum']"))


@pytest.mark.parametrize("text, failing", [
    ("id,Label\n1,2\n", "The header"),
    ("ImageId,Label\n1,2\n", "It has one row for every test row"),
    ("ImageId,Label\n" + "".join(f"{number},1\n" for number in range(TEST)), "The ids run"),
    ("ImageId,Label\n" + "".join(f"{number + 1},12\n" for number in range(TEST)), "Every label"),
    ("ImageId,Label\n" + "".join(f"{number + 1},\n" for number in range(TEST)), "No field is blank"),
])
def test_a_bad_submission_fails_the_right_check(make_run, tmp_path, text, failing):
    run = make_run()
    run.submission.write_text(text)
    context = submission.context(Study(run), Bundle())
    assert [check for check in context.checks
            if check.demand.startswith(failing) and not check.holds]


def test_every_page_of_a_sample_says_so(make_run, tmp_path, read_page):
    site = rendered(make_run(source="sample"), tmp_path / "site")
    for name in set(NAMES) - {"runs"}:  # the one run of this site has none beside it
        banner = read_html(site / f"{name}.html").find(".//aside[@class='sample']")
        assert "bundled sample, not Kaggle’s data" in text_of(banner), name
        assert read_page(name).find(".//aside[@class='sample']") is None, name


def test_every_page_says_what_went_wrong_in_the_training(make_run, tmp_path):
    site = rendered(make_run(warnings=["the accuracy stayed at <chance>"]), tmp_path / "site")
    for name in set(NAMES) - {"runs"}:
        banner = read_html(site / f"{name}.html").find(".//aside[@class='sample']")
        assert "the accuracy stayed at <chance>" in text_of(banner), name


def test_two_tables_of_one_file_have_names_of_their_own(make_run, tmp_path):
    digits = "sklearn.datasets.load_digits"
    run = make_run(data=DataFacts(source="sample", train_file=digits, test_file=digits, train_rows=200,
                                  test_rows=40, fingerprint="abcdef"))
    page = read_html(rendered(run, tmp_path / "site") / "data.html")
    names = [region.get("aria-label") for region in page.findall(".//div[@role='region']")]
    assert len(names) == len(set(names)) == 3


def test_hostile_text_is_shown_and_never_obeyed(make_run, tmp_path):
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    run = make_run(device=DeviceFacts(id=hostile, description=hostile, reason=hostile),
                   versions={hostile: hostile}, data=DataFacts(
                       source="kaggle", train_file=hostile, test_file=hostile, train_rows=200, test_rows=40,
                       fingerprint="abcdef"))
    site = rendered(run, tmp_path / "site", title=hostile, author=hostile, description=hostile)
    for path in site.glob("*.html"):
        page = read_html(path)
        assert {script.get("src") for script in page.findall(".//script") if not script.get("type")} <= {*SCRIPTS}
        assert not [image for image in page.findall(".//img") if image.get("src") == "x"]
        assert hostile in page.find(".//title").text


def test_the_published_address_is_named_and_used_by_the_404_page(make_run, tmp_path):
    site = rendered(make_run(), tmp_path / "site", base_url="https://example.org/digits/")
    canonical = read_html(site / "data.html").find(".//link[@rel='canonical']")
    assert canonical.get("href") == "https://example.org/digits/data.html"
    lost = read_html(site / "404.html")
    assert lost.find(".//link[@rel='stylesheet']").get("href") == \
        "https://example.org/digits/style.css"


def test_a_mistake_in_a_note_leaves_the_last_site_as_it_was(made_run, tmp_path):
    site = rendered(made_run, tmp_path / "site")
    before = files_of(site)
    (tmp_path / "index.md").write_text("not a page's note: ignored")
    (tmp_path / "results.md").write_text("{{ nonsense }}")
    with pytest.raises(ReportError, match="results.md, line 1"):
        rendered(made_run, site, notes=tmp_path)
    assert files_of(site) == before


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_valid_html(made_site, name):
    html5lib.HTMLParser(strict=True).parse((made_site / f"{name}.html").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_every_page_has_a_picture_for_those_who_link_to_it(made_site, read_page, name):
    page = read_page(name)
    assert page.find(".//meta[@property='og:title']").get("content").startswith(
        text_of(page.find(".//h1")))
    with Image.open(made_site / page.find(".//meta[@property='og:image']").get("content")) as card:
        assert card.size == (1200, 630)


def test_a_published_sites_pictures_have_whole_addresses(make_run, tmp_path):
    site = rendered(make_run(), tmp_path / "site", base_url="https://example.org/digits/")
    assert read_html(site / "data.html").find(".//meta[@property='og:image']").get("content") == \
        "https://example.org/digits/images/cards/data.png"


def test_clean_data_is_called_clean(read_page):
    checks = read_page("data").findall(".//section[@aria-labelledby='quality']//li")
    assert [check.get("class") for check in checks] == ["holds"] * 4 + [None] * 2
    assert [text_of(check) for check in checks[4:]] == [
        "0–255 Range of the pixels train.csv", "0–254 Range of the pixels test.csv"]


def test_duplicates_and_leaks_are_named(make_run, tmp_path):
    # Row 3 is a validation row, 13 is not, and both are threes; 14 is a four.
    run = make_run(duplicates=[(13, 3), (14, 1)], leaks=[(7, 2)])
    checks = read_html(rendered(run, tmp_path / "site") / "data.html").findall(
        ".//section[@aria-labelledby='quality']//li[@class='fails']")
    leaks, across, contradictions, duplicates = map(text_of, checks)
    assert "1 image: test row 7 is labelled row 2" in leaks
    assert "1 image: row 13 is row 3" in across
    assert "1 image: row 14 is row 1" in contradictions
    assert "2 images: row 13 is row 3, row 14 is row 1" in duplicates


def test_every_figure_has_its_numbers_in_a_table(read_page):
    page = read_page("results")
    tables = {name: page.findall(f".//div[@aria-label='{name}']//tbody/tr") for name in (
        "Reliability", "Accuracy against coverage", "Neighbours in the embedding")}
    assert [len(rows) for rows in tables.values()] == [4, 8, 10]
    counts = [int(text_of(row.findall("td")[0])) for row in tables["Reliability"]]
    assert sum(counts) == VALIDATION


def test_the_calibration_concludes_from_the_counts(make_run, tmp_path):
    def said(*confidences):
        wrong = [(place % 10, (place + 1) % 10, confidence) for place, confidence in enumerate(confidences)]
        site = rendered(make_run(f"run{len(wrong)}", misclassified=wrong), tmp_path / f"site{len(wrong)}")
        return text_of(read_html(site / "results.html").find(".//section[@aria-labelledby='trust']//figcaption"))
    assert said(0.55).startswith("Neither over- nor underconfident, as far as 60 digits tell: in each of the 2 groups")
    assert said(*[0.95] * 20).startswith("Overconfident on 60 of 60 digits, those with a confidence of 90% – 100%. The")


def test_the_coverage_begins_a_little_before_what_costs_three_quarters_of_the_errors():
    confidence, wrong = np.linspace(0.999, 0.3, 1000), np.zeros(1000, int)
    wrong[[10, 900, 950, 990]] = 1  # one of them is sure, the rest are among the last tenth
    other = np.eye(10)[wrong] * confidence[:, None]
    other[:, 2:] = ((1 - confidence) / 8)[:, None]
    assert results._start(Evaluation(np.arange(1000), np.zeros(1000, int), other)) == 0.8
    assert results._start(Evaluation(np.arange(9), np.zeros(9, int), np.eye(10)[[0] * 9])) == 0.5


def test_the_embedding_has_one_digit_a_place_and_leads_to_every_misclassified_one(read_page):
    drawing = read_page("results").find(".//figure[@class='embedding']/svg")
    links, right = drawing.findall("g[@class='misclassified']/a"), drawing.findall("g[@class='correct']/text")
    told = sorted(link.get("aria-label").partition(": ")[2] for link in links)
    assert told == sorted(f"a {true} predicted to be {predicted}" for true, predicted, _ in MISCLASSIFIED)
    for link in links:
        row = link.get("aria-label").partition(":")[0].removeprefix("Row ")
        assert link.get("href") == f"misclassified.html#row-{row}"
        assert link.get("aria-label").endswith(f" {text_of(link)}")
    places = {(float(digit.get("x")), float(digit.get("y"))) for digit in [*(link[0] for link in links), *right]}
    assert 0.4 * VALIDATION < len(places) == len(links) + len(right) <= VALIDATION


def test_without_rows_in_the_embedding_it_is_not_drawn(make_run):
    study = Study(make_run())
    study.first.__dict__["predictions"] = dataclasses.replace(
        study.first.predictions, tsne_rows=np.empty(0, int), tsne_embedding=np.empty((0, 2)))
    assert results.context(study, Bundle()).embedding is None


def test_each_class_has_its_name_in_the_embedding_where_it_covers_no_digit(made_run):
    drawn = results.context(Study(made_run), Bundle()).embedding
    taken = [square for name in drawn.names.values() for square in results._squares(*name)]
    assert set(drawn.names) == set(range(10)) and len(taken) == len(set(taken)) == 60
    assert not {(mark.column, mark.line) for marks in drawn.marks.values() for mark in marks} & set(taken)


def test_each_confusion_lists_exactly_its_images(read_page):
    page = read_page("misclassified")
    group = page.find(".//div[@id='true-4-predicted-9']")
    rows = [link.get("href")[1:] for link in group.findall("dd/a")]
    marks = [text_of(page.find(f".//li[@id='{row}']//p[@class='mark']")) for row in rows]
    assert marks == ["9 4", "9 4"]


def test_the_originals_stand_beside_the_stored_variations(made_site, read_page):
    page = read_page("augmentation")
    assert "did not train with augmentation" in text_of(page.find(".//p[@class='warning']"))
    sheets = [Image.open(made_site / f"images/augmentation/{name}.png") for name in ("originals", "augmented")]
    assert sheets[0].size == sheets[1].size == (8 * 30 - 2, 8 * 30 - 2)
    assert sheets[0].tobytes() != sheets[1].tobytes()


def test_a_run_that_trained_with_augmentation_says_with_which_numbers(make_run, tmp_path):
    run = make_run(recipe={"augmentation": {"rotation": 12.0, "zoom": 0.1, "shift": 0.05, "elastic": 1.5}})
    text = text_of(read_html(rendered(run, tmp_path / "site") / "augmentation.html").find(".//main"))
    assert "This run trained with such variations" in text
    for limit in "12° either way", "10% (zoom)", "1.4 pixels (shift)", "about 1.5 pixels (elastic":
        assert limit in text


@pytest.mark.parametrize("recipe", [
    {}, {"epochs": 10}, {"epochs": 20, "refit": {"epochs": 10}, "batch_size": 64, "optimizer": {"name": "adamw"}}])
def test_the_recipe_is_there_to_be_run_again(make_run, tmp_path, recipe):
    run = make_run(recipe=recipe)
    page = read_html(rendered(run, tmp_path / "site") / "reproduce.html")
    _, toml, command = (code.text for code in page.findall(".//pre/code"))
    assert command == ".venv/bin/python -m report build --recipe notebook --data data --device llvm_cpu.0"
    assert recipes.NOTEBOOK.changed(tomllib.loads(toml)["recipe"]) == run.record.recipe
    assert toml.startswith("[recipe]\n") and "\nvalidation.fraction = 0.3\n" in toml + "\n"
    assert "schedule" not in toml


def test_it_says_which_code_and_versions_to_install(make_run, tmp_path):
    run = make_run(versions={"python": "3.11.7", "plaidml-report": "0.1.0", "commit": "e7b7aa8f0000", "keras": "2.2.4",
                             "-r https://example.org/": "1", "numpy": "2.0 --pre"})
    site = rendered(run, tmp_path / "site", code_url="https://example.org/code")
    section = read_html(site / "reproduce.html").find(".//section[@aria-labelledby='commands']")
    assert "The code is plaidml-report 0.1.0, commit e7b7aa8f0000" in text_of(section)
    addresses = [link.get("href") for link in section.findall(".//a")]
    assert {"https://example.org/code", "https://www.kaggle.com/c/digit-recognizer"} < set(addresses)
    assert (site / "downloads/constraints.txt").read_text() == "keras==2.2.4\n"


def test_the_finished_runs_stand_beside_one_another(read_page):
    rows = read_page("runs").findall(".//tbody/tr")
    assert [text_of(row.find("th")) for row in rows] == ["kaggle-0123456789 this site",
                                                        "kaggle-earlier"]
    assert rows[0].get("class") == "best"


def test_a_damaged_run_beside_this_one_does_not_matter(make_run, tmp_path):
    make_run("runs/damaged").members[0].folder.joinpath("history.csv").write_text("what?")
    site = rendered(make_run("runs/good"), tmp_path / "site")
    assert len(read_html(site / "runs.html").findall(".//tbody/tr")) == 1


def test_the_downloads_say_the_same_as_csv_and_as_json(made_site):
    for name in TABLES:
        with open(made_site / f"downloads/{name}.csv", newline="") as file:
            header, *rows = csv.reader(file)
        columns = json.loads((made_site / f"downloads/{name}.json").read_text())
        assert list(columns) == header
        assert [[str(cell) for cell in row] for row in zip(*columns.values())] == rows


def test_a_site_is_light(made_site):
    def weigh(name):
        page = read_html(made_site / f"{name}.html")
        loaded = {element.get("src") or element.get("href") for element in page.iter()
                  if element.tag in ("img", "script", "link")
                  and element.get("loading") != "lazy"} - {None}
        return sum((made_site / file).stat().st_size for file in {f"{name}.html", *loaded}
                   if (made_site / file).is_file())
    assert weigh("index") < 300_000
    assert max(map(weigh, NAMES)) < 2_000_000


def test_where_networks_disagree_each_ones_label_is_told(make_run, tmp_path):
    site = rendered(make_run(seeds=3, refit=False), tmp_path / "site")
    results = read_html(site / "results.html")
    said = results.find(".//section[@aria-labelledby='disagreement']")
    assert "They predict different labels for 2 rows of 60; the mean of their probabilities is right on 1" \
        in text_of(said)
    assert [text_of(row) for row in said.findall(".//tbody/tr")] == [
        "24 4 9 2 networks say 9, 1 says 4", "54 4 4 2 networks say 9, 1 says 4"]
    assert "2 networks say 9, 1 says 4. Row 24" in text_of(read_html(site / "misclassified.html").find(".//main"))


def test_folds_have_one_judge_a_row_and_so_no_disagreement(make_run, tmp_path):
    site = rendered(make_run(folds=5), tmp_path / "site")
    assert "there is no second one to disagree" in text_of(read_html(site / "results.html").find(".//main"))


def test_several_networks_have_thin_curves_a_mean_and_a_table(make_run, tmp_path):
    page = read_html(rendered(make_run(seeds=3, refit=False), tmp_path / "site") / "training.html")
    rows = page.findall(".//section[@aria-labelledby='networks']//tbody/tr")
    assert [text_of(row.find("th")) for row in rows] == ["seed-333", "seed-334", "seed-335"]
    chart = page.find(".//svg[@class='chart']")
    assert "the mean of 3 networks" in chart.get("aria-label") and "each network" in text_of(chart)
    assert len([path for path in chart.iter("path") if path.get("stroke-width") == "0.8"
                and path.get("stroke") == "var(--accent)"]) == 3 + 1  # and one in the key


def test_a_schedule_that_changes_has_a_chart_and_averages_are_told(make_run, tmp_path):
    run = make_run(recipe={"schedule": {"name": "one-cycle"}, "averaged_fraction": 0.4, "test_time_augmentation": 9})
    fit = read_html(rendered(run, tmp_path / "site") / "training.html").find(".//section[@aria-labelledby='fit']")
    assert len(fit.findall(".//svg[@class='chart']")) == 3
    for told in "averaged over the last 2 epochs", "mean over 9 views", "91.67%, may differ from that of the last":
        assert told in text_of(fit)


def test_a_page_that_shows_a_picture_of_another_page_adds_it_itself(made_run):
    from report.pages import overview
    bundle = Bundle()
    shown = overview.context(Study(made_run), bundle)
    assert {shown.submission.path, *(digit.picture.path for digit in shown.most_confident)} == set(bundle.files)
