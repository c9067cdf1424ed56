"""Folders that an earlier version wrote open and verify; every kind of run is among them."""

import json
from pathlib import Path

import pytest

import expost as ex

FOLDERS = sorted((Path(__file__).parent / "data" / "schema1").iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_of_schema_1_opens_and_verifies(folder):
    data = json.loads((folder / "result.json").read_text())
    assert data["schema"] == 1 and "share" not in data
    run, found = ex.open(folder), ex.verify(folder)
    assert run.welfare == data["welfare"] and run.settings.to_json()["timing"] == data["timing"]
    assert found.passed, found.summary()
    assert run.sold == pytest.approx(float((run.allocation != 0).mean()))


def test_the_kinds_are_all_there():
    assert {folder.name for folder in FOLDERS} == {
        "conditional", "endpoint", "mixed", "one-buyer", "revenue", "sequential", "static", "three-buyers",
        "time-limit",
    }  # fmt: skip
