"""Reads the site's pages as trees, with nothing but the standard library."""

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from report.pages import NOT_FOUND, PAGES


NAMES = [Path(plan.path).stem for plan in (*PAGES, NOT_FOUND)]


class _Tree(HTMLParser):
    """HTML to an ElementTree, which also shows that every element is closed where it should be."""

    VOID = {"meta", "link", "img", "br", "hr", "input"}

    def __init__(self):
        super().__init__()
        self.builder, self.open = ElementTree.TreeBuilder(), []

    def handle_starttag(self, tag, attributes):
        self.builder.start(tag, {name: value or "" for name, value in attributes})
        if tag in self.VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.builder.start(tag, {name: value or "" for name, value in attributes})
        self.builder.end(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> on line {self.getpos()[0]} closes another element"
        self.builder.end(tag)

    def handle_data(self, data):
        self.builder.data(data)


def read_html(path: Path) -> ElementTree.Element:
    """A page as a tree, to be asked with find and findall."""
    tree = _Tree()
    tree.feed(path.read_text(encoding="utf-8"))
    tree.close()
    assert not tree.open
    return tree.builder.close()


def text_of(element) -> str:
    """All text of an element, with single spaces."""
    return " ".join(" ".join(element.itertext()).split())
