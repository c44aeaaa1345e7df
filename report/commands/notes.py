"""`report notes`: the texts of the pages, to edit."""

import shutil
from dataclasses import fields

from report.facts import Facts
from report.paths import BUILT_IN_NOTES


def run(options) -> None:
    if options.names:
        for item in fields(Facts):
            print(f"{item.name:22} {item.metadata['about']}")
        return
    options.notes.mkdir(parents=True, exist_ok=True)
    for source in sorted(BUILT_IN_NOTES.glob("*.md")):
        target = options.notes / source.name
        if target.exists():
            print(f"{target}  kept as it is")
        else:
            shutil.copyfile(source, target)
            print(f"{target}  written")
    print("Edit these and run: python -m report render")
