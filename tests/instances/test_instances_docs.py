"""The files of docs/instances.md are read, and its table is the catalogue's."""

import re
from pathlib import Path

from expost.instances import catalogue, instance_from_toml, instance_to_toml
from expost.instances.formula_language import FUNCTIONS, LONGEST

TEXT = (Path(__file__).parents[2] / "docs" / "instances.md").read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)
    assert found
    return found


def test_files_read_and_round_trip():
    for block in blocks("toml"):
        instance = instance_from_toml(block)
        assert instance_from_toml(instance_to_toml(instance)) == instance


def test_the_table_is_the_catalogue():
    rows = [row for row in TEXT.splitlines() if row.startswith("| `")]
    listed = {}
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        listed.update(
            {name: (int(cells[1]), len(cells[2].split(","))) for name in re.findall(r"`(.*?)`", cells[0])}
        )
    assert listed == {e.name: (len(e.buyers), len(e.signals[0])) for e in catalogue.describe()}


def test_the_language_is_listed():
    assert all(f"`{name}`" in TEXT or f"`{name}(" in TEXT for name in FUNCTIONS)
    assert f"{LONGEST:,} characters" in TEXT
