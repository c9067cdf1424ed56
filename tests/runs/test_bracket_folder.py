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
    capsys.readouterr()
    assert run_command(["menu", str(folder)]) == 0
    assert "strike" in capsys.readouterr().out
    record = json.loads((folder / "bracket.json").read_text())
    record["lower"]["value"] += 0.01
    (folder / "bracket.json").write_text(json.dumps(record))
    assert not ex.verify(folder) and run_command(["verify", str(folder)]) == 1
    with pytest.raises(ex.InputError, match="exists"):
        again.save(folder)


def squared(power):
    """Two buyers with one signal each, one value a Python function."""
    value = ex.Buyer("1", ["s"], lambda s, t: s**power + t / 2)
    return ex.Instance("by hand", [value, ex.Buyer("2", ["t"], "t + s/2")])


def test_a_bracket_of_python_functions_is_saved_and_knows_its_functions_again(tmp_path):
    found = ex.bracket(squared(2.0), 0.3)
    found.save(tmp_path / "own")
    bare = ex.open(tmp_path / "own")
    assert (bare.lower, bare.upper) == (found.lower, found.upper)
    with pytest.raises(ex.InputError, match=r"value\.1: a Python function"):
        bare.mechanism.audit()
    checked = ex.verify(tmp_path / "own")
    assert checked.passed and [check.name for check in checked.checks if not check.proved] == ["values"]
    whole = ex.verify(tmp_path / "own", instance=squared(2.0))
    assert (
        whole.passed
        and all(check.proved for check in whole.checks)
        and len(whole.checks) > len(checked.checks)
    )
    assert ex.open(tmp_path / "own", instance=squared(2.0)).mechanism.audit().passed
    with pytest.raises(ex.InputError, match="differs from the saved one by up to"):
        ex.open(tmp_path / "own", instance=squared(2.1))
    with pytest.raises(ex.InputError, match="not the instance that was saved"):
        ex.open(tmp_path / "own", instance="jmmz")
    assert not ex.verify(tmp_path / "own", instance=squared(2.1))


def test_what_needs_no_instance_again_takes_none(tmp_path):
    ex.solve("one-dimensional", 2).save(tmp_path / "run")
    with pytest.raises(ex.InputError, match="instance: 'jmmz'; expected nothing"):
        ex.open(tmp_path / "run", instance="jmmz")
    with pytest.raises(ex.InputError, match="instance: 'jmmz'; expected nothing"):
        ex.verify(tmp_path / "run", instance="jmmz")
