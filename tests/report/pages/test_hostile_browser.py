"""Hostile texts wherever a stranger may put one, in a real browser: they are read, never run."""

import json

import pytest
from made import write_run

from digits.records import printable
from digits.run import DataFacts, DeviceFacts, Run
from report.output.render import render
from report.pages import PAGES
from report.settings import SiteSettings

RUN = "window.hacked = 1; alert(1)"
HOSTILE = (
    f'"><script>{RUN}</script><img src=x onerror="{RUN}">\' onmouseover=\'{RUN}\' </title></style>'
    f'--><svg onload="{RUN}">{{{{ 7 * 7 }}}}{{% raw %}}{{# javascript:{RUN} '
    '<iframe src="https://example.org/"></iframe><base href="https://example.org/">'
    '<meta http-equiv="refresh" content="0;url=https://example.org/"> ../../../etc/passwd '
    '\u202eexe.gpj\u2066 zero\u200bwidth \u0430pple \x1b[2J &lt;script&gt; &#60;b&#62;')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place, shown = tmp_path_factory.mktemp("hostile"), printable(HOSTILE)
    hostile = {"versions": {shown: shown}, "fingerprint": shown,
               "device": DeviceFacts(id=shown, description=shown, reason=shown), "warnings": [shown],
               "seconds": {shown: 1.0, "fit": 2.0}}
    write_run(place / "runs" / "earlier", finished="2025-02-01T12:00:00+00:00", **hostile)
    run = write_run(place / "runs" / "stranger", error=shown, **hostile, data=DataFacts(
        source="kaggle", train_file=shown, test_file=shown, train_rows=200, test_rows=40, fingerprint=shown))
    path = run.members[0].folder / "model.json"
    layers = json.loads(path.read_text())
    for layer in layers:
        layer.update({key: shown for key in ("activation", "padding") if layer[key]})
    path.write_text(json.dumps(layers))
    (place / "notes").mkdir()
    for page in ("overview", "results"):
        text = HOSTILE.replace("{", "").replace("\x1b", "").replace("\u202e", "").replace("\u2066", "")
        (place / "notes" / f"{page}.md").write_text(
            f"{text}\n\n{text.replace('<', '[').replace('>', ']')}\n\n{{{{ device }}}} "
            "[a](https://example.org/\"onmouseover=\"alert(1)) `<b>`")
    render(Run(run.folder), place / "site", place / "notes",
           SiteSettings(title=shown, author=shown, description=shown))
    return place / "site"


@pytest.mark.slow
def test_nothing_hostile_runs_on_any_page(browser, site):
    pages = sorted(site.glob("*.html"))
    assert len(pages) == len(PAGES) + 1  # with the 404
    for path in pages:
        context = browser.new_context()
        page, seen = context.new_page(), []
        page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: seen.append(message.text))
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("request", lambda request: seen.append(request.url)
                if not request.url.startswith(site.as_uri()) else None)
        page.on("framenavigated", lambda frame: seen.append(frame.url)
                if frame.url.split("#")[0] != path.as_uri() else None)
        page.goto(path.as_uri())
        found = page.evaluate("""() => {
            const all = [...document.querySelectorAll('*')];
            all.forEach(one => ['mouseover', 'focus', 'click'].forEach(kind => {
                if (!one.closest('a, summary')) one.dispatchEvent(new Event(kind, {bubbles: true}));
            }));
            return {
                hacked: typeof window.hacked,
                handlers: all.flatMap(one => one.getAttributeNames())
                    .filter(name => name.startsWith('on')),
                strangers: all.map(one => one.localName).filter(name =>
                    ['iframe', 'object', 'embed', 'base'].includes(name)),
                scripts: [...document.scripts].filter(one => !one.type).map(one => one.src.split('/').pop()),
                links: [...document.links].map(one => one.protocol)
                    .filter(name => !['file:', 'https:'].includes(name)),
            };
        }""")
        ours = {"quiz.html": ["quiz.js"], "results.html": ["dial.js"]}.get(path.name, [])
        assert found == {"hacked": "undefined", "handlers": [], "strangers": [],
                         "scripts": ["site.js", *ours], "links": []}, path.name
        assert seen == [], path.name
        context.close()


def test_hostile_texts_are_shown_as_they_are_but_for_what_hides(site):
    text = (site / "submission.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;window.hacked" in text
    for character in "\u202e\u2066\u200b\x1b":
        assert character not in text
