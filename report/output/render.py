"""A finished run in, a site out."""

from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, pass_context

from digits.run import Run
from report.figures import cards
from report.output import sources
from report.output.bundle import Bundle, beside
from report.output.links import refuse_dead_links
from report.output.template_cache import TemplateCache
from report.pages import NOT_FOUND, pages_of
from report.pages.study import Study
from report.paths import ASSETS, TEMPLATES
from report.settings import SiteSettings
from report.text import formats, notes, promise
from report.text.facts import facts


def render(run: Run, output: Path, notes_folder: Path, settings: SiteSettings) -> Study:
    """Write the site of one run to `output`, whole or not at all."""
    run.read()
    made_from = {"run": run.record.fingerprint, **sources.fingerprints(notes_folder, settings)}
    # Beside the site and nowhere near the run: that may come from a stranger, and a drawing goes
    # into a page as it is.
    studied = Study(run, beside(output.resolve(), "drawings"))
    bundle = Bundle()
    for path in filter(Path.is_file, ASSETS.rglob("*")):
        bundle.add(path.relative_to(ASSETS).as_posix(), path.read_bytes())
    bundle.add(".nojekyll", b"")  # else GitHub Pages would run the site through Jekyll
    env = environment(TemplateCache(beside(output.resolve(), "templates"), made_from["sources"]))
    pages, known = pages_of(studied), facts(studied)
    for page in (*pages, NOT_FOUND):
        context = page.module.context(studied, bundle)
        bundle.add(page.path, env.get_template(f"{page.key}.html").render(
            site=settings, pages=pages, study=studied, page=page,
            note=notes.render(page.key, known, notes_folder), **vars(context)))
        bundle.add(page.card, cards.card(studied, settings.title, page.title))
    if settings.base_url:
        _add_for_crawlers(bundle, settings.base_url.rstrip("/"), [page.path for page in pages])
    refuse_dead_links(bundle.files, settings.base_url)
    bundle.write(output, made_from)
    studied.drawings.forget_unused()
    return studied


def _add_for_crawlers(bundle: Bundle, base_url: str, paths: list[str]) -> None:
    """What search engines ask for, where it is known at which address they do."""
    addresses = "".join(f"<url><loc>{escape(f'{base_url}/{quote(path)}')}</loc></url>\n" for path in paths)
    bundle.add("sitemap.xml", '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns='
               f'"http://www.sitemaps.org/schemas/sitemap/0.9">\n{addresses}</urlset>\n')
    bundle.add("robots.txt", f"User-agent: *\nAllow: /\nSitemap: {base_url}/sitemap.xml\n")


def environment(cache: BytecodeCache | None = None) -> Environment:
    """Autoescaping, and strict: a name that no context has is an error, never an empty string."""
    env = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                      trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, bytecode_cache=cache)
    env.filters.update(**formats.FILTERS, **promise.FILTERS, link=_link, address=_address)
    return env


@pass_context
def _link(context, target: str) -> str:
    """The address of a file of this site, seen from the page that is being rendered.

    Relative, so that the site works under any path and from a folder. Only the 404 page, which a
    server shows at any depth, uses the published address where report.toml gives one.
    """
    return _address(context, target) if context["page"].path == "404.html" else quote(target)


@pass_context
def _address(context, target: str) -> str:
    """The whole address of a file of this site where report.toml says where it is published, as
    canonical links and social pictures want it; elsewhere the relative one."""
    base_url = context["site"].base_url
    return f"{base_url.rstrip('/')}/{quote(target)}" if base_url else quote(target)
