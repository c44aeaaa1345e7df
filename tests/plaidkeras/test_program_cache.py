"""Programs on disk: found again whole, or not at all; the oldest go first."""

import os

import pytest

from plaidkeras import program_cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAIDKERAS_CACHE", str(tmp_path / "programs"))
    return tmp_path / "programs"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_program_is_found_again_by_its_key(folder):
    assert program_cache.load("a") is None
    program_cache.store("a", b"code of a" * 1000)
    program_cache.store("b", b"")
    assert program_cache.load("a") == b"code of a" * 1000
    assert program_cache.load("b") == b"" and program_cache.load("c") is None
    assert names(folder) == ["a.program", "b.program"]
    assert folder.stat().st_mode & 0o777 == 0o700  # code for this user alone


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:20], lambda content: b"",
                                    lambda content: b"x" * 32 + content[32:], lambda content: content[:32] + b"x"])
def test_a_damaged_file_is_none(folder, damage):
    program_cache.store("a", b"code")
    file = folder / "a.program"
    file.write_bytes(damage(file.read_bytes()))
    assert program_cache.load("a") is None
    program_cache.store("a", b"code")
    assert program_cache.load("a") == b"code"


def test_where_nothing_can_be_written_nothing_is_kept_and_nobody_is_bothered(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLAIDKERAS_CACHE", str(tmp_path / "file" / "programs"))
    program_cache.store("a", b"code")
    assert program_cache.load("a") is None


def test_a_program_that_may_only_be_read_is_found(folder, monkeypatch):
    program_cache.store("a", b"code")

    def refuse(path):
        raise PermissionError
    monkeypatch.setattr(os, "utime", refuse)
    assert program_cache.load("a") == b"code"


def test_what_cannot_be_written_whole_leaves_nothing(folder, monkeypatch):
    def full(*arguments):
        raise OSError("no space left on the disk")
    monkeypatch.setattr(os, "replace", full)
    program_cache.store("a", b"code")
    assert names(folder) == []


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_may_write_is_not_used(folder, mode):
    program_cache.store("a", b"code")
    folder.chmod(mode)
    assert program_cache.load("a") is None
    program_cache.store("b", b"code")
    assert names(folder) == ["a.program"]
    folder.chmod(0o755)
    assert program_cache.load("a") == b"code"


def test_nothing_is_kept_where_the_user_wants_none(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLAIDKERAS_CACHE", "")
    program_cache.store("a", b"code")
    assert program_cache.load("a") is None and not list(tmp_path.iterdir())


def test_by_default_they_lie_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("PLAIDKERAS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert program_cache.folder() == tmp_path / ".cache" / "plaidkeras"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert program_cache.folder() == tmp_path / "elsewhere" / "plaidkeras"


def test_those_used_last_stay_and_other_files_too(folder, monkeypatch):
    for number, key in enumerate("abcd"):
        program_cache.store(key, os.urandom(1000))
        os.utime(folder / f"{key}.program", (number, number))
    (folder / "e.program.partial").write_bytes(b"left by a process that was killed")
    os.utime(folder / "e.program.partial", (0, 0))
    (folder / "notes.txt").write_bytes(b"x" * 10_000)
    assert program_cache.load("a")  # it was the oldest
    monkeypatch.setattr(program_cache, "LIMIT", 3200)
    program_cache.store("f", os.urandom(1000))
    assert names(folder) == ["a.program", "d.program", "f.program", "notes.txt"]
