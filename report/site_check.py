"""Is a built site fit to be published? Each fault is a line that names its file."""

import hashlib
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, List, Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

from report.writer import read_marker

DOWNLOAD = "downloads/submission.csv"
LARGEST_FILE, LARGEST_SITE = 100_000_000, 1_000_000_000  # bytes; what GitHub Pages takes
# Attributes by which a page makes the browser fetch something, rather than offer a link.
FETCHING = {"src", "srcset", "poster", "data"}
STYLE_ADDRESS = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


@dataclass(frozen=True)
class Reference:
    """An address in a page or stylesheet, and whether a browser fetches it unasked."""

    address: str
    fetched: bool

    @property
    def scheme(self) -> str:
        """What a browser may take for one: it passes over blanks and control characters."""
        start = re.split(r"[/?#]", self.address)[0]
        return start.partition(":")[0].lower() if ":" in start else ""

    @property
    def leads_out(self) -> bool:
        return bool(self.scheme) or self.address.replace("\\", "/").startswith("//")

    @property
    def fault(self) -> Optional[str]:
        """What is wrong with it, whatever is in the site."""
        if self.fetched and self.leads_out and self.scheme != "data":
            return f"fetches {self.address[:80]!r} from elsewhere; a site must hold all it shows"
        if not self.fetched and self.scheme not in ("", "http", "https", "mailto"):
            return f"links to {self.address[:80]!r}, which is no web address"
        return None


def faults(site: Path, run) -> Iterator[str]:
    """What is wrong with a site that is to show `run`. The site is only read."""
    marker, files = read_marker(site), {}
    for path in sorted(site.rglob("*")):
        if path.is_symlink():
            yield f"{path}: is a symbolic link, which a published site cannot hold; delete it"
        elif path.is_file():
            files[path.relative_to(site).as_posix()] = path
        elif not path.is_dir():
            yield f"{path}: is a pipe or a device, which a published site cannot hold; delete it"
    yield from _unlike_what_was_built(site, marker["files"], files)
    yield from _names_and_sizes(site, files)
    pages = {name: Markup(path.read_text(encoding="utf-8", errors="replace"))
             for name, path in files.items() if name.endswith(".html")}
    # Shown at any depth of the address that was not found, this page alone names its own site's.
    top = marker["made_from"].get("base_url", "").rstrip("/") + "/"
    for name in files:
        references = (pages[name].references if name in pages else
                      _of_style(files[name]) if name.endswith(".css") else [])
        for reference in references:
            if name == "404.html" and top != "/" and reference.address.startswith(top):
                reference = Reference(reference.address[len(top):], reference.fetched)
            yield from _faults_of(site, name, reference, files, pages)
    if "404.html" not in files:
        yield f"{site}/404.html: is missing; build the site again"
    yield from _another_submission(site, files, run)


def _unlike_what_was_built(site: Path, built: Dict[str, str],
                           files: Dict[str, Path]) -> Iterator[str]:
    for name, expected in built.items():
        if name not in files:
            yield f"{site / name}: is missing; build the site again"
        elif hashlib.sha256(files[name].read_bytes()).hexdigest() != expected:
            yield f"{site / name}: was changed after it was built; build the site again"


def _names_and_sizes(site: Path, files: Dict[str, Path]) -> Iterator[str]:
    for name, path in files.items():
        hidden = [part for part in PurePosixPath(name).parts
                  if part.startswith(".") and name != ".nojekyll"]
        if hidden:
            yield f"{path}: is hidden; what is published should be meant to be seen. Delete it"
        if any(part.startswith("_") for part in PurePosixPath(name).parts) \
                and ".nojekyll" not in files:
            yield f"{path}: GitHub Pages leaves out names with an underscore; rename it"
        if path.stat().st_size > LARGEST_FILE:
            yield f"{path}: has more than {LARGEST_FILE:,} bytes, which GitHub refuses"
    if sum(path.stat().st_size for path in files.values()) > LARGEST_SITE:
        yield f"{site}: has more than {LARGEST_SITE:,} bytes in all, which GitHub Pages refuses"


def _faults_of(site: Path, name: str, reference: Reference, files: Dict[str, Path],
               pages: Dict[str, "Markup"]) -> Iterator[str]:
    where, address = site / name, reference.address
    if reference.fault:
        yield f"{where}: {reference.fault}"
    if reference.leads_out:
        return
    parts = urlsplit(address)
    if parts.path.startswith("/"):
        yield f"{where}: {address!r} starts at the server's top and breaks under a sub-path"
        return
    target = _resolved(name, unquote(parts.path))
    if target not in files:
        yield f"{where}: {address!r} leads to nothing"
    elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        yield f"{where}: {address!r} names a place that {target} does not have"


def _resolved(name: str, path: str) -> str:
    """The file that a relative path leads to from a file; "" outside the site."""
    if not path:
        return name
    steps: List[str] = list(PurePosixPath(name).parent.parts)
    for step in path.split("/"):
        if step == "..":
            if not steps:
                return ""
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join([*steps, "index.html"] if path.endswith(("/", ".")) else steps)


def _another_submission(site: Path, files: Dict[str, Path], run) -> Iterator[str]:
    if DOWNLOAD not in files:
        yield f"{site / DOWNLOAD}: is missing; build the site again"
    elif files[DOWNLOAD].read_bytes() != run.submitted:
        yield (f"{site / DOWNLOAD}: is not the submission of the run, {run.submission}; "
               "build the site again")


class Markup(HTMLParser):
    """The addresses in a page or a part of one, and the places in it that an address may name."""

    def __init__(self, text: str):
        super().__init__()
        self.references: List[Reference] = []
        self.ids: Set[str] = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, str]]) -> None:
        for name, value in attributes:
            value = value or ""
            if name in ("id", "name"):
                self.ids.add(value)
            elif name == "srcset":
                self._add(*(each.split()[0] for each in value.split(",") if each.split()))
            elif name in FETCHING or (name == "href" and tag == "link" and not _is_told(attributes)):
                self._add(value.strip())
            elif name == "href":
                self.references.append(Reference(value.strip(), fetched=False))
            elif name == "style":
                self.references += _in_style(value)

    def _add(self, *addresses: str) -> None:
        self.references += [Reference(address, fetched=True) for address in addresses]


def _is_told(attributes) -> bool:
    """Whether a <link> only tells something, such as the page's own published address."""
    return dict(attributes).get("rel") in ("canonical", "alternate", "license", "author")


def _of_style(path: Path) -> List[Reference]:
    return _in_style(path.read_text(encoding="utf-8", errors="replace"))


def _in_style(text: str) -> List[Reference]:
    return [Reference((first or second).strip(), fetched=True)
            for first, second in STYLE_ADDRESS.findall(text)]
