"""Templates and contexts agree, in both directions."""

import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from jinja2 import Environment, meta, nodes
from made import MISCLASSIFIED

from report.output.render import environment, render
from report.pages import NOT_FOUND, PAGES
from report.paths import TEMPLATES
from report.settings import SiteSettings

CONTEXTS = {plan.key: plan.module.context.__annotations__["return"]
            for plan in (*PAGES, NOT_FOUND)}

GIVEN = {"site", "pages", "page", "note", "study"}  # to every template


@pytest.mark.parametrize("key", CONTEXTS)
def test_a_template_uses_exactly_the_fields_of_its_context(key):
    env = environment()
    source = (TEMPLATES / f"{key}.html").read_text(encoding="utf-8")
    used = meta.find_undeclared_variables(env.parse(source)) - {*GIVEN, "draw"}
    assert used == {field.name for field in fields(CONTEXTS[key])}


def test_shared_templates_use_only_what_every_template_sees():
    env = environment()
    for path in [TEMPLATES / "base.html", *TEMPLATES.glob("partials/*.html")]:
        used = meta.find_undeclared_variables(env.parse(path.read_text(encoding="utf-8")))
        assert used <= {*GIVEN, "caller"}, path


def test_every_template_belongs_to_a_page():
    assert {path.stem for path in TEMPLATES.glob("*.html")} == {"base", *CONTEXTS}


def test_every_field_of_what_a_context_holds_is_used(make_run, tmp_path, monkeypatch):
    read = set()
    look_up = Environment.getattr

    def noting(self, thing, name):
        read.add((type(thing).__name__, name))
        return look_up(self, thing, name)

    monkeypatch.setattr(Environment, "getattr", noting)
    settings = SiteSettings(author="Ada", base_url="https://example.org/digits")
    make_run("runs/earlier", finished="2025-02-01T12:00:00+00:00")
    suspected = [*MISCLASSIFIED, (6, 5, 0.9915)]  # so sure of another label that this one may be wrong
    run = make_run("runs/run", misclassified=suspected, leaks=[(1, 2)], seeds=3, whole=True)
    render(run, tmp_path / "site", Path("no-notes"), settings)
    modules = [sys.modules["report.pages.shared"], *(plan.module for plan in PAGES)]
    held = [each for module in modules for each in vars(module).values()
            if is_dataclass(each) and each.__module__ == module.__name__ and each not in CONTEXTS.values()]
    assert len(held) > 10
    assert not {(each.__name__, field.name) for each in held for field in fields(each)} - read


def test_links_go_through_one_filter():
    env = environment()
    for path in TEMPLATES.rglob("*.html"):
        for data in env.parse(path.read_text(encoding="utf-8")).find_all(nodes.TemplateData):
            for attribute in ("href=\"", "src=\""):
                for target in data.data.split(attribute)[1:]:
                    assert target.startswith(("#", "https://github.com/", "https://www.kaggle.com/")) or target == "", \
                        f"{path.name}: {target[:40]}"
