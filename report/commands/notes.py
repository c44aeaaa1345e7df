"""`report notes`: the texts of the pages, to edit."""

import click

from report.commands import options
from report.errors import ReportError


@click.command()
@options.notes
@click.option("--names", is_flag=True, help="List the figures that a text may name.")
def notes(notes, names):
    """Copy the texts of the pages to notes/, to edit them.

    Texts there win over the built-in ones; files that exist are never overwritten. A text is
    Markdown and may name figures of the run, such as {{ accuracy }}, and choose by them:
    {% if errors == "0" %} ... {% endif %}. HTML comes out as text.

    \b
    Examples:
      python -m report notes
      python -m report notes --names       list the figures that a text may name
    """
    import os
    import shutil

    from report.paths import BUILT_IN_NOTES

    if names:
        from report.text.facts import FACTS
        for name, (about, _) in FACTS.items():
            print(f"{name:22} {about}")
        return
    try:
        notes.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ReportError(f"{notes}: cannot be made, for a file or a broken link is in its "
                          "place. Move that away, or name another folder with --notes.") from None
    for source in sorted(BUILT_IN_NOTES.glob("*.md")):
        target = notes / source.name
        if os.path.lexists(target):
            print(f"{target}  kept as it is")
        else:
            shutil.copyfile(source, target)
            print(f"{target}  written")
    print("Edit these and run: python -m report render")
