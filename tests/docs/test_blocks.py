"""The Python blocks of the pages about one's own mechanisms and many solves run, from the front door alone."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["own.md", "many.md"])
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    for block in blocks:
        assert not re.findall(r"import expost\.|from expost", block)
        exec(compile(block, page, "exec"), names)
    assert blocks
