"""`report check` and `report publish`, on real sites and a real git remote."""

import os
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from made import write_run

from report import cli
from report.output.publication import pages_address
from report.pages import PAGES


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    place = tmp_path_factory.mktemp("built")
    write_run(place / "runs" / "kaggle-01")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert cli.main(["render"]) == 0
    return place


@pytest.fixture(scope="module")
def repository_once(built_once, tmp_path_factory):
    place = tmp_path_factory.mktemp("repository") / "here"
    shutil.copytree(built_once, place)
    subprocess.run(["git", "init", "-q", "--bare", "remote.git"], cwd=place, check=True)
    for command in ("init -q -b main", "config user.name Ada", "config user.email ada@example.org",
                    "remote add origin remote.git", "commit -q --allow-empty -m Start",
                    "push -q origin main"):
        subprocess.run(["git", *command.split()], cwd=place, check=True)
    return place


@pytest.fixture
def built(built_once, tmp_path, monkeypatch):
    """A folder with a run and its site."""
    shutil.copytree(built_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def repository(repository_once, tmp_path, monkeypatch):
    """The folder as a git repository, with a bare remote."""
    shutil.copytree(repository_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def published(folder):
    names = subprocess.check_output(["git", "-C", folder / "remote.git", "ls-tree", "-r",
                                     "--name-only", "gh-pages"], text=True)
    return set(names.split())


def test_a_built_site_has_no_fault(built, capsys):
    assert cli.main(["check"]) == 0, capsys.readouterr()
    assert "site: whole, and fit to be published." in capsys.readouterr().out


def test_what_is_wrong_with_the_files_is_named(built, capsys):
    site = built / "site"
    page = site / "index.html"
    page.write_text(page.read_text().replace("</body>", "<script>evil()</script></body>"))
    (site / "404.html").unlink()
    (site / ".env").write_text("SECRET=1")
    (site / "way-out").symlink_to(built)
    (site / "downloads" / "submission.csv").write_text("ImageId,Label\n1,1\n")
    (site / "more.css").write_text("@import 'https://example.org/x.css';")
    (site / "odd\nname").write_text("")
    (site / "CNAME").write_text("digits.example.org")
    os.mkfifo(site / "pipe")
    with open(site / "huge.bin", "wb") as file:
        file.truncate(100_000_001)
    assert cli.main(["check"]) == 1
    told = capsys.readouterr()
    for says in ("index.html: was changed after it was built", "404.html: is missing", ".env: is not part of the site",
                 "way-out: is a link, a pipe or a device", "pipe: is a link, a pipe or a device",
                 "is not the submission of the run, runs/kaggle-01/submission.csv",
                 "more.css: is not part of the site that was built; delete it",
                 "odd\\nname: is not part of the site", "huge.bin: has more than 100,000,000 bytes"):
        assert says in told.out
    assert "CNAME:" not in told.out
    assert told.err.startswith("error: site: has ") and "listed above" in told.err


def test_no_site_and_a_site_without_its_run_are_said_so(built, capsys):
    assert cli.main(["check", "--output", "nowhere"]) == 1
    assert "nowhere: holds no site yet" in capsys.readouterr().err
    shutil.rmtree(built / "runs")
    assert cli.main(["check"]) == 1
    assert "its run is not in runs/" in capsys.readouterr().err


def test_publish_puts_the_site_on_a_branch_of_its_own(repository, capsys):
    assert cli.main(["publish"]) == 0, capsys.readouterr()
    told = capsys.readouterr().out
    assert "Published on the branch gh-pages of remote.git" in told
    files = {path.relative_to(repository / "site").as_posix()
             for path in (repository / "site").rglob("*") if path.is_file()}
    assert published(repository) == files and ".nojekyll" in files
    branch = subprocess.check_output(["git", "branch", "--show-current"], text=True).strip()
    assert branch == "main"
    assert cli.main(["publish"]) == 0  # and again, over its own


@pytest.mark.slow
def test_publish_refuses_with_the_reason_and_pushes_nothing(repository, make_run, capsys):
    def refused(*options):
        assert cli.main(["publish", *options]) == 1
        heads = subprocess.check_output(["git", "ls-remote", "--heads", "remote.git", "gh-pages"])
        assert not heads
        return capsys.readouterr().err

    assert "git remote get-url nobody" in refused("--remote", "nobody")
    for name in ("a..b", ""):
        assert f"fatal: '{name}' is not a valid branch name. Choose" in refused("--branch", name)
    (repository / "site" / "data.html").unlink()
    assert "listed above" in refused()
    assert cli.main(["render"]) == 0
    make_run("runs/sampled", source="sample", fingerprint="third",
             finished="2031-01-01T00:00:00+00:00")
    assert cli.main(["render"]) == 0
    assert "shows the bundled sample" in refused()
    make_run("runs/wrong", warnings=("the loss became nan",), fingerprint="fourth",
             finished="2032-01-01T00:00:00+00:00")
    assert cli.main(["render"]) == 0
    assert "went wrong (the loss became nan). Publish it all the same with --insist" in refused()


def test_publish_says_a_sample_may_be_published_if_asked(repository, make_run, capsys):
    make_run("runs/sampled", source="sample", fingerprint="third",
             finished="2031-01-01T00:00:00+00:00")
    assert cli.main(["render"]) == 0
    assert cli.main(["publish", "--sample"]) == 0, capsys.readouterr()
    assert "index.html" in published(repository)


def test_a_branch_with_something_else_is_left_alone(repository, capsys):
    subprocess.run(["git", "push", "-q", "origin", "main:gh-pages"], check=True)
    assert cli.main(["publish"]) == 1
    assert "holds something else than a site of this program" in capsys.readouterr().err
    assert published(repository) == set()


def test_an_older_run_that_was_chosen_is_published_and_the_newer_one_named(repository, make_run, capsys):
    make_run("runs/newer", fingerprint="other", finished="2030-01-01T00:00:00+00:00")
    assert cli.main(["render", "--run", "kaggle-01"]) == 0
    assert cli.main(["publish"]) == 0, capsys.readouterr()
    assert "This is the site of kaggle-01; the run newer is newer." in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("path, text, what", [
    ("notes/data.md", "Mine.", "your own texts have"),
    ("report.toml", "[report]\ntitle = 'Mine'", "[report] of report.toml has"),
    ("report.toml", "[report]\nbase_url = 'https://ada.example/'", "[report] of report.toml has")])
def test_what_changed_after_the_site_was_built_makes_it_stale(repository, capsys, path, text, what):
    (repository / "notes").mkdir()
    (repository / path).write_text(text)
    assert cli.main(["publish"]) == 1
    assert (f"site: is stale: {what} changed since. Write it anew with: python -m report render "
            "--run kaggle-01") in capsys.readouterr().err
    assert cli.main(["render", "--run", "kaggle-01"]) == 0
    assert cli.main(["publish"]) == 0, capsys.readouterr()


def test_a_change_of_the_recipe_in_report_toml_leaves_the_site_as_it_is(repository, capsys):
    (repository / "report.toml").write_text("[recipe]\nepochs = 5")
    assert cli.main(["publish"]) == 0, capsys.readouterr()


def git(*arguments, **options) -> str:
    return subprocess.run(["git", *arguments], check=True, text=True, stdout=subprocess.PIPE,
                          **options).stdout.strip()


@pytest.fixture
def colleague(repository, tmp_path_factory):
    """colleague(name=content) commits to the published branch of the remote."""
    assert cli.main(["publish"]) == 0
    place = tmp_path_factory.mktemp("colleague")
    git("clone", "-q", "-b", "gh-pages", str(repository / "remote.git"), str(place))

    def commit(name, content) -> None:
        (place / name).write_text(content)
        git("add", "-A", cwd=place)
        git("-c", "user.name=Bob", "-c", "user.email=b@example.org", "commit", "-q", "-m", "x", cwd=place)
        git("push", "-q", "origin", "gh-pages", cwd=place)

    commit.place = place
    return commit


def tip(repository) -> str:
    return git("-C", str(repository / "remote.git"), "rev-parse", "gh-pages")


@pytest.mark.slow
@pytest.mark.parametrize("name, says", [
    ("CNAME", "somebody has added CNAME to its branch gh-pages. Copy it to site/"),
    ("thesis.pdf", "somebody has added thesis.pdf to its branch gh-pages. Delete it there"),
    ("index.html", "somebody has changed index.html on its branch gh-pages"),
    ("build.json", "holds something else than a site of this program")])
def test_what_others_did_to_the_branch_is_not_written_over(repository, colleague, capsys, name, says):
    colleague(name, "theirs")
    before = tip(repository)
    assert cli.main(["publish"]) == 1
    assert says in capsys.readouterr().err
    assert tip(repository) == before


def test_a_file_of_others_that_is_in_the_site_too_stays_published(repository, colleague):
    colleague("CNAME", "digits.example.org")
    (repository / "site" / "CNAME").write_text("digits.example.org")
    assert cli.main(["publish"]) == 0
    assert "CNAME" in published(repository)


def test_a_push_of_others_between_fetch_and_push_is_not_lost(repository, colleague, capsys):
    """The hook stands for a colleague who is faster by a moment."""
    (colleague.place / "CNAME").write_text("theirs")
    hook = repository / ".git" / "hooks" / "pre-push"
    hook.write_text(f"""#!/bin/sh
        unset GIT_DIR GIT_INDEX_FILE
        cd {colleague.place} && git add -A && git -c user.name=B -c user.email=b@example.org \
            commit -q -m theirs && git push -q origin gh-pages""")
    hook.chmod(0o755)
    (repository / "site" / "robots.txt").write_text("User-agent: *\n")
    assert cli.main(["publish"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: origin: would not take the branch gh-pages")
    assert tip(repository) == git("rev-parse", "HEAD", cwd=colleague.place)
    hook.unlink()
    assert cli.main(["publish"]) == 1
    assert "somebody has added CNAME" in capsys.readouterr().err


def test_outside_of_a_repository_and_without_a_remote_it_says_so(built, capsys):
    assert cli.main(["publish"]) == 1
    assert "not a git repository" in capsys.readouterr().err
    git("init", "-q")
    assert cli.main(["publish"]) == 1
    assert "git remote get-url origin: " in capsys.readouterr().err


def test_with_no_branch_checked_out_it_publishes_and_on_the_branch_itself_not(repository, capsys):
    git("checkout", "-q", "--detach")
    assert cli.main(["publish"]) == 0
    git("checkout", "-q", "-f", "gh-pages")
    capsys.readouterr()
    assert cli.main(["publish"]) == 1
    assert "gh-pages: is checked out here" in capsys.readouterr().err


def test_a_remote_that_is_gone_is_one_message(repository, capsys):
    shutil.rmtree(repository / "remote.git")
    assert cli.main(["publish"]) == 1
    assert capsys.readouterr().err.startswith("error: git ls-remote --heads origin")


@pytest.mark.slow
def test_what_is_published_works_in_a_browser_under_a_sub_path(repository, browser, tmp_path):
    assert cli.main(["publish"]) == 0
    place = tmp_path / "www"
    git("clone", "-q", "-b", "gh-pages", "remote.git", str(place / "ada" / "digits"))
    page, wrong = browser.new_page(), []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        top = f"http://127.0.0.1:{server.server_address[1]}/ada/digits/"
        page.on("console", lambda message: wrong.append(message.text))
        page.on("response", lambda response: wrong.append(response.url) if response.status >= 400
                or not response.url.startswith(top) else None)
        page.on("requestfailed", lambda request: wrong.append(request.url))
        page.goto(top, wait_until="networkidle")  # else leaving the page ends its requests
        links = page.eval_on_selector_all("header nav a", "links => links.map(link => link.href)")
        assert len(links) == len(PAGES) - 1  # of one run there is no page that compares runs
        for link in links:
            page.goto(link, wait_until="networkidle")
            page.evaluate("""() => Promise.all([...document.images].map(image => {
                image.loading = 'eager';
                return image.decode();
            }))""")
        for download in (place / "ada" / "digits" / "downloads").iterdir():
            assert page.request.get(f"{top}downloads/{download.name}").ok
        page.close()
        server.shutdown()
    assert wrong == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("remote, address", [
    ("git@github.com:Ada/digits.git", "https://ada.github.io/digits/"),
    ("https://github.com/Ada/digits", "https://ada.github.io/digits/"),
    ("https://github.com/ada/ada.github.io.git", "https://ada.github.io/"),
    ("/srv/git/digits.git", "see the settings of the host's pages")])
def test_the_address_of_the_pages(remote, address):
    assert pages_address(remote) == address
