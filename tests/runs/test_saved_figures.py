"""Comparisons and verdicts on dominance are saved as tables and as JSON, whatever the values are made of."""

import json
import subprocess
import sys

import pandas as pd
import pytest

import expost as ex


@pytest.fixture(scope="module")
def results():
    own = ex.Instance(
        "own", [ex.Buyer("1", ["x"], "x + 0.3*y"), ex.Buyer("2", ["y"], lambda x, y: y + 0.2 * x)]
    )
    prices = ex.Prices({"1": "y + 0.5", "2": "x + 0.5"})
    return ex.compare(own, grid=3, mechanisms=[prices]), ex.dominate(own, prices, grid=3)


def test_figures_are_written_whole_and_say_what_the_result_says(results, tmp_path):
    for found in results:
        name = type(found).__name__
        assert found.save(tmp_path / f"{name}.json") == tmp_path / f"{name}.json"
        assert json.loads((tmp_path / f"{name}.json").read_text()) == json.loads(json.dumps(found.to_dict()))
        table = pd.read_csv(found.save(tmp_path / f"{name}.csv"))
        assert table.shape == found.to_frame().shape and list(table) == list(found.to_frame())
        whole = pd.read_parquet(found.save(tmp_path / f"{name}.parquet"))
        assert whole.shape == table.shape
        with pytest.raises(ex.InputError, match=r"^out: .txt suffix"):
            found.save(tmp_path / "a.txt")


def test_a_solve_on_a_grid_loads_nothing_of_the_continuum():
    code = "import sys, expost as ex; ex.solve('jmmz', 2); print([m for m in sys.modules if m.startswith('expost.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "expost.solver.mincut" in loaded
    assert not [room for room in ("brackets", "papers", "show", "cli") if f"'expost.{room}" in loaded]
