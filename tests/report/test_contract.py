"""Templates and contexts agree, in both directions."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from jinja2 import Environment, meta, nodes

from digits.run import Layer
from report import contexts
from report.output.environment import environment
from report.pages import NOT_FOUND, PAGES
from report.paths import TEMPLATES
from report.output.render import render
from report.settings import SiteSettings

CONTEXTS = {plan.key: plan.module.context.__annotations__["return"]
            for plan in (*PAGES, NOT_FOUND)}


@pytest.mark.parametrize("key", CONTEXTS)
def test_a_template_uses_exactly_the_fields_of_its_context(key):
    env = environment()
    source = (TEMPLATES / f"{key}.html").read_text(encoding="utf-8")
    used = meta.find_undeclared_variables(env.parse(source)) - {"site", "page", "draw"}
    assert used == {field.name for field in fields(CONTEXTS[key])}


def test_shared_templates_use_only_site_and_page():
    env = environment()
    for path in [TEMPLATES / "base.html", *TEMPLATES.glob("partials/*.html")]:
        used = meta.find_undeclared_variables(env.parse(path.read_text(encoding="utf-8")))
        assert used <= {"site", "page", "caller"}, path


def test_every_template_belongs_to_a_page():
    assert {path.stem for path in TEMPLATES.glob("*.html")} == {"base", *CONTEXTS}


def test_every_field_of_every_part_is_used(make_run, tmp_path, monkeypatch):
    read = set()
    look_up = Environment.getattr

    def noting(self, thing, name):
        read.add((type(thing).__name__, name))
        return look_up(self, thing, name)

    monkeypatch.setattr(Environment, "getattr", noting)
    settings = SiteSettings(author="Ada", base_url="https://example.org/digits")
    make_run("earlier", finished="2025-02-01T12:00:00+00:00")
    render(make_run(leaks=[(1, 2)]), tmp_path / "site", Path("no-notes"), settings)
    parts = [part for part in vars(contexts).values() if is_dataclass(part)
             and part.__module__ == contexts.__name__ and part not in CONTEXTS.values()]
    unused = {(part.__name__, field.name) for part in (*parts, Layer) for field in fields(part)} - read
    assert not unused


def test_links_go_through_one_filter():
    env = environment()
    for path in TEMPLATES.rglob("*.html"):
        for data in env.parse(path.read_text(encoding="utf-8")).find_all(nodes.TemplateData):
            for attribute in ("href=\"", "src=\""):
                for target in data.data.split(attribute)[1:]:
                    assert target.startswith(("#", "https://github.com/")) or target == "", \
                        f"{path.name}: {target[:40]}"
