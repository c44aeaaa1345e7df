import pytest

from report import settings
from report.errors import ReportError


def load(tmp_path, text):
    path = tmp_path / "report.toml"
    path.write_text(text, encoding="utf-8")
    return settings.load(path)


def test_without_a_file_all_is_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.load(None) == settings.Settings()


def test_report_toml_in_this_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "report.toml").write_text('[report]\ntitle = "Mine"\n')
    monkeypatch.chdir(tmp_path)
    assert settings.load(None).report.title == "Mine"


def test_both_tables_are_read(tmp_path):
    loaded = load(tmp_path, '[report]\nauthor = "Ada"\n[training]\nepochs = 3\n'
                            'validation_fraction = 0.2\n')
    assert loaded.report.author == "Ada"
    assert loaded.training == {"epochs": 3, "validation_fraction": 0.2}


@pytest.mark.parametrize("text, parts", [
    ("[training]\nepoch = 3", ["[training]", "'epoch'", "Did you mean 'epochs'?"]),
    ("[reports]\n", ["'reports'", "Did you mean 'report'?"]),
    ("[[report]]", ["report is a list of tables", "Write [report] once"]),
    ("training = 3", ["training is a value", "Write [training] once"]),
    ('title = "Mine"', ["'title'", "Known are: report, training"]),
    ('[training]\nepochs = "3"', ["epochs", "a whole number", "'3'"]),
    ("[training]\nepochs = true", ["epochs", "a whole number", "True"]),
    ("[report]\ntitle = 3", ["title", "text in quotes", "3"]),
    ('[report]\nbase_url = "example.org"', ["base_url", "https://", "'example.org'"]),
    ("[report\n", ["not valid TOML", "line 1"]),
    ("[training]\nseed = 1\nseed = 2", ["Cannot overwrite a value (at the end, line 3)",
                                       "A table or key may stand once"]),
    ("[training]\nepochs = 0", ["training.epochs is 0; expected 1 to 100000."]),
    ("[training]\nbatch_size = 7", ["training.batch_size is 7; expected a multiple of 8"]),
    ("[training]\nseed = -1", ["training.seed is -1; expected a number from 0"]),
    ("[training]\nvalidation_fraction = nan", ["training.validation_fraction is nan; expected"]),
    ("[training]\nvalidation_fraction = inf", ["training.validation_fraction is inf; expected"]),
])
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path, text, parts):
    with pytest.raises(ReportError) as caught:
        load(tmp_path, text)
    for part in ["report.toml", *parts]:
        assert part in str(caught.value)


@pytest.mark.parametrize("encoding, line", [("latin-1", 2), ("utf-16", 1)])
def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path, encoding, line):
    path = tmp_path / "report.toml"
    path.write_bytes('[report]\ntitle = "Café"\n'.encode(encoding))
    with pytest.raises(ReportError, match=f"report.toml, line {line}: not UTF-8 text. Save"):
        settings.load(path)


@pytest.mark.parametrize("address", [
    "https://a[", "https://a]b", "https://a:xx/", "https://a:99999/", "https://a:99999999/",
    "https://a:/", "https://...", "https://a..b/", "https://a/?x=1", "https://a/#y", "https://",
    "https://me:secret@a/", "ftp://a/"])
def test_what_is_no_address_of_a_site_is_refused(tmp_path, address):
    with pytest.raises(ReportError, match="report.toml: base_url in .* must be the site's address"):
        load(tmp_path, f'[report]\nbase_url = "{address}"')


@pytest.mark.parametrize("address", [
    "https://example.org", "http://localhost:8000/", "https://a-b.github.io/my_digits/v1.2/"])
def test_an_address_of_a_site_is_taken(tmp_path, address):
    assert load(tmp_path, f'[report]\nbase_url = "{address}"').report.base_url == address


def test_a_config_that_was_asked_for_must_exist(tmp_path):
    with pytest.raises(ReportError, match="nowhere.toml: there is no such file"):
        settings.load(tmp_path / "nowhere.toml")
