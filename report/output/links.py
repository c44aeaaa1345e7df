"""The links in the pages of a site: each leads to a file and a place that are there."""

import posixpath
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from report.errors import ReportError


@dataclass(frozen=True)
class Reference:
    """An address in a page, and whether a browser fetches it unasked."""

    address: str
    fetched: bool

    @property
    def scheme(self) -> str:
        """What a browser may take for one: it passes over blanks and control characters."""
        found = re.match("([^:/?#]*):", self.address)
        return found[1].lower() if found else ""

    @property
    def leads_out(self) -> bool:
        return bool(self.scheme) or self.address.replace("\\", "/").startswith("//")

    @property
    def fault(self) -> str | None:
        """What is wrong with it, whatever is in the site."""
        if self.fetched and self.leads_out and self.scheme != "data":
            return f"fetches {self.address[:80]!r} from elsewhere; a site must hold all it shows"
        if not self.fetched and self.scheme not in ("", "http", "https", "mailto"):
            return f"links to {self.address[:80]!r}, which is no web address"
        return None


class Addresses(HTMLParser):
    """The addresses in a page or a part of one, and the places in it that an address may name."""

    def __init__(self, text: str):
        super().__init__()
        self.references: list[Reference] = []
        self.ids = {"", "top"}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            value = (value or "").strip()
            if name == "id":
                self.ids.add(value)
            elif name in ("src", "href", "xlink:href"):
                # A <link> may only tell something, such as the page's own published address.
                link = tag == "a" or tag == "link" and ("rel", "canonical") in attributes
                self.references.append(Reference(value, fetched=not link))


def refuse_dead_links(files: dict[str, bytes], base_url: str) -> None:
    """Raises ReportError with the first address in a page of these files that leads to nothing, or
    asks another server for something."""
    pages = {name: Addresses(content.decode()) for name, content in files.items() if name.endswith(".html")}
    top = base_url.rstrip("/") + "/"
    for name, page in pages.items():
        for reference in page.references:
            # Shown at any depth of the address that was not found, this page alone names its site's.
            if base_url and name == "404.html" and reference.address.startswith(top):
                reference = replace(reference, address=reference.address.removeprefix(top))
            fault = reference.fault or _dead(name, reference, files, pages)
            if fault:
                raise ReportError(f"{name}: {fault}.")


def _dead(page: str, reference: Reference, files: dict[str, bytes], pages: dict[str, Addresses]) -> str | None:
    if reference.leads_out:
        return None
    address, parts = reference.address, urlsplit(reference.address)
    path, place = unquote(parts.path), unquote(parts.fragment)
    if path.startswith("/"):
        return f"{address!r} starts at the server's top and breaks under a sub-path"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
    if path.endswith(("/", ".")):
        target = posixpath.normpath(f"{target}/index.html")
    if target not in files:
        return f"{address!r} leads to nothing"
    if target in pages and place not in pages[target].ids:
        return f"{address!r} names a place that {target} does not have"
    return None
