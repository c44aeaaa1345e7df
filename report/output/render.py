"""A finished run in, a site out."""

from dataclasses import fields
from pathlib import Path

from digits.run import Run
from report.figures import cards
from report.output import sources
from report.output.bundle import Bundle
from report.output.environment import environment
from report.output.links import refuse_dead_links
from report.pages import NOT_FOUND, Plan, pages_of
from report.pages.shared import Page, Site
from report.pages.study import Study, study
from report.paths import ASSETS
from report.settings import SiteSettings
from report.text import notes
from report.text.facts import facts


def render(run: Run, output: Path, notes_folder: Path, settings: SiteSettings) -> Study:
    """Write the site of one run to `output`, whole or not at all."""
    run.read()
    # Beside the site and nowhere near the run: that may come from a stranger, and a drawing goes
    # into a page as it is.
    studied = study(run, output.resolve().with_name(f".{output.resolve().name}.drawings"))
    plans = [*pages_of(studied), NOT_FOUND]
    pages = _pages(plans, studied, notes_folder)
    bundle = Bundle()
    bundle.add_folder(ASSETS)
    bundle.add(".nojekyll", b"")  # else GitHub Pages would run the site through Jekyll
    _render_pages(bundle, _site(settings, studied, pages[:-1]), plans, pages, studied)
    refuse_dead_links(bundle.files, settings.base_url)
    bundle.write(output, {"run": run.record.fingerprint, **sources.fingerprints(notes_folder, settings)})
    studied.drawings.forget_unused()
    return studied


def _pages(plans: list[Plan], studied: Study, notes_folder: Path) -> list[Page]:
    known = facts(studied)
    return [Page(plan.path, plan.name, plan.title, plan.description,
                 f"images/cards/{plan.key}.png", notes.render(plan.key, known, notes_folder))
            for plan in plans]


def _site(settings: SiteSettings, studied: Study, pages: list[Page]) -> Site:
    record = studied.run.record
    return Site(**settings.model_dump(), pages=pages, sample=studied.sample, warnings=studied.warnings,
                run_id=record.id, finished=record.finished,
                device=", ".join(device.description for device in studied.devices))


def _render_pages(bundle: Bundle, site: Site, plans: list[Plan], pages: list[Page], studied: Study) -> None:
    env = environment()
    for plan, page in zip(plans, pages):
        template = env.get_template(f"{plan.key}.html")
        context = plan.module.context(studied, bundle)
        names = {field.name: getattr(context, field.name) for field in fields(context)}
        bundle.add(page.path, template.render(site=site, page=page, **names))
        bundle.add(page.card, cards.card(studied, site.title, page.title))
