"""A bracket through the front door: saved, opened, checked on fresh samples, drawn."""

import json

import pytest

import expost as ex
from expost.cli import run_command


def test_a_bracket_is_saved_opened_checked_and_drawn(tmp_path, capsys):
    folder = tmp_path / "bounds"
    assert (
        run_command(["bracket", "one-dimensional", "--accuracy", "0.2", "--out", str(folder), "--json"]) == 0
    )
    data = json.loads(capsys.readouterr().out)
    again = ex.open(folder)
    assert isinstance(again, ex.Bracket) and float(again.lower) == data["lower"]["value"]
    assert ex.verify(folder).passed and run_command(["verify", str(folder), "--json"]) == 0
    assert run_command(["plot", str(folder), "--out", str(tmp_path / "history.png")]) == 0
    assert (tmp_path / "history.png").stat().st_size
    assert run_command(["menu", str(folder)]) == 2
    record = json.loads((folder / "bracket.json").read_text())
    record["lower"]["value"] += 0.01
    (folder / "bracket.json").write_text(json.dumps(record))
    assert not ex.verify(folder) and run_command(["verify", str(folder)]) == 1
    with pytest.raises(ex.InputError, match="exists"):
        again.save(folder)
