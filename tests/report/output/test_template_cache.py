"""Templates are translated once, and again when they are other ones."""

import jinja2
import pytest

from report.output.template_cache import TemplateCache


@pytest.fixture
def rendered(tmp_path, monkeypatch):
    """rendered() is the page of a template of two; rendered.translated are those that Jinja2 translated."""
    templates, translated = tmp_path / "templates", []
    templates.mkdir()
    (templates / "page.html").write_text("{% include 'part.html' %} of {{ n }}")
    (templates / "part.html").write_text("part")
    original = jinja2.Environment.compile

    def compile(self, source, name=None, *others, **keywords):
        translated.append(name)
        return original(self, source, name, *others, **keywords)
    monkeypatch.setattr(jinja2.Environment, "compile", compile)

    def render(code="code"):
        translated.clear()
        env = jinja2.Environment(loader=jinja2.FileSystemLoader(templates),
                                 bytecode_cache=TemplateCache(tmp_path / "cache", code))
        return env.get_template("page.html").render(n=3)
    render.translated = translated
    return render


def test_a_second_render_translates_nothing(rendered, tmp_path):
    assert rendered() == "part of 3" and rendered.translated == ["page.html", "part.html"]
    assert rendered() == "part of 3" and rendered.translated == []
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_template_that_changed_is_translated_again(rendered, tmp_path):
    rendered()
    (tmp_path / "templates" / "part.html").write_text("whole")
    assert rendered() == "whole of 3" and rendered.translated == ["part.html"]
    assert rendered() == "whole of 3" and rendered.translated == []
    assert len(list((tmp_path / "cache").iterdir())) == 2  # in the place of the old one


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: b"", lambda content: b"x" + content,
                                    lambda content: b"i\1\0\0\0"])
def test_a_damaged_file_is_translated_again(rendered, tmp_path, damage):
    rendered()
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(damage(file.read_bytes()))
    assert rendered() == "part of 3" and rendered.translated == ["page.html", "part.html"]
    assert rendered() == "part of 3" and rendered.translated == []


def test_templates_of_another_jinja2_are_translated_again(rendered, monkeypatch):
    rendered()
    monkeypatch.setattr("report.output.template_cache.metadata.version", lambda name: "0")
    assert rendered() == "part of 3" and rendered.translated == ["page.html", "part.html"]


def test_templates_for_other_code_are_translated_again(rendered):
    rendered()
    assert rendered("other") == "part of 3" and rendered.translated == ["page.html", "part.html"]


def test_where_nothing_can_be_written_pages_are_rendered_all_the_same(rendered, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert rendered() == rendered() == "part of 3"
