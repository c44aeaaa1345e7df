"""`report serve`, over a real port."""

import gzip
import socket
import struct
import threading
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from report.errors import ReportError
from report.output.server import rendering_anew, server


@pytest.fixture
def address(made_site):
    with server(made_site, "127.0.0.1", 0) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


def missing(address):
    with pytest.raises(HTTPError) as caught:
        urlopen(address)
    with caught.value as error:
        return error.code, error.read().decode()


def test_the_pages_are_served(address):
    with urlopen(f"{address}/") as answer:
        assert b"How well does it read?" in answer.read()
    with urlopen(f"{address}/style.css") as answer:
        assert answer.headers["Content-Type"] == "text/css"


def test_texts_are_compressed_for_who_can_read_it_and_pictures_are_not(address, made_site):
    for path, is_compressed in ("style.css", True), ("downloads/metrics.json", True), (
            "images/cards/overview.png", False):
        with urlopen(Request(f"{address}/{path}", headers={"Accept-Encoding": "gzip"})) as answer:
            content = answer.read()
            assert int(answer.headers["Content-Length"]) == len(content)
            assert (answer.headers["Content-Encoding"] == "gzip") == is_compressed
        assert (gzip.decompress(content) if is_compressed else content) == (made_site / path).read_bytes()
        with urlopen(f"{address}/{path}") as answer:
            assert answer.read() == (made_site / path).read_bytes()


def test_a_missing_page_gets_the_sites_own_404(address):
    code, text = missing(f"{address}/nothing.html")
    assert code == 404 and "There is no such page" in text


@pytest.mark.parametrize("path", ["%00", "a%00b", "index.html%00.png", "%00/", "a" * 5000])
def test_what_no_file_can_be_called_is_a_missing_page(address, path, capsys):
    assert missing(f"{address}/{path}")[0] == 404
    assert capsys.readouterr().err == ""


def test_folders_are_not_listed(address):
    assert missing(f"{address}/images/")[0] == 404


def test_nothing_outside_the_site_is_served(address, made_site):
    (made_site.parent / "secret.txt").write_text("secret")
    assert missing(f"{address}/../secret.txt")[0] == 404
    assert missing(f"{address}/%2e%2e/secret.txt")[0] == 404


def test_a_link_that_leads_outside_is_not_followed(made_run, tmp_path):
    from pathlib import Path
    from report.output.render import render
    from report.settings import SiteSettings
    render(made_run, tmp_path / "site", Path("no-notes"), SiteSettings())
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "site" / "way-out").symlink_to(tmp_path / "secret.txt")
    with server(tmp_path / "site", "127.0.0.1", 0) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        try:
            assert missing(f"http://127.0.0.1:{listening.server_address[1]}/way-out")[0] == 404
        finally:
            listening.shutdown()
            thread.join()


def test_a_taken_port_is_one_message(made_site):
    with server(made_site, "127.0.0.1", 0) as first:
        with pytest.raises(ReportError, match="Address already in use. Choose another with --port"):
            server(made_site, "127.0.0.1", first.server_address[1])


def test_only_what_is_served_asks_for_changes(address, made_site):
    with urlopen(f"{address}/index.html") as answer:
        served = answer.read().decode()
    written = (made_site / "index.html").read_text()
    assert '<script src="/_reload.js" defer>' in served and "connect-src 'self'" in served
    assert "_reload" not in written and "connect-src" not in written


@pytest.mark.parametrize("asked", [b"GET / HTTP/1.0\r\n\r\n", b"GET /style.css HTTP/1.0\r\n\r\n", b"GET"])
def test_a_browser_that_drops_its_connection_leaves_no_trace(address, made_site, asked, capfd):
    host, port = address.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as browser:
            # Closed with a reset, as a browser's tab is that was closed in the middle.
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            browser.sendall(asked)
    with urlopen(f"{address}/") as answer:
        assert answer.status == 200
    time.sleep(0.1)
    assert capfd.readouterr().err == ""


@pytest.fixture
def watched(tmp_path):
    """Folders and files that need not be there, and how often they were rendered."""
    made, rendered = tmp_path.resolve(), threading.Semaphore(0)
    (made / "templates" / "partials").mkdir(parents=True)
    (made / "runs").mkdir()
    paths = [made / "templates", made / "notes", made / "report.toml"]
    with rendering_anew(paths, rendered.release):
        time.sleep(0.3)  # until it looks
        yield made, rendered


@pytest.mark.parametrize("path", ["templates/base.html", "templates/partials/new.html", "report.toml"])
def test_a_change_is_rendered(watched, path):
    made, rendered = watched
    (made / path).write_text("new")
    assert rendered.acquire(timeout=10)


def test_notes_that_are_made_while_it_looks_are_rendered_and_so_are_their_changes(watched):
    made, rendered = watched
    (made / "notes").mkdir()
    assert rendered.acquire(timeout=10)
    for text in ("first", "second"):
        time.sleep(0.3)
        (made / "notes" / "data.md").write_text(text)
        assert rendered.acquire(timeout=10)


def test_what_is_not_watched_is_not_rendered(watched):
    made, rendered = watched
    (made / "runs" / "run.json").write_text("{}")
    (made / "README.md").write_text("x")
    assert not rendered.acquire(timeout=0.5)


@pytest.mark.slow
def test_an_open_page_reloads_when_a_note_changes(made_run, browser, tmp_path):
    from report.output.render import render
    from report.settings import SiteSettings
    site, notes = tmp_path / "site", tmp_path / "notes"
    notes.mkdir()

    render(made_run, site, notes, SiteSettings())
    listening = server(site, "127.0.0.1", 0)

    with listening, rendering_anew([notes], lambda: render(made_run, site, notes, SiteSettings())):
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        page = browser.new_page()
        with page.expect_response("**/build.json"):
            page.goto(f"http://127.0.0.1:{listening.server_address[1]}/")
        (notes / "overview.md").write_text("{{ nonsense }}")
        time.sleep(0.6)  # the mistake is told in the terminal, and the page stays
        assert "learned from 140 handwritten digits" in page.inner_text("main")
        (notes / "overview.md").write_text("My own words.")
        expect(page.locator("main")).to_contain_text("My own words.")
        page.close()
        listening.shutdown()
