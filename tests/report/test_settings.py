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
    ('title = "Mine"', ["'title'", "Known are: report, training"]),
    ('[training]\nepochs = "3"', ["epochs", "a whole number", "'3'"]),
    ("[training]\nepochs = true", ["epochs", "a whole number", "True"]),
    ("[report]\ntitle = 3", ["title", "text in quotes", "3"]),
    ('[report]\nbase_url = "example.org"', ["base_url", "https://", "'example.org'"]),
    ("[report\n", ["not valid TOML", "line 1"]),
])
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path, text, parts):
    with pytest.raises(ReportError) as caught:
        load(tmp_path, text)
    for part in ["report.toml", *parts]:
        assert part in str(caught.value)


def test_a_config_that_was_asked_for_must_exist(tmp_path):
    with pytest.raises(ReportError, match="nowhere.toml: there is no such file"):
        settings.load(tmp_path / "nowhere.toml")
