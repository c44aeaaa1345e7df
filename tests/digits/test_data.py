"""What may be put in data/, and what is said of what may not."""

import gzip
import zipfile

import numpy as np
import pytest

from digits.data import DataError, load


def test_plain_csvs_become_images_and_labels(write_csvs, sample, tmp_path):
    dataset = load(write_csvs(tmp_path), explicit=True)
    assert dataset.train_images.shape == (40, 28, 28) and dataset.train_images.dtype == np.uint8
    assert dataset.test_images.shape == (12, 28, 28) and dataset.test_images.dtype == np.uint8
    assert dataset.train_labels.shape == (40,) and dataset.train_labels.dtype == np.uint8
    np.testing.assert_array_equal(dataset.train_images, sample.train_images[:40])
    np.testing.assert_array_equal(dataset.train_labels, sample.train_labels[:40])
    np.testing.assert_array_equal(dataset.test_images, sample.test_images[:12])
    assert dataset.facts.source == "kaggle"
    assert (dataset.facts.train_file, dataset.facts.test_file) == ("train.csv", "test.csv")
    assert (dataset.facts.train_rows, dataset.facts.test_rows) == (40, 12)


def test_the_same_data_has_one_fingerprint_however_it_is_packed(write_csvs, tmp_path):
    plain = write_csvs(tmp_path / "plain")
    zipped, each_zipped = tmp_path / "zipped", tmp_path / "each"
    zipped.mkdir(), each_zipped.mkdir()
    archive = zip_files(zipped / "digit-recognizer.zip", plain / "train.csv", plain / "test.csv")
    for name in ("train.csv", "test.csv"):
        zip_files(each_zipped / f"{name}.zip", plain / name)

    packed = [load(place, explicit=True) for place in (
        plain, write_csvs(tmp_path / "gz", suffix=".gz"), zipped, archive, each_zipped)]
    assert len({dataset.facts.fingerprint for dataset in packed}) == 1
    assert [dataset.facts.train_file for dataset in packed] == [
        "train.csv", "train.csv.gz", "digit-recognizer.zip/train.csv",
        "digit-recognizer.zip/train.csv", "train.csv.zip/train.csv"]


def test_one_pixel_changes_the_fingerprint(write_csvs, tmp_path):
    before = load(write_csvs(tmp_path), explicit=True)
    set_value(tmp_path / "test.csv", row=12, column=783, value="7")
    after = load(tmp_path, explicit=True)
    assert after.test_images[11, 27, 27] == 7
    assert before.facts.fingerprint != after.facts.fingerprint


def test_spreadsheets_marks_do_no_harm(write_csvs, tmp_path):
    """A byte order mark, quoted names, other line ends, blank last lines, 7.0 for 7."""
    before = load(write_csvs(tmp_path), explicit=True)
    path = tmp_path / "test.csv"
    header, *rows = path.read_text().splitlines()
    header = ",".join(f'"{name}"' for name in header.split(","))
    rows[0] = ",".join(f"{value}.0" for value in rows[0].split(","))
    path.write_bytes(("\r\n".join(["\ufeff" + header, *rows]) + "\r\n\r\n").encode())
    assert load(tmp_path, explicit=True).facts.fingerprint == before.facts.fingerprint


# The sample

def test_without_csvs_the_bundled_digits_are_taken(tmp_path):
    dataset = load(tmp_path)
    assert dataset.facts.source == "sample"
    assert (dataset.facts.train_rows, dataset.facts.test_rows) == (1437, 360)
    assert dataset.facts == load(tmp_path / "missing").facts


def test_the_sample_is_drawn_as_mnist_is(sample):
    images = np.concatenate([sample.train_images, sample.test_images])
    assert images.shape == (1797, 28, 28) and images.dtype == np.uint8
    assert images.max() == 255
    assert images[:, :3].mean() < 1 and images[:, :, :3].mean() < 1  # the frame is paper
    assert images[:, 4:24, 4:24].mean() > 50
    assert np.bincount(sample.train_labels).min() > 100


# What is wrong is named

def test_a_folder_that_is_not_there(tmp_path):
    expect_error(tmp_path / "gone", "gone: not found", "give the folder")


def test_a_folder_without_csvs(tmp_path):
    expect_error(tmp_path, "holds neither train.csv nor test.csv", "kaggle.com")


def test_a_file_in_place_of_the_folder(write_csvs, tmp_path):
    write_csvs(tmp_path)
    expect_error(tmp_path / "train.csv", "train.csv: is a file", "give the folder")


@pytest.mark.parametrize("missing, present", [("train.csv", "test.csv"), ("test.csv", "train.csv")])
def test_one_of_the_two_missing_even_in_the_default_folder(write_csvs, tmp_path, missing, present):
    (write_csvs(tmp_path) / missing).unlink()
    with pytest.raises(DataError, match=f"{missing} is missing beside {present}"):
        load(tmp_path, explicit=False)


@pytest.mark.parametrize("value, found", [
    ("256", "is '256'"), ("-1", "is '-1'"), ("1.5", "is '1.5'"), ("ink", "is 'ink'"),
    ("", "is empty"), ("inf", "is 'inf'"), ("65537", "is '65537'"), ("1e300", "is '1e[+]?300'")])
def test_a_pixel_that_is_none(write_csvs, tmp_path, value, found):
    set_value(write_csvs(tmp_path) / "train.csv", row=3, column=8, value=value)
    expect_error(tmp_path, f"train.csv: row 3, column pixel7 {found}, "
                           f"expected a whole number from 0 to 255")


def test_bytes_that_are_no_text(write_csvs, tmp_path):
    path = write_csvs(tmp_path) / "test.csv"
    content = bytearray(path.read_bytes())
    content[-3] = 0xFF
    path.write_bytes(content)
    expect_error(tmp_path, "test.csv: row 12, column pixel78[0-9] is ")


@pytest.mark.parametrize("value", ["10", "-1", "a", ""])
def test_a_label_that_is_none(write_csvs, tmp_path, value):
    set_value(write_csvs(tmp_path) / "train.csv", row=40, column=0, value=value)
    expect_error(tmp_path, "train.csv: row 40, column label", "expected a whole number from 0 to 9")


def test_a_wrong_value_far_down_is_named_by_its_row(write_csvs, tmp_path, monkeypatch):
    monkeypatch.setattr("digits.data.ROWS_AT_ONCE", 7)
    set_value(write_csvs(tmp_path) / "train.csv", row=30, column=1, value="999")
    expect_error(tmp_path, "row 30, column pixel0 is '999'")


def test_a_digit_that_never_occurs(write_csvs, tmp_path):
    path = write_csvs(tmp_path) / "train.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("7,")))
    expect_error(tmp_path, "train.csv: no row has the label 7")


def test_a_header_of_other_names(write_csvs, tmp_path):
    set_value(write_csvs(tmp_path) / "train.csv", row=0, column=3, value="px2")
    expect_error(tmp_path, "column 4 of the header is 'px2', expected 'pixel2'")


def test_a_file_without_header(write_csvs, tmp_path):
    path = write_csvs(tmp_path) / "test.csv"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    expect_error(tmp_path, "test.csv: column 1 of the header is '0', expected 'pixel0'")


def test_train_and_test_exchanged(write_csvs, tmp_path):
    write_csvs(tmp_path)
    (tmp_path / "train.csv").replace(tmp_path / "kept")
    (tmp_path / "test.csv").replace(tmp_path / "train.csv")
    (tmp_path / "kept").replace(tmp_path / "test.csv")
    expect_error(tmp_path, "train.csv: has no column 'label'", "been exchanged")


def test_a_header_with_a_column_too_many(write_csvs, tmp_path):
    path = write_csvs(tmp_path) / "test.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header + ",pixel784", *rows]))
    expect_error(tmp_path, "test.csv: the header has 785 columns, expected 784")


@pytest.mark.parametrize("row", [1, 5])
def test_a_row_with_a_value_too_many(write_csvs, tmp_path, row):
    path = write_csvs(tmp_path) / "test.csv"
    lines = path.read_text().splitlines()
    lines[row] += ",0"
    path.write_text("\n".join(lines))
    expect_error(tmp_path, f"test.csv: row {row} has 785 values, expected 784")


@pytest.mark.parametrize("surplus", [1, 2, 3])
@pytest.mark.parametrize("step", [0, 1, 7])
def test_values_too_many_in_every_row_shift_no_pixels(write_csvs, tmp_path, surplus, step):
    path = write_csvs(tmp_path) / "test.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(
        f"{step * number},{row}" + ",9" * (surplus - 1) for number, row in enumerate(rows))]))
    expect_error(tmp_path, f"test.csv: row 1 has {784 + surplus} values, expected 784")


def test_a_comma_at_the_end_of_every_row_is_a_value_too_many(write_csvs, tmp_path):
    path = write_csvs(tmp_path) / "test.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(row + "," for row in rows)]))
    expect_error(tmp_path, "test.csv: row 1 has 785 values, expected 784")


def test_a_row_cut_short(write_csvs, tmp_path):
    path = write_csvs(tmp_path) / "test.csv"
    path.write_text(path.read_text()[:-20])
    expect_error(tmp_path, "test.csv: row 12 ends after 77. of 784 values: column pixel77. is empty")


def test_an_empty_file(write_csvs, tmp_path):
    (write_csvs(tmp_path) / "test.csv").write_text("")
    expect_error(tmp_path, "test.csv: is empty")


def test_a_file_with_nothing_but_a_header(write_csvs, tmp_path):
    path = write_csvs(tmp_path) / "test.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    expect_error(tmp_path, "test.csv: has a header and no rows")


def test_a_web_page_saved_as_csv(write_csvs, tmp_path):
    (write_csvs(tmp_path) / "train.csv").write_text("<!DOCTYPE html>\n<title>Log in</title>")
    expect_error(tmp_path, "train.csv: is a web page", "logged in")


def test_a_gz_file_cut_short(write_csvs, tmp_path):
    path = write_csvs(tmp_path, suffix=".gz") / "train.csv.gz"
    path.write_bytes(path.read_bytes()[:-100])
    expect_error(tmp_path, "train.csv.gz: damaged or only half downloaded", "download it again")


def test_a_gz_file_that_is_none(write_csvs, tmp_path):
    path = write_csvs(tmp_path, suffix=".gz") / "train.csv.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    expect_error(tmp_path, "train.csv.gz: damaged or only half downloaded")


def test_a_zip_file_cut_short(write_csvs, tmp_path):
    plain = write_csvs(tmp_path / "plain")
    path = zip_files(tmp_path / "digit-recognizer.zip", plain / "train.csv", plain / "test.csv")
    path.write_bytes(path.read_bytes()[:-100])
    expect_error(tmp_path, "digit-recognizer.zip: damaged or only half downloaded")


def expect_error(location, *says):
    with pytest.raises(DataError) as caught:
        load(location, explicit=True)
    for part in says:
        caught.match(part)


def set_value(path, row, column, value):
    """Replaces one value of a CSV; row 0 is the header."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[row][column] = value
    path.write_text("\n".join(map(",".join, lines)) + "\n")


def zip_files(path, *files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return path
