"""A finished run in, a site out."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Dict, List

from digits.run import Run
from report import contexts, notes
from report.environment import environment
from report.facts import facts
from report.pages import NOT_FOUND, PAGES
from report.paths import ASSETS
from report.settings import SiteSettings
from report.study import Study, study
from report.writer import Bundle


def render(run: Run, output: Path, notes_folder: Path, settings: SiteSettings) -> Study:
    """Write the site of one run to `output`, whole or not at all."""
    studied = study(run)
    pages = _pages(studied, notes_folder)
    site = _site(settings, run, studied, [pages[plan.key] for plan in PAGES])
    bundle = Bundle()
    bundle.add_folder(ASSETS)
    bundle.add(".nojekyll", b"")  # else GitHub Pages would run the site through Jekyll
    _render_pages(bundle, site, pages, studied)
    bundle.write(output)
    return studied


def _pages(studied: Study, notes_folder: Path) -> Dict[str, contexts.Page]:
    known = facts(studied)
    return {plan.key: contexts.Page(plan.path, plan.name, plan.title, plan.description,
                                    notes.render(plan.key, known, notes_folder))
            for plan in (*PAGES, NOT_FOUND)}


def _site(settings: SiteSettings, run: Run, studied: Study,
          pages: List[contexts.Page]) -> contexts.Site:
    return contexts.Site(**asdict(settings), pages=pages, sample=studied.sample,
                         run_id=run.record.id, finished=run.record.finished,
                         device=run.record.device.description)


def _render_pages(bundle: Bundle, site: contexts.Site, pages: Dict[str, contexts.Page],
                  studied: Study) -> None:
    env = environment()
    for plan in (*PAGES, NOT_FOUND):
        template = env.get_template(f"{plan.key}.html")
        context = plan.module.context(studied, bundle)
        names = {field.name: getattr(context, field.name) for field in fields(context)}
        bundle.add(plan.path, template.render(site=site, page=pages[plan.key], **names))
