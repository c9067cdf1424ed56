"""The site: every page is in its contents, every public name in its reference, every link leads somewhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import links
import pytest

import expost as ex

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MADE = {"index.md", "commands.md"}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def contents():
    trees = re.findall(
        r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL
    )
    return [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]


def test_every_page_and_every_notebook_is_in_the_contents():
    pages = {path.stem for path in DOCS.glob("*.md") if path.name not in MADE}
    notebooks = {f"examples/{path.stem}" for path in (ROOT / "examples").glob("*.ipynb")}
    assert len(notebooks) >= 7
    assert sorted(contents()) == sorted([*pages, *notebooks, "commands"])


def test_every_public_name_is_in_the_reference():
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)", text, re.MULTILINE))
    assert set(ex.__all__) - {"__version__"} <= named


@pytest.mark.parametrize("page", sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")]), ids=lambda path: path.name)
def test_files_that_a_page_names_are_there(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<h1 id="top"></h1><a href="b.html#there"></a><img src="c.png">')
    (tmp_path / "b.html").write_text('<a href="a.html#top"></a><a href="https://example.org/x"></a>')
    assert [line.split(":")[0] for line in links.broken(tmp_path)] == ["a.html", "a.html"]
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    (tmp_path / "c.png").touch()
    assert links.broken(tmp_path) == []


@pytest.mark.slow
def test_the_site_builds_without_warnings_and_no_link_is_broken(tmp_path):
    if importlib.util.find_spec("myst_nb") is None:
        pytest.skip("the extra docs is not installed")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-n",
        "-W",
        "--keep-going",
        "-D",
        "nb_execution_mode=off",
    ]
    done = subprocess.run([*command, DOCS, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert links.broken(tmp_path) == [] and len(list(tmp_path.rglob("*.html"))) > 25
