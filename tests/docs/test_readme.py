"""The README's commands, word for word, in the order in which a stranger types them."""

import re
import shlex
from pathlib import Path

import pytest

from expost.cli import run_command

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LONG = ("validate", "bracket", "compare")


def commands():
    lines = re.findall(r"^    (?:python3 start\.py )?(expost .*?)(?:\s+#.*)?$", README, re.MULTILINE)
    return [shlex.split(line)[1:] for line in lines]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run_all(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(blocks("toml")[0])
    for command in words:
        assert run_command(command) == 0, command


def test_every_quick_command_of_the_readme_works(tmp_path, monkeypatch):
    quick = [words for words in commands() if words[0] not in LONG]
    assert len(quick) >= 9
    run_all(quick, tmp_path, monkeypatch)
    assert (tmp_path / "figure.png").stat().st_size and (tmp_path / "page.html").stat().st_size


@pytest.mark.slow
def test_every_long_command_of_the_readme_works(tmp_path, monkeypatch):
    long = [words for words in commands() if words[0] in LONG]
    assert {words[0] for words in long} == set(LONG)
    run_all(long, tmp_path, monkeypatch)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("0.932") and (tmp_path / "mine.png").stat().st_size


def test_the_first_python_example_is_short():
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 6


def test_the_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\((docs/[^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
