"""`report notes`: the texts of the pages, to edit."""

import os
import shutil
from dataclasses import fields

from report.errors import ReportError
from report.text.facts import Facts
from report.paths import BUILT_IN_NOTES


def run(options) -> None:
    if options.names:
        for item in fields(Facts):
            print(f"{item.name:22} {item.metadata['about']}")
        return
    try:
        options.notes.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ReportError(f"{options.notes}: cannot be made, for a file or a broken link is in its "
                          "place. Move that away, or name another folder with --notes.") from None
    for source in sorted(BUILT_IN_NOTES.glob("*.md")):
        target = options.notes / source.name
        if os.path.lexists(target):
            print(f"{target}  kept as it is")
        else:
            shutil.copyfile(source, target)
            print(f"{target}  written")
    print("Edit these and run: python -m report render")
