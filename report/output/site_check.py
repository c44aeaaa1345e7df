"""Is a built site fit to be published? Each fault is a line that names its file.

What is in the files was checked when they were rendered; here they must be as they were built.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from digits.run import Run, finished_runs
from report.errors import ReportError, one_line
from report.output.bundle import MARKER, read_marker

SUBMISSION = "downloads/submission.csv"
MAX_FILE_BYTES, MAX_SITE_BYTES = 100_000_000, 1_000_000_000  # what GitHub Pages takes
MAY_BE_ADDED = ("CNAME", ".nojekyll", "robots.txt")  # by hand, for those who serve the site


def shown_run(site: Path, runs: Path) -> Run:
    """The run that a site shows. Raises ReportError if it is not there any more."""
    fingerprint = read_marker(site)["made_from"].get("run")
    for run in reversed(finished_runs(runs)):
        if run.record.fingerprint == fingerprint:
            return run
    raise ReportError(f"{site}: its run is not in {runs}/, so it cannot be checked against it. Build "
                      "the site again with: python -m report build")


def faults(site: Path, run: Run) -> Iterator[str]:
    """What is wrong with a site that is to show `run`. The site is only read."""
    return map(one_line, _faults(site, run))


def _faults(site: Path, run: Run) -> Iterator[str]:
    built, files = read_marker(site)["files"], {}
    for path in sorted(site.rglob("*")):
        if path.is_symlink():
            yield f"{path}: is a symbolic link, which a published site cannot hold; delete it"
        elif path.is_file():
            files[path.relative_to(site).as_posix()] = path
        elif not path.is_dir():
            yield f"{path}: is a pipe or a device, which a published site cannot hold; delete it"
    yield from _unlike_what_was_built(site, built, files)
    yield from _names_and_sizes(site, files)
    if SUBMISSION in files and files[SUBMISSION].read_bytes() != run.submitted:
        yield (f"{site / SUBMISSION}: is not the submission of the run, {run.submission}; "
               "build the site again")


def _unlike_what_was_built(site: Path, built: dict[str, str], files: dict[str, Path]) -> Iterator[str]:
    for name, expected in built.items():
        if name not in files:
            yield f"{site / name}: is missing; build the site again"
        elif hashlib.sha256(files[name].read_bytes()).hexdigest() != expected:
            yield f"{site / name}: was changed after it was built; build the site again"
    for name in files:
        if name not in (*built, MARKER, *MAY_BE_ADDED):
            yield (f"{site / name}: is not part of the site that was built; delete it (only "
                   f"{', '.join(MAY_BE_ADDED)} may be added)")


def _names_and_sizes(site: Path, files: dict[str, Path]) -> Iterator[str]:
    for name, path in files.items():
        parts = PurePosixPath(name).parts
        if name != ".nojekyll" and any(part.startswith(".") for part in parts):
            yield f"{path}: is hidden; what is published should be meant to be seen. Delete it"
        if path.stat().st_size > MAX_FILE_BYTES:
            yield f"{path}: has more than {MAX_FILE_BYTES:,} bytes, which GitHub refuses"
    if sum(path.stat().st_size for path in files.values()) > MAX_SITE_BYTES:
        yield f"{site}: has more than {MAX_SITE_BYTES:,} bytes in all, which GitHub Pages refuses"
