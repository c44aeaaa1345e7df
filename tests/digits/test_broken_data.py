"""Broken files made out of good ones: each is refused by one message that names it.

What is made here by chance is what people bring by accident: damaged downloads, spreadsheets'
handiwork, other sets' files, archives that were made to do harm.
"""

import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digits.data import PACKED, PIXELS, DataError, load

COLUMNS = {"train.csv": ["label"] + PIXELS, "test.csv": PIXELS}
ROWS = {"train.csv": 12, "test.csv": 4}


@pytest.fixture(scope="module")
def good():
    """The cells of a good train.csv and test.csv, the header's among them."""
    random = np.random.RandomState(0)
    cells = {name: random.randint(0, 256, (rows, len(COLUMNS[name])))
             for name, rows in ROWS.items()}
    cells["train.csv"][:, 0] = np.arange(12) % 10
    return {name: [COLUMNS[name]] + table.astype(str).tolist() for name, table in cells.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("broken")


def text(cells, newline="\n"):
    return "".join(",".join(row) + newline for row in cells)


def write(folder: Path, good, name="train.csv", content=None) -> None:
    for path in folder.iterdir():
        path.unlink()
    for each in ROWS:
        (folder / each).write_bytes(text(good[each]).encode())
    if content is not None:
        (folder / name).write_bytes(content)


def refusal(location: Path) -> str:
    """The message of a refusal, which leaves the folder as it was."""
    folder = location if location.is_dir() else location.parent
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(DataError) as caught:
        load(location, explicit=True)
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    message = str(caught.value)
    assert "\n" not in message and 20 < len(message) < 600 and "; " in message
    return message


FILES = st.sampled_from(list(ROWS))
# No cell of this kind is a whole number in its range; a comma or a line's end would make it two.
TEXTS = st.text(st.characters(exclude_characters=',"\r\n', exclude_categories=["Cs"]),
                min_size=1, max_size=30).filter(lambda text: text.strip().strip("+.0123456789eE"))
WRONG = st.one_of(
    st.integers(256, 10 ** 400), st.integers(-10 ** 400, -1),
    st.floats(0.001, 254.999).filter(lambda number: number % 1),
    st.sampled_from(["NaN", "nan", "inf", "-inf", "1e300", "True", "false", "None", "NULL", "0x1F",
                     "1 2", "1_0", "٣", "１２", "=1+1", "<script>", "{{ 7 }}", "''", "-", "1;2",
                     "2020-01-01", "\0", "5\0", "1j", "'5'"]),
    TEXTS).map(str)


@given(name=FILES, row=st.integers(1, 12), column=st.integers(0, 783), value=WRONG)
@example("train.csv", 1, 0, "10")
@example("train.csv", 12, 0, "-1")
@example("test.csv", 4, 783, "256")
def test_a_wrong_cell_is_named_by_its_row_and_column(good, folder, name, row, column, value):
    row = min(row, ROWS[name])
    cells = [list(line) for line in good[name]]
    cells[row][column] = value
    write(folder, good, name, text(cells).encode())
    message = refusal(folder)
    assert f"{name}: row {row}" in message and f"column {COLUMNS[name][column]} " in message
    assert "expected a whole number from 0 to" in message


@given(name=FILES, row=st.integers(1, 12), cells=st.integers(-784, 40).filter(bool))
def test_a_row_of_another_length_is_named(good, folder, name, row, cells):
    row = min(row, ROWS[name])
    table = [list(line) for line in good[name]]
    kept = max(len(table[row]) + cells, 1) if cells < 0 else len(table[row])
    table[row] = table[row][:kept] + ["0"] * cells
    write(folder, good, name, text(table).encode())
    message = refusal(folder)
    if cells > 0:
        expected = len(COLUMNS[name])
        assert f"{name}: row {row} has {expected + cells} values, expected {expected}" in message
    else:
        assert f"{name}: row {row} ends after {kept} of {len(COLUMNS[name])} values" in message


@given(name=FILES, column=st.integers(0, 783), other=st.integers(0, 783),
       fault=st.sampled_from(["renamed", "twice", "missing", "too many"]), text_=TEXTS)
def test_a_wrong_header_is_named_by_its_column(good, folder, name, column, other, fault, text_):
    header = list(COLUMNS[name])
    if fault == "renamed":
        header[column] = text_
        expected = f"column {column + 1} of the header is"
    elif fault == "twice":
        header[column] = header[other if other != column else column - 1]
        expected = "for a second time"
    elif fault == "missing":
        del header[column]
        expected = ""  # the label's absence, or a count of columns
    else:
        header.insert(column, text_)
        expected = f"column {column + 1} of the header is"
    write(folder, good, name, text([header, *good[name][1:]]).encode())
    assert f"{name}: " in (message := refusal(folder)) and expected in message


@given(name=FILES, start=st.floats(0, 1), junk=st.binary(min_size=1, max_size=60))
def test_bytes_of_something_else_are_refused_or_harmless(good, folder, name, start, junk):
    """Overwritten bytes may happen to be digits: then the file is a good one of other digits."""
    content = text(good[name]).encode()
    at = int(start * (len(content) - len(junk)))
    write(folder, good, name, content[:at] + junk + content[at + len(junk):])
    try:
        load(folder, explicit=True)
    except DataError as error:
        assert f"{name}: " in str(error) and "\n" not in str(error)


def packed(good, kind: str) -> bytes:
    if kind == "gz":
        return gzip.compress(text(good["train.csv"]).encode(), mtime=0)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ROWS:
            archive.writestr(name, text(good[name]))
    return whole.getvalue()


@given(kind=st.sampled_from(["gz", "zip"]), share=st.floats(0, 1, exclude_max=True),
       junk=st.binary(max_size=12))
def test_a_damaged_archive_is_refused_or_harmless(good, folder, kind, share, junk):
    """Cut off, or overwritten: a byte of its date, or of a comment, may do no harm."""
    content = packed(good, kind)
    at = int(share * len(content))
    damaged = content[:at] + junk + (content[at + len(junk):] if junk else b"")
    write(folder, good)
    (folder / "train.csv").unlink()
    if kind == "zip":
        (folder / "test.csv").unlink()
    name = {"gz": "train.csv.gz", "zip": "digit-recognizer.zip"}[kind]
    (folder / name).write_bytes(damaged)
    try:
        load(folder, explicit=True)
        assert junk  # what is only cut off is never harmless
    except DataError as error:
        assert str(folder) in str(error) and "\n" not in str(error)


# Harmless, and accepted

@pytest.mark.slow
@given(seed=st.integers(0, 10 ** 6), from_1=st.booleans(), newline=st.sampled_from(
    ["\n", "\r\n"]), quoted=st.booleans(), mark=st.booleans(), blank=st.integers(0, 3))
def test_other_orders_names_and_line_ends_give_the_same_digits(good, folder, seed, from_1, newline,
                                                                quoted, mark, blank):
    order = list(range(785))
    if seed:
        np.random.RandomState(seed).shuffle(order)
    write(folder, good)
    before = load(folder, explicit=True)
    cells = [[line[place] for place in order] for line in good["train.csv"]]
    if from_1:
        cells[0] = [name if name == "label" else f"pixel{int(name[5:]) + 1}" for name in cells[0]]
    if quoted:
        cells = [[f'"{cell}"' for cell in line] for line in cells]
    write(folder, good, "train.csv",
          ("\ufeff" * mark + text(cells, newline) + newline * blank).encode())
    after = load(folder, explicit=True)
    assert after.facts.fingerprint == before.facts.fingerprint
    assert len(after.remarks) == (order != sorted(order))
    assert all("train.csv: its columns were in another order" in line for line in after.remarks)


# Archives that were made to do harm, and files that are too large

def zipped(folder, *members):
    path = folder / "digit-recognizer.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../train.csv", "/etc/train.csv", "a/../../train.csv",
                                  "..\\train.csv", "C:/train.csv"])
def test_a_path_that_climbs_out_of_a_zip_is_refused(good, tmp_path, name):
    path = zipped(tmp_path, (name, text(good["train.csv"])), ("test.csv", text(good["test.csv"])))
    assert "a path that leads out of it" in refusal(path)


def test_two_files_of_one_name_in_a_zip_are_refused(good, tmp_path):
    path = zipped(tmp_path, ("a/train.csv", ""), ("b/train.csv", ""))
    assert "holds train.csv twice, as 'a/train.csv' and 'b/train.csv'" in refusal(path)


def test_a_zip_with_a_password_is_refused(good, tmp_path):
    path = zipped(tmp_path, *((name, text(good[name])) for name in ROWS))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        content[at + flags] |= 1
    path.write_bytes(content)
    assert "without a password" in refusal(path)


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"0" * 50_000_000, b"\n" * 60_000, b"0,\n" * 60_000,
                                     b'"' + b"0\n" * 60_000, b"\0" * 50_000_000])
@pytest.mark.parametrize("with_header", [True, False])
def test_a_zip_bomb_ends_in_a_message(good, tmp_path, monkeypatch, content, with_header):
    import tracemalloc
    header = ",".join(COLUMNS["train.csv"]).encode() + b"\n"
    path = zipped(tmp_path, ("train.csv", header * with_header + content),
                  ("test.csv", text(good["test.csv"])))
    monkeypatch.setattr("digits.data.MAX_ROWS", 4_000)
    tracemalloc.start()
    try:
        refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 400_000_000
    finally:
        tracemalloc.stop()


def test_ten_million_rows_are_refused_by_their_size_alone(good, tmp_path):
    write(tmp_path, good)
    with open(tmp_path / "train.csv", "r+b") as file:
        file.truncate(16_000_000_000)  # of a sparse file; not one block of it is on disk
    assert "train.csv: has 16,000,000,000 bytes; at most 500,000 rows" in str(
        pytest.raises(DataError, load, tmp_path, True).value)


def test_too_many_rows_are_refused_as_they_are_read(good, tmp_path, monkeypatch):
    monkeypatch.setattr("digits.data.ROWS_AT_ONCE", 5)
    monkeypatch.setattr("digits.data.MAX_ROWS", 10)
    write(tmp_path, good)
    assert "train.csv: has more than 10 rows" in refusal(tmp_path)


# Files that cannot be opened

def test_a_folder_in_place_of_a_file_is_no_data(good, tmp_path):
    write(tmp_path, good)
    (tmp_path / "train.csv").unlink()
    (tmp_path / "train.csv").mkdir()
    assert "train.csv: is no file, but a folder, a pipe or a link that leads nowhere" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz", "digit-recognizer.zip"])
@pytest.mark.parametrize("made", [
    Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere"),
    lambda path: path.symlink_to(path.name), lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_named_and_no_reason_for_the_sample(tmp_path, monkeypatch, name, made):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    made(Path("data", name))
    with pytest.raises(DataError, match=f"data/{name}: is no file"):
        load()


@pytest.mark.parametrize("names, says", [
    (["Train.csv", "Test.csv"], ", but 'Test.csv', 'Train.csv'; download"),
    (["train (1).csv"], ", but 'train (1).csv'; download")])
def test_files_of_other_names_are_no_reason_for_the_sample(good, tmp_path, monkeypatch, names, says):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for name in names:
        Path("data", name).write_text(text(good["train.csv"]))
    with pytest.raises(DataError, match="holds neither train.csv nor test.csv") as caught:
        load()
    assert says in str(caught.value)


def test_an_archive_without_the_files_is_no_reason_for_the_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    zipped(Path("data"), ("train.csv.gz", b""), ("TEST.CSV", b""))
    with pytest.raises(DataError, match="holds neither .*, but 'digit-recognizer.zip'"):
        load()


@pytest.mark.parametrize("content, says", [
    *((start * 99, "is packed, or a spreadsheet") for start in PACKED),
    (bytes(range(128, 256)), "is no text"),
    ("label,pixel0\n1,2\n".encode("utf-16-be"), "is UTF-16 or UTF-32 text"),
    ("label,pixel0\n1,2\n".encode("utf-32"), "is UTF-16 or UTF-32 text"),
    (b"label" + b",1" * 60_000 + b"\r", "one line for each image")])
def test_files_of_another_kind_are_told_as_what_they_are(good, folder, content, says):
    write(folder, good, "train.csv", content)
    assert says in refusal(folder)


def test_a_file_that_may_not_be_read_is_named(good, tmp_path, run_as_nobody):
    write(tmp_path, good)
    (tmp_path / "test.csv").chmod(0)
    message = run_as_nobody(f"""
from pathlib import Path
from digits.data import load
load(Path({str(tmp_path)!r}), explicit=True)""", tmp_path)
    assert "DataError" in message and "test.csv: cannot be read (Permission denied); check its" in message


def test_a_folder_that_may_not_be_read_is_named(good, tmp_path, run_as_nobody):
    (tmp_path / "closed").mkdir()
    write(tmp_path / "closed", good)
    (tmp_path / "closed").chmod(0)
    message = run_as_nobody(f"""
from pathlib import Path
from digits.data import load
load(Path({str(tmp_path / "closed")!r}), explicit=True)""", tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert "DataError" in message and "closed: cannot be read (Permission denied)" in message


@pytest.fixture
def run_as_nobody():
    """Runs Python code as a user who is not root, whom no permission stops; its last words."""
    import subprocess
    import sys

    def run(code, folder):
        for place in (folder, *folder.parents):  # on the way to it, in the temporary folders
            if place.owner() == Path.home().owner() and place != Path("/tmp") and place != Path("/"):
                place.chmod(0o755)
        as_nobody = ("import os, encodings.utf_8_sig\nif os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n")
        done = subprocess.run([sys.executable, "-c", code.replace("load(Path", as_nobody
                                                                  + "load(Path", 1)],
                              capture_output=True, text=True, env=os.environ)
        assert done.returncode != 0
        return done.stderr.strip().splitlines()[-1]
    return run
