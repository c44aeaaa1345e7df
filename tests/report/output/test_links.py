"""A page whose links lead to nothing fails the build, by its name."""

import pytest

from report.errors import ReportError
from report.output.links import Addresses, refuse_dead_links

FILES = {"data.html": b'<h2 id="head">', "style.css": b"", "images/a b.png": b"", "images/index.html": b""}


def refused(markup: str, page="index.html", base_url="") -> str:
    with pytest.raises(ReportError) as caught:
        refuse_dead_links({**FILES, page: markup.encode()}, base_url)
    return str(caught.value)


@pytest.mark.parametrize("markup, says", [
    ('<a href="gone.html">x</a>', "'gone.html' leads to nothing"),
    ('<a href="../data.html">x</a>', "'../data.html' leads to nothing"),
    ('<a href="data.html#gone">x</a>', "'data.html#gone' names a place that data.html does not have"),
    ('<a href="#gone">x</a>', "'#gone' names a place that index.html does not have"),
    ('<use xlink:href="#gone">', "'#gone' names a place"),
    ('<a href="/data.html">x</a>', "'/data.html' starts at the server's top"),
    ('<a href="javascript:alert(1)">x</a>', "which is no web address"),
    ('<img src="https://example.org/x.png">', "fetches 'https://example.org/x.png' from elsewhere"),
    ('<img src="//example.org/x.png">', "fetches '//example.org/x.png' from elsewhere"),
    ('<link rel="stylesheet" href="https://example.org/x.css">', "from elsewhere"),
    ('<use href="https://example.org/c.svg#a">', "from elsewhere")])
def test_a_link_that_leads_to_nothing_or_asks_another_server_is_refused(markup, says):
    message = refused(markup)
    assert message.startswith("index.html: ") and says in message


def test_links_that_lead_somewhere_are_taken():
    refuse_dead_links({**FILES, "images/index.html": b"""
        <link rel="canonical" href="https://example.org/index.html"><link rel="stylesheet" href="../style.css">
        <a href="../data.html#head">x</a><a href="../data.html#top">x</a><a href="#">x</a><a href=".">x</a>
        <a href="../images/">x</a><img src="a%20b.png"><img src="data:image/png;base64,AAAA">
        <a href="https://example.org">x</a><a href="mailto:ada@example.org">x</a>"""}, "")


def test_the_page_for_missing_addresses_may_name_its_own_site_s_address():
    page = '<link rel="stylesheet" href="https://ada.example/digits/style.css">'
    refuse_dead_links({**FILES, "404.html": page.encode()}, "https://ada.example/digits")
    for other in (page.replace("ada", "eve"), page.replace("style", "gone")):
        assert refused(other, "404.html", "https://ada.example/digits")
    assert refused(page, "data.html", "https://ada.example/digits")


@pytest.mark.parametrize("address", [
    "javascript:alert(1)", " JAVAscript:alert(1)", "java\tscript:x", "vbscript:x", "data:text/html,x"])
def test_an_address_that_would_run_something_has_a_fault(address):
    [reference] = Addresses(f'<a href="{address}">').references
    assert reference.fault.endswith("which is no web address")
