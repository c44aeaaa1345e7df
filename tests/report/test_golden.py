"""The golden site: what the made run's pages say. After a change that is meant, refresh it with

    python -m pytest tests/report/test_golden.py --refresh-golden

and read the difference before it is committed. Pictures and charts are left out: how they come out
depends on the versions of the libraries that draw them.
"""

import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def texts_of(site: Path) -> dict:
    files = [*site.glob("*.html"), *(path for path in site.glob("downloads/*") if path.suffix != ".npz")]
    return {path.relative_to(site).as_posix(): re.sub(
        r'<svg [^>]*class="chart".*?</svg>', "<svg/>", path.read_text(encoding="utf-8"), flags=re.S)
        for path in files}


def test_the_site_is_the_golden_one(made_site, request):
    made = texts_of(made_site)
    if request.config.getoption("--refresh-golden"):
        for name, text in made.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_text(text, encoding="utf-8")
        pytest.skip(f"refreshed {GOLDEN}")
    golden = {path.relative_to(GOLDEN).as_posix(): path.read_text(encoding="utf-8")
              for path in GOLDEN.rglob("*") if path.is_file()}
    assert sorted(made) == sorted(golden)
    different = [name for name in made if made[name] != golden[name]]
    assert not different, "refresh the golden site if this is meant (see this file's head)"
