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


def test_the_site_s_texts_and_the_recipe_with_its_name_and_tables_are_read(tmp_path):
    loaded = load(tmp_path, """
        [report]
        author = "Ada"
        [recipe]
        name = "notebook"
        epochs = 3
        [recipe.validation]
        folds = 5
        [recipe.optimizer]
        learning_rate = 1""")
    assert loaded.report.author == "Ada"
    assert loaded.recipe_name == "notebook"
    assert loaded.recipe == {"epochs": 3, "validation": {"folds": 5}, "optimizer": {"learning_rate": 1}}


@pytest.mark.parametrize("text, parts", [
    ("[recipe]\nepoch = 3", ["[recipe] has no key 'epoch'", "Did you mean 'epochs'?"]),
    ("[recipe.validation]\nfold = 3", ["[recipe.validation] has no key 'fold'", "Did you mean 'folds'?"]),
    ("[report]\ntitel = 'x'", ["[report] has no key 'titel'", "Did you mean 'title'?"]),
    ("[reports]\n", ["'reports'", "Did you mean 'report'?"]),
    ("[[report]]", ["report is '[{}]'; expected a table"]),
    ("recipe = 3", ["recipe is '3'; expected a table"]),
    ("[recipe]\nvalidation = 3", ["recipe.validation is '3'; expected a table"]),
    ('title = "Mine"', ["'title'", "Known are: report, recipe"]),
    ('[recipe]\nname = "besst"', ["there is no recipe 'besst'", "Did you mean 'best'?"]),
    ("[recipe]\nname = 3", ["there is no recipe '3'", "best, notebook, quick"]),
    ("[recipe]\nname = []", ["there is no recipe '[]'"]),
    ('[recipe]\nnetwork = "deep"', ["recipe.network is 'deep'; expected 'notebook' or 'compact'"]),
    ('[recipe]\nepochs = "3"', ["recipe.epochs is '3'; expected a valid integer"]),
    ("[recipe]\nepochs = true", ["recipe.epochs is 'True'; expected a valid integer"]),
    ("[recipe]\nepochs = 0", ["recipe.epochs is '0'; expected a number greater than or equal to 1"]),
    ("[recipe]\nbatch_size = 12", ["recipe.batch_size is '12'; expected a multiple of 8"]),
    ("[recipe]\nseed = -1", ["recipe.seed is '-1'; expected a number greater than or equal to 0"]),
    ("[recipe.validation]\nfraction = nan", ["recipe.validation.fraction is 'nan'; expected"]),
    ("[recipe.validation]\nfraction = inf", ["recipe.validation.fraction is 'inf'; expected"]),
    ("[recipe.validation]\nfolds = 1", ["folds is '1'; expected 0 (a hold-out) or at least 2 folds"]),
    ("[report]\ntitle = 3", ["report.title is '3'; expected a valid string"]),
    ('[report]\ntitle = "a\\nb"', ["report.title is", "expected a text without line ends"]),
    (f"[report]\ntitle = '{'x' * 1001}'", ["report.title is 'xxx", "at most 1000 characters"]),
    ("[report\n", ["not valid TOML", "line 1"]),
    ("[recipe]\nseed = 1\nseed = 2", ["Cannot overwrite a value", "A table or key may stand once"]),
])
def test_a_wrong_file_is_refused_by_name_table_and_key(tmp_path, text, parts):
    with pytest.raises(ReportError) as caught:
        load(tmp_path, text)
    for part in ["report.toml: ", *parts]:
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
    "https://me:secret@a/", "ftp://a/", "example.org"])
def test_what_is_no_address_of_a_site_is_refused(tmp_path, address):
    with pytest.raises(ReportError, match="report.toml: report.base_url is .* expected an address"):
        load(tmp_path, f'[report]\nbase_url = "{address}"')


@pytest.mark.parametrize("address", [
    "https://example.org", "http://localhost:8000/", "https://a-b.github.io/my_digits/v1.2/"])
def test_an_address_of_a_site_is_taken(tmp_path, address):
    assert load(tmp_path, f'[report]\nbase_url = "{address}"').report.base_url == address
