"""The Python blocks of all pages run, from the front door alone."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SAID = {
    "brackets.md": ["0 with more winners than units"],
    "instances.md": ["Assumption 3 (non-trivial): holds"],
    "sequential.md": ["(64, 8)", "('p1', 'p2'): True, ('p1', 'c2'): False"],
}
"""What the blocks of a page print, among other things."""


def blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_the_python_of_a_page_runs_and_uses_the_front_door_alone(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page):
        assert not re.findall(r"import expost\.|from expost", block)
        exec(compile(block, page.name, "exec"), names)
    out = capsys.readouterr().out
    assert all(words in out for words in SAID.get(page.name, ()))
