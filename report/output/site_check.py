"""Is a built site fit to be published? Each fault is a line that names its file."""

import hashlib
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, List, Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

from report.errors import one_line
from report.output.bundle import MARKER, read_marker

DOWNLOAD = "downloads/submission.csv"
LARGEST_FILE, LARGEST_SITE = 100_000_000, 1_000_000_000  # bytes; what GitHub Pages takes
MAY_BE_ADDED = ("CNAME", ".nojekyll", "robots.txt")  # by hand, for those who serve the site
# Attributes by which a page makes the browser ask for something, rather than offer a link.
FETCHING = {"src", "poster", "data", "background", "action", "formaction", "ping", "manifest"}
STYLING = {"style", "fill", "stroke", "filter", "mask", "clip-path", "cursor"}
QUOTED = r"""['"`](\s*[a-z]+://[^'"`]+|//[^'"`]+)"""  # an address of elsewhere
STYLE_ADDRESS = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)|""" + QUOTED,
                           re.IGNORECASE)
ADDRESSES = {".css": STYLE_ADDRESS, ".js": re.compile(QUOTED, re.IGNORECASE)}


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
    return map(one_line, _faults(site, run))


def _faults(site: Path, run) -> Iterator[str]:
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
    pages = {name: Markup(_text(path)) for name, path in files.items()
             if path.suffix in (".html", ".svg")}
    # Shown at any depth of the address that was not found, this page alone names its own site's.
    top = marker["made_from"].get("base_url", "").rstrip("/") + "/"
    for name, path in files.items():
        references = []
        if name in pages:
            references = pages[name].references
            for part in sorted(pages[name].active):
                yield f"{path}: holds {part}, which no page here does; build the site again"
        elif path.suffix in ADDRESSES:
            references = _found(ADDRESSES[path.suffix], _text(path))
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
    for name in files:
        if name not in (*built, MARKER, *MAY_BE_ADDED):
            yield (f"{site / name}: is not part of the site that was built; delete it (only "
                   f"{', '.join(MAY_BE_ADDED)} may be added)")


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
    """The addresses in a page or a part of one, the places in it that an address may name, and
    what acts by itself."""

    def __init__(self, text: str):
        super().__init__()
        self.references: List[Reference] = []
        self.ids: Set[str] = {"", "top"}
        self.active: Set[str] = set()
        try:
            self.feed(text)
            self.close()
            self.handle_data(self.rawdata)  # what is left: a script or style without its end
        except AssertionError:  # Python's own, of <![x[
            self.active.add("markup that cannot be read")

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, str]]) -> None:
        for name, value in attributes:
            value = value or ""
            if name in ("id", "name"):
                self.ids.add(value)
            elif name in ("srcset", "imagesrcset"):
                self.references += [Reference(each.split()[0], fetched=True)
                                    for each in value.split(",") if each.split()]
            elif name in FETCHING:
                self.references.append(Reference(value.strip(), fetched=True))
            elif name in ("href", "xlink:href"):
                link = tag in ("a", "area") or tag == "link" and _is_told(attributes)
                self.references.append(Reference(value.strip(), fetched=not link))
            elif name in STYLING:
                self.references += _found(STYLE_ADDRESS, value)
            elif name.startswith("on") or name == "srcdoc":
                self.active.add(f"the attribute {name}")
            elif name == "http-equiv" and value.strip().lower() == "refresh":
                self.active.add("an order to go elsewhere (refresh)")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script" and data.strip():
            self.active.add("a script")
        elif self.cdata_elem == "style":
            self.references += _found(STYLE_ADDRESS, data)


def _is_told(attributes) -> bool:
    """Whether a <link> only tells something, such as the page's own published address."""
    first = dict(reversed(attributes))  # of two of one name browsers take the first
    return first.get("rel") in ("canonical", "alternate", "license", "author")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _found(addresses: "re.Pattern", text: str) -> List[Reference]:
    return [Reference(found[found.lastindex].strip(), fetched=True)
            for found in addresses.finditer(text)]
