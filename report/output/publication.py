"""A site onto a branch of a git remote, without writing over what others put there."""

import hashlib
import io
import json
import re
import subprocess
import zipfile
from pathlib import Path

from ghp_import import GhpError, ghp_import

from digits.run import Run
from report.errors import ReportError
from report.output import sources
from report.output.bundle import MARKER, read_marker
from report.output.site_check import MAY_BE_ADDED
from report.settings import SiteSettings

CHANGED = {"sources": "this program has", "notes": "your own texts have",
           "settings": "[report] of report.toml has"}


def branch_name(name: str) -> str:
    return _git("check-ref-format", "--branch", name, mend="Choose another name with --branch")


def refuse_stale(site: Path, run: Run, notes: Path, settings: SiteSettings) -> None:
    """Raises ReportError if the site is not what would be made of its run now."""
    made = read_marker(site)["made_from"]
    for name, present in sources.fingerprints(notes, settings).items():
        if made.get(name) != present:
            raise ReportError(f"{site}: is stale: {CHANGED[name]} changed since. Write it anew with: "
                              f"python -m report render --run {run.record.id}")


def publish(site: Path, remote: str, branch: str, title: str) -> str:
    """Commits the site to the branch, pushes that, and returns the remote's address."""
    address = _git("remote", "get-url", remote)
    _refuse_foreign_branch(remote, branch, site)
    try:
        ghp_import(str(site), remote=remote, branch=branch, push=True, mesg=title, nojekyll=True)
    except (GhpError, subprocess.CalledProcessError, OSError) as error:
        raise ReportError(f"{remote}: would not take the branch {branch}: {error}. "
                          "Fetch it and look at what others pushed there.") from None
    return address


def pages_address(remote: str) -> str:
    """Where GitHub Pages serves a remote; of other hosts only they can tell."""
    github = re.search(r"github\.com[:/]([^/]+)/(.+?)(?:\.git)?/?$", remote)
    if not github:
        return "see the settings of the host's pages"
    owner, name = github[1].lower(), github[2]
    return f"https://{owner}.github.io/" + ("" if name.lower() == f"{owner}.github.io" else f"{name}/")


def _refuse_foreign_branch(remote: str, branch: str, site: Path) -> None:
    """A branch that others have changed is not written over: all in it must be what was published,
    or be in the site."""
    if _git("branch", "--show-current") == branch:
        raise ReportError(f"{branch}: is checked out here, so publishing would change your files. "
                          "Check another branch out, with: git checkout -")
    if not _git("ls-remote", "--heads", remote, f"refs/heads/{branch}"):
        return
    _git("fetch", "--quiet", remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
    files = _files_of(f"refs/remotes/{remote}/{branch}")
    try:
        published = {**json.loads(files.pop(MARKER))["files"]}
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ReportError(f"{remote}: its branch {branch} holds something else than a site of this program (no "
                          f"valid {MARKER}). Delete it there, or choose another with --branch") from None
    for name, content in sorted(files.items()):
        if name in published and hashlib.sha256(content).hexdigest() != published[name]:
            raise ReportError(f"{remote}: somebody has changed {name} on its branch {branch}. Take what you need "
                              "of it and delete the branch there, or choose another with --branch")
        if name not in published and not (site / name).is_file():
            mend = f"Copy it to {site}/, where it is kept, or d" if name in MAY_BE_ADDED else "D"
            raise ReportError(f"{remote}: somebody has added {name} to its branch {branch}. {mend}elete it there")


def _files_of(ref: str) -> dict[str, bytes]:
    archive = subprocess.run(["git", "archive", "--format=zip", ref], stdout=subprocess.PIPE, check=True)
    with zipfile.ZipFile(io.BytesIO(archive.stdout)) as files:
        return {name: files.read(name) for name in files.namelist() if not name.endswith("/")}


def _git(*arguments: str, mend: str = "Is this a git repository with a remote? Add one with: "
                                      "git remote add origin ADDRESS") -> str:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", errors="replace",
                              check=True).stdout.strip()
    except FileNotFoundError:
        raise ReportError("git is not installed; publishing needs it.") from None
    except subprocess.CalledProcessError as error:
        why = (error.stderr.strip().splitlines() or ["no word why"])[-1]
        raise ReportError(f"git {' '.join(arguments)}: {why}. {mend}") from None
