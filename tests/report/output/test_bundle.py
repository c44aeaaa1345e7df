"""A site comes into its folder whole, or stays as it was."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from report.errors import ReportError
from report.output.bundle import MARKER, Bundle, files_of_earlier_build, read_marker


def bundle(**files) -> Bundle:
    made = Bundle()
    for name, content in files.items():
        made.add(f"{name}.html", content)
    return made


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_no_path_is_written_by_two_parts_with_different_content():
    made = bundle(index="one")
    with pytest.raises(ReportError, match="index.html"):
        made.add("index.html", "two")


def test_a_site_is_written_with_its_marker(tmp_path):
    bundle(index="one").write(tmp_path / "site")
    assert (tmp_path / "site" / "index.html").read_text() == "one"
    assert list(json.loads((tmp_path / "site" / MARKER).read_text())["files"]) == ["index.html"]


def test_a_new_site_replaces_the_old_one_whole(tmp_path):
    bundle(index="one", old="x").write(tmp_path / "site")
    bundle(index="two").write(tmp_path / "site")
    assert names(tmp_path / "site") == [MARKER, "index.html"]
    assert names(tmp_path) == ["site"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "site").mkdir()
    bundle(index="one").write(tmp_path / "site")
    assert (tmp_path / "site" / "index.html").exists()


def test_a_folder_that_is_no_site_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ReportError, match="not empty .* left alone"):
        bundle(index="one").write(tmp_path)
    with pytest.raises(ReportError, match="not empty .* left alone"):
        files_of_earlier_build(tmp_path)  # which `build` asks before it trains
    assert names(tmp_path) == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_left_alone(tmp_path):
    (tmp_path / "site").write_text("a file")
    with pytest.raises(ReportError, match="is a file"):
        bundle(index="one").write(tmp_path / "site")


def test_files_that_the_user_added_are_kept(tmp_path):
    bundle(index="one", old="x").write(tmp_path / "site")
    (tmp_path / "site" / "CNAME").write_text("digits.example.org")
    bundle(index="two").write(tmp_path / "site")
    assert names(tmp_path / "site") == ["CNAME", MARKER, "index.html"]


def test_the_last_good_site_survives_a_crash_while_writing(tmp_path, monkeypatch):
    bundle(index="one").write(tmp_path / "site")
    broken = bundle(index="two")
    broken.files["bad.html"] = "not bytes"
    with pytest.raises(TypeError):
        broken.write(tmp_path / "site")
    assert (tmp_path / "site" / "index.html").read_text() == "one"


def test_a_full_disk_is_named_and_the_last_good_site_stays(tmp_path):
    """A limit on the size of files stands for it."""
    site = tmp_path / "site"
    bundle(index="one").write(site)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(ReportError, match="site: cannot be written .* free some space .*--output"):
            bundle(index="x" * 100_000).write(site)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == ["site"] and (site / "index.html").read_text() == "one"


def test_where_nothing_can_be_written_no_other_build_is_blamed():
    with pytest.raises(ReportError, match="/proc/x: cannot be written"):
        bundle(index="one").write(Path("/proc/x"))


@pytest.mark.parametrize("number", [1, 2])
def test_a_ctrl_c_before_either_rename_leaves_the_last_good_site(tmp_path, monkeypatch, number):
    bundle(index="one").write(tmp_path / "site")
    rename, renames = Path.rename, []

    def interrupted(path, target):
        renames.append(path)
        if len(renames) == number:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bundle(index="two").write(tmp_path / "site")
    assert names(tmp_path) == ["site"]
    assert (tmp_path / "site" / "index.html").read_text() == "one"


KILLED_BETWEEN_THE_RENAMES = """
import os, sys
from pathlib import Path
from report.output.bundle import Bundle
rename = Path.rename
Path.rename = lambda path, to: rename(path, to) if path.name == "site" else os.kill(os.getpid(), 9)
made = Bundle()
made.add("index.html", "two")
made.write(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("look", [read_marker, files_of_earlier_build,
                                  lambda site: bundle(index="one").write(site)])
def test_whoever_looks_first_after_a_kill_between_the_renames_finds_the_last_good_site(tmp_path, look):
    site = tmp_path / "site"
    bundle(index="one").write(site)
    (site / "CNAME").write_text("digits.example.org")
    killed = subprocess.run([sys.executable, "-c", KILLED_BETWEEN_THE_RENAMES, str(site)], env={
        **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert killed.returncode == -9 and not site.exists()
    look(site)
    assert names(site) == ["CNAME", MARKER, "index.html"]
    assert (site / "index.html").read_text() == "one"
    bundle(index="two").write(site)  # the lock of the killed build holds nobody up
    assert names(tmp_path) == ["site"]


def test_two_builds_do_not_write_one_site_at_once(tmp_path):
    with FileLock(tmp_path / ".site.lock"), pytest.raises(ReportError, match="another build is"):
        bundle(page="second").write(tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_link_in_the_site_stays_one(tmp_path):
    """Else a rebuild would make a copy of what it leads to, and publish that."""
    site = tmp_path / "site"
    bundle(index="one").write(site)
    (tmp_path / "secret.txt").write_text("secret")
    (site / "way-out").symlink_to(tmp_path / "secret.txt")
    bundle(index="two").write(site)
    assert (site / "way-out").is_symlink()
