import json
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from report.errors import ReportError
from report.output.bundle import MARKER, Bundle, only_build


def bundle(**files) -> Bundle:
    made = Bundle()
    for name, content in files.items():
        made.add(f"{name}.html", content)
    return made


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_no_path_is_written_twice():
    made = bundle(index="one")
    with pytest.raises(ReportError, match="index.html"):
        made.add("index.html", "two")


@pytest.mark.parametrize("path", ["../run.json", "images/../../x.png", "/etc/x", "a\\..\\b"])
def test_no_path_leads_out_of_the_site(path):
    with pytest.raises(ReportError, match="outside the site"):
        Bundle().add(path, "x")


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
    with pytest.raises(ReportError, match="not empty .* left alone"), only_build(tmp_path):
        pytest.fail("trained for a site that cannot be written")
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


@pytest.mark.parametrize("already", [False, True])
def test_a_full_disk_is_named_and_not_kept_full(tmp_path, already):
    """A limit on the size of files stands for it."""
    site = tmp_path / "site"
    if already:
        bundle(index="one").write(site)
    (tmp_path / ".site.drawings").mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(ReportError, match="site: cannot be written .* free some space .*--output"):
            bundle(index="x" * 100_000).write(site)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    # The drawings of a site that is there serve its next build.
    assert names(tmp_path) == ([".site.drawings", "site"] if already else [])


def test_where_nothing_can_be_written_no_other_build_is_blamed():
    with pytest.raises(ReportError, match="/proc/x: cannot be written"):
        bundle(index="one").write(Path("/proc/x"))


def test_a_build_stopped_between_the_two_renames_is_mended(tmp_path):
    bundle(index="one").write(tmp_path / "site")
    (tmp_path / "site" / "CNAME").write_text("digits.example.org")
    (tmp_path / "site").rename(tmp_path / ".site.previous")
    bundle(index="two").write(tmp_path / "site")
    assert names(tmp_path / "site") == ["CNAME", MARKER, "index.html"]
    assert names(tmp_path) == ["site"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can exchange folders")
def test_there_is_a_whole_site_at_every_moment_of_a_build(tmp_path):
    """Somebody who looks all the time sees the old site or the new one, never none."""
    seen, done = set(), threading.Event()

    def look():
        while not done.is_set():
            seen.add((tmp_path / "site").exists())
    bundle(page="old").write(tmp_path / "site")
    looking = threading.Thread(target=look)
    looking.start()
    for build in range(50):
        bundle(page=str(build)).write(tmp_path / "site")
    done.set()
    looking.join()
    assert seen == {True}


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


def test_a_second_build_says_so_and_leaves(tmp_path):
    with only_build(tmp_path / "site"):
        bundle(index="one").write(tmp_path / "site")  # which a render may do meanwhile
        with pytest.raises(ReportError, match="another build of this site is going on; wait"):
            with only_build(tmp_path / "site"):
                pass
    with only_build(tmp_path / "site"):
        pass
    assert names(tmp_path) == ["site"]


def test_the_lock_of_a_build_that_was_killed_holds_nobody_up(tmp_path):
    code = (f"import os\nfrom pathlib import Path\nfrom report.output.bundle import only_build\n"
            f"with only_build(Path({str(tmp_path / 'site')!r})): os.kill(os.getpid(), 9)")
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert names(tmp_path) == [".site.building"]
    with only_build(tmp_path / "site"):
        pass
