"""The Python of the pages on what the papers leave open runs as it stands, one page from top to bottom."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("items", "lotteries", "reading", "robustness")


@pytest.mark.parametrize("page", PAGES)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(
        r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert blocks
    for block in blocks:
        assert not re.search(r"^(from|import) (?!expost as ex$)", block, flags=re.MULTILINE)
        exec(block, names)
