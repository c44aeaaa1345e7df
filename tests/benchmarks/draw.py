"""What reading a drawn digit costs in the reader's browser: milliseconds a digit, and the longest time for
which the page is deaf while one draws.

    python tests/benchmarks/draw.py

Both networks are untrained, as time does not depend on their weights, and take turns in one Chromium. The page
itself comes from a made run of the notebook's network.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import plaidkeras
from digits.arrays import write_arrays
from digits.run import Member, write_record
from report.output import network
from report.output.render import render
from report.paths import ASSETS
from report.settings import SiteSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from made import write_run  # noqa: E402

MILLISECONDS = """async image => {
    window.steps ||= await Network.read(DRAWN.steps);
    const started = performance.now();
    await Network.layersOf(steps, image);
    return performance.now() - started;
}"""
LONG_TASKS = """() => {
    window.long = [];
    new PerformanceObserver(list => long.push(...list.getEntries().map(task => task.duration)))
        .observe({type: 'longtask'});
}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--digits", type=int, default=60)
    options = parser.parse_args()
    plaidkeras.install()
    images = np.random.default_rng(0).integers(0, 256, (options.digits, 28 * 28)).tolist()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        pages = {name: _page(chromium, Path(folder) / name, name) for name in ("compact", "notebook")}
        milliseconds = {name: [] for name in pages}
        for image in images:
            for name, page in pages.items():
                milliseconds[name].append(page.evaluate(MILLISECONDS, image))
        for name, found in milliseconds.items():
            size = (Path(folder) / name / "weights.js").stat().st_size
            print(f"{name:9} {statistics.median(found):6.1f} ms a digit, {max(found[5:]):6.1f} at most, "
                  f"{found[0]:6.1f} the first; its script has {size / 1e6:.2f} MB")
        print(f"the page, while one draws: {_deafest(chromium, Path(folder)):.0f} ms deaf at most "
              "(0: never for more than 50)")
        chromium.close()


def _page(chromium, folder: Path, name: str):
    """A page with the script of an untrained network."""
    from digits import networks

    folder.mkdir()
    model = networks.build(name)
    write_record(folder / "model.json", networks.describe(model))
    (folder / "architecture.json").write_text(model.to_json())
    names = [weight.name for layer in model.layers for weight in layer.weights]
    write_arrays(folder / "weights.npz", dict(zip(names, model.get_weights())))
    (folder / "weights.js").write_bytes(network.script(Member(folder, {})))
    (folder / "page.html").write_text("<!doctype html>" + "".join(
        f'<script src="{path.as_uri()}"></script>' for path in (ASSETS / "draw/network.js", folder / "weights.js")))
    page = chromium.new_page()
    page.goto((folder / "page.html").as_uri())
    return page


def _deafest(chromium, folder: Path) -> float:
    """The longest task of the browser while a line is drawn for some seconds."""
    render(write_run(folder / "runs" / "made", whole=True), folder / "site", Path("no-notes"), SiteSettings())
    page = chromium.new_page()
    page.goto((folder / "site" / "draw.html").as_uri())
    page.wait_for_selector(".desk.answers")
    page.wait_for_timeout(2000)
    page.evaluate(LONG_TASKS)
    box = page.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    for step in range(200):
        page.mouse.move(box["x"] + 50 + step % 100 * 3, box["y"] + 50 + step)
        page.wait_for_timeout(16)
    page.mouse.up()
    return max(page.evaluate("long"), default=0)


if __name__ == "__main__":
    main()
