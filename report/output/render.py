"""A finished run in, a site out."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import List

from digits.run import Run
from report import contexts
from report.figures import cards
from report.output import sources
from report.text import notes
from report.output.environment import environment
from report.text.facts import facts
from report.pages import NOT_FOUND, Plan, pages_of
from report.paths import ASSETS
from report.settings import SiteSettings
from report.pages.study import Study, study
from report.output.bundle import Bundle


def render(run: Run, output: Path, notes_folder: Path, settings: SiteSettings) -> Study:
    """Write the site of one run to `output`, whole or not at all."""
    run.read()
    # Beside the site and nowhere near the run: that may come from a stranger, and a drawing goes
    # into a page as it is.
    studied = study(run, output.resolve().with_name(f".{output.resolve().name}.drawings"))
    plans = [*pages_of(studied), NOT_FOUND]
    pages = _pages(plans, studied, notes_folder)
    site = _site(settings, studied, pages[:-1])
    bundle = Bundle({"run": run.record.fingerprint, "sources": sources.fingerprint(),
                     "notes": sources.of_notes(notes_folder), "base_url": settings.base_url})
    bundle.add_folder(ASSETS)
    bundle.add(".nojekyll", b"")  # else GitHub Pages would run the site through Jekyll
    _render_pages(bundle, site, plans, pages, studied)
    bundle.write(output)
    studied.drawings.forget_unused()
    return studied


def _pages(plans: List[Plan], studied: Study, notes_folder: Path) -> List[contexts.Page]:
    known = facts(studied)
    return [contexts.Page(plan.path, plan.name, plan.title, plan.description,
                          f"images/cards/{plan.key}.png", notes.render(plan.key, known, notes_folder))
            for plan in plans]


def _site(settings: SiteSettings, studied: Study, pages: List[contexts.Page]) -> contexts.Site:
    record = studied.run.record
    return contexts.Site(**asdict(settings), pages=pages, sample=studied.sample,
                         warnings=record.warnings,
                         run_id=record.id, finished=record.finished,
                         device=record.device.description)


def _render_pages(bundle: Bundle, site: contexts.Site, plans: List[Plan],
                  pages: List[contexts.Page], studied: Study) -> None:
    env = environment()
    for plan, page in zip(plans, pages):
        template = env.get_template(f"{plan.key}.html")
        context = plan.module.context(studied, bundle)
        names = {field.name: getattr(context, field.name) for field in fields(context)}
        bundle.add(page.path, template.render(site=site, page=page, **names))
        bundle.add(page.card, cards.card(studied, site.title, page.title))
