"""The pages of the made site, read as trees."""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from made import MISTAKES, TEST, VALIDATION
from pages_as_trees import read_html, text_of

from report.errors import ReportError
from report.pages import NOT_FOUND, PAGES, submission
from report.render import render
from report.settings import SiteSettings
from report.study import study
from report.writer import Bundle

NAMES = [Path(plan.path).stem for plan in (*PAGES, NOT_FOUND)]


def files_of(site: Path) -> dict:
    return {path.relative_to(site).as_posix(): path.read_bytes()
            for path in site.rglob("*") if path.is_file()}


def rendered(run, folder: Path, notes=Path("no-notes"), **settings) -> Path:
    render(run, folder, notes, SiteSettings(**settings))
    return folder


def test_the_site_has_every_page_and_download(made_site):
    assert {path.name for path in made_site.iterdir()} == {
        "index.html", "data.html", "model.html", "training.html", "results.html", "mistakes.html",
        "activations.html", "submission.html", "404.html", "favicon.svg", "style.css", ".nojekyll",
        "build.json", "downloads", "images"}
    assert {path.name for path in (made_site / "downloads").iterdir()} == {
        "submission.csv", "history.csv", "predictions.csv"}


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
        assert element.tag not in ("style", "script")
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("name", NAMES)
def test_every_page_can_be_read_without_seeing_it(read_page, name):
    page = read_page(name)
    for image in page.findall(".//img"):
        assert image.get("alt") and image.get("width") and image.get("height")
    for drawing in page.findall(".//svg"):
        assert drawing.get("role") == "img" and drawing.get("aria-label")
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
            if element.tag in ("meta", "use") or not target or target.startswith("https://github"):
                continue
            file, anchor = urldefrag(unquote(target))
            file = file or path
            assert (made_site / file).is_file(), f"{path} links to {target}"
            assert not anchor or anchor in anchors[file], f"{path} links to {target}"


def test_rendering_twice_gives_the_same_bytes(made_run, made_site, tmp_path):
    assert files_of(rendered(made_run, tmp_path / "again")) == files_of(made_site)


def test_the_overview_answers_how_good(read_page):
    answer = text_of(read_page("index").find(".//p[@class='answer']"))
    assert answer == ("91.67% of the digits that it had never seen "
                      "5 mistakes in 60; 95% interval 81.93% to 96.39%")


def test_the_tables_show_the_first_and_last_columns(read_page):
    train, test = read_page("data").findall(".//section[@aria-labelledby='tables']//table")
    header = [text_of(cell) for cell in train.findall(".//thead//th")]
    assert header[1:8] == ["label", "pixel0", "pixel1", "pixel2", "pixel3", "pixel4", "…"]
    assert header[8:] == [f"pixel{column}" for column in range(779, 784)]
    assert len(train.findall(".//tbody/tr")) == len(test.findall(".//tbody/tr")) == 5
    assert [text_of(row.find("td")) for row in train.findall(".//tbody/tr")] == list("01234")


def test_the_six_digits_are_rows_3_to_8_with_their_labels(read_page):
    captions = read_page("data").findall(".//ul[@class='six']//figcaption")
    assert [text_of(caption) for caption in captions] == [f"{row} row {row}" for row in range(3, 9)]


def test_the_class_table_counts_every_row_once(read_page):
    rows = read_page("data").findall(".//section[@aria-labelledby='balance']//tbody/tr")
    counts = [[int(text_of(row.findall("td")[column])) for column in (0, 2)] for row in rows]
    assert sum(fit for fit, _ in counts) == 140 and sum(held for _, held in counts) == VALIDATION


def test_the_model_page_has_all_16_layers_and_the_notebooks_totals(read_page):
    page = read_page("model")
    assert len(page.findall(".//tbody/tr")) == len(page.findall(".//svg//g")) == 16
    totals = [text_of(cell) for cell in page.findall(".//tfoot//td")][-3:-1]
    assert totals == ["2,839,274", "2,817,578"]


def test_both_fits_are_shown_with_their_best_epoch(read_page):
    page = read_page("training")
    assert [text_of(row.find("th")) for row in page.findall(".//tr[@class='best']")] == \
        ["3 best", "2 best"]
    assert len(page.findall(".//svg[@class='chart']")) == 4


def test_the_refits_validation_accuracy_is_called_no_estimate(read_page):
    warning = text_of(read_page("training").find(".//section[@aria-labelledby='refit']/p"))
    assert warning.startswith("No estimate.") and "92.50%" in warning


def test_a_run_without_refit_speaks_of_none(make_run, tmp_path):
    site = rendered(make_run(refit=False), tmp_path / "site")
    assert read_html(site / "training.html").find(".//h2[@id='refit']") is None
    assert "then 0" not in (site / "index.html").read_text()


def test_the_confusion_matrix_adds_up_and_leads_to_the_mistakes(read_page):
    cells = read_page("results").findall(".//table[@class='matrix']//td")
    first_lines = [text_of(cell).split()[0] for cell in cells]
    assert len(cells) == 100 and sum(map(int, first_lines)) == VALIDATION
    links = [cell.find("a").get("href") for cell in cells if cell.find("a") is not None]
    assert sorted(links) == sorted({f"mistakes.html#true-{true}-as-{predicted}"
                                    for true, predicted, _ in MISTAKES})


def test_every_mistake_is_shown_the_surest_first(read_page):
    shown = read_page("mistakes").findall(".//ul[@class='mistakes']/li")
    marks = [text_of(item.find(".//p[@class='mark']")) for item in shown]
    surest = sorted(MISTAKES, key=lambda mistake: -mistake[2])
    assert marks == [f"{predicted} {true}" for true, predicted, _ in surest]
    assert len(shown[0].findall(".//rect")) == 10
    assert "9 with 97.0%" in shown[0].find(".//svg").get("aria-label")


def test_a_run_without_mistakes_says_so(make_run, tmp_path):
    site = rendered(make_run(mistakes=[]), tmp_path / "site")
    page = read_html(site / "mistakes.html")
    assert "all 60 validation digits" in text_of(page.find(".//main"))
    assert text_of(read_html(site / "index.html").find(".//p[@class='answer']")).startswith("100.00%")


def test_beyond_a_limit_mistakes_are_shown_small(make_run, tmp_path, monkeypatch):
    from report.pages import mistakes
    monkeypatch.setattr(mistakes, "LARGE", 2)
    page = read_html(rendered(make_run(), tmp_path / "site") / "mistakes.html")
    assert len(page.findall(".//ul[@class='mistakes']/li")) == 2
    assert len(page.findall(".//ul[@class='smalls']/li")) == 3


def test_activations_show_32_channels_and_the_last_layer_as_bars(made_site, read_page):
    from PIL import Image
    page = read_page("activations")
    assert [text_of(heading) for heading in page.findall(".//h2")] == ["Row 10, a 0", "Row 11, a 1"]
    with Image.open(made_site / "images/activations/row-10/conv1.png") as sheet:
        assert sheet.size == (8 * 28 - 2, 4 * 28 - 2)
    assert len(page.findall(".//svg[@class='bars']")) == 2


def test_the_submission_passes_its_checks_and_carries_its_checksum(made_run, made_site, read_page):
    page = read_page("submission")
    assert text_of(page.find(".//p[@class='answer']")) == "Valid 5 of 5 checks hold"
    content = made_run.submission.read_bytes()
    assert (made_site / "downloads/submission.csv").read_bytes() == content
    assert hashlib.sha256(content).hexdigest() in text_of(page.find(".//ul[@class='downloads']"))


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
    context = submission.context(study(run), Bundle())
    assert not context.passed
    assert [check for check in context.checks
            if check.demand.startswith(failing) and not check.holds]


def test_every_page_of_a_sample_says_so(make_run, tmp_path, read_page):
    site = rendered(make_run(source="sample"), tmp_path / "site")
    for name in NAMES:
        banner = read_html(site / f"{name}.html").find(".//aside[@class='sample']")
        assert "bundled sample, not Kaggle’s data" in text_of(banner), name
        assert read_page(name).find(".//aside[@class='sample']") is None, name


def test_hostile_text_is_shown_and_never_obeyed(make_run, tmp_path):
    from digits.run import DataFacts, DeviceFacts
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    run = make_run(id=hostile, device=DeviceFacts(hostile, hostile, hostile),
                   versions={hostile: hostile},
                   data=DataFacts("kaggle", hostile, hostile, 200, 40, "abcdef"))
    site = rendered(run, tmp_path / "site", title=hostile, author=hostile, description=hostile)
    for name in NAMES:
        page = read_html(site / f"{name}.html")
        assert page.find(".//script") is None
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
