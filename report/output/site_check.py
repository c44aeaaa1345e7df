"""Is a built site fit to be published? Each fault is a line that names its file.

What is in the files was checked when they were rendered; here they must be as they were built.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from digits.run import Run, finished_runs
from report.errors import ReportError
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
    raise ReportError(f"{site}: its run is not in {runs}/, so the site cannot be checked against it. "
                      "Build the site again with: python -m report build")


def faults(site: Path, run: Run) -> Iterator[str]:
    """What is wrong with a site that is to show `run`. The site is only read."""
    built, bytes_in_all = read_marker(site)["files"], 0
    for name in built:
        if not (site / name).is_file():
            yield f"{site / name}: is missing; build the site again"
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            yield f"{path}: is a link, a pipe or a device, which a published site cannot hold; delete it"
        elif path.is_file():
            size = path.stat().st_size
            bytes_in_all += size
            if size > MAX_FILE_BYTES:
                yield f"{path}: has more than {MAX_FILE_BYTES:,} bytes, which GitHub refuses"
            if name not in (*built, MARKER, *MAY_BE_ADDED):
                yield (f"{path}: is not part of the site that was built; delete it (only "
                       f"{', '.join(MAY_BE_ADDED)} may be added)")
            elif name in built and hashlib.sha256(path.read_bytes()).hexdigest() != built[name]:
                yield f"{path}: was changed after it was built; build the site again"
            if name == SUBMISSION and path.read_bytes() != run.submitted:
                yield f"{path}: is not the submission of the run, {run.submission}; build the site again"
    if bytes_in_all > MAX_SITE_BYTES:
        yield f"{site}: has more than {MAX_SITE_BYTES:,} bytes in all, which GitHub Pages refuses"
