"""The Jinja2 environment: what every template can rely on."""

from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context

from report.text import formats
from report.paths import TEMPLATES


def environment() -> Environment:
    """Autoescaping, and strict: a name that no context has is an error, never an empty string."""
    env = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                      trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    env.filters.update(formats.FILTERS, link=link, address=address)
    return env


@pass_context
def link(context, target: str) -> str:
    """The address of a file of this site, seen from the page that is being rendered.

    Relative, so that the site works under any path and from a folder. Only the 404 page, which a
    server shows at any depth, uses the published address where report.toml gives one.
    """
    site, page = context["site"], context["page"]
    if page.path == "404.html" and site.base_url:
        return f"{site.base_url.rstrip('/')}/{target}"
    return "../" * page.path.count("/") + quote(target)


@pass_context
def address(context, target: str) -> str:
    """The whole address of a file of this site where report.toml says where it is published, as
    canonical links and social pictures want it; elsewhere the relative one."""
    base_url = context["site"].base_url
    return f"{base_url.rstrip('/')}/{quote(target)}" if base_url else link(context, target)
