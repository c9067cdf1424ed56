"""A paper's prices for several items in the continuum: checks by definition, welfare against closed forms, export."""

import json

import numpy as np
import pytest

import expost as ex
from expost.cli import run_command
from expost.instances.items import items_from_document


def private(bundles="additive"):
    buyers = [
        {
            "name": str(i),
            "signals": [f"x{i}", f"y{i}"],
            "values": {"a": f"x{i}", "b": f"y{i}"},
            "bundles": bundles,
        }
        for i in (1, 2)
    ]
    return items_from_document({"name": "private", "items": ["a", "b"], "buyers": buyers}, {})


def test_private_additive_values_are_two_second_price_auctions():
    found = ex.items_check(private(), "t*", samples=32)
    assert found.admissible and found.feasibility.crowded == 0
    assert found.welfare == pytest.approx(4 / 3, abs=4 * found.error + 1e-2)
    assert found.revenue == pytest.approx(2 / 3, abs=4 * found.error + 1e-2)
    assert found.share == pytest.approx(1.0, abs=1e-6)
    assert found.table["worst"].max() <= 1e-6


def test_example_3_as_printed_is_no_mechanism_and_repaired_it_is():
    printed = ex.items_check("example3", "(15)")
    assert not printed.admissible and printed.welfare is None and printed.feasibility.crowded > 0
    assert set(printed.feasibility.witness) == set(printed.instance.signals)
    repaired = ex.items_check("example3", "(15) repaired")
    assert repaired.admissible and 0.7 < repaired.share < 0.9
    assert repaired.findings[2].worst <= 1e-9


def test_prices_are_exported_as_they_are_charged(tmp_path, capsys):
    words = ["items", "example3-unit-demand", "--prices", "(15) repaired", "--grid", "2", "--samples", "64"]
    assert run_command([*words, "--out", str(tmp_path / "prices.csv"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["admissible"] is True and said["prices"] == "(15) repaired"
    found = ex.items_check("example3-unit-demand", "(15) repaired", samples=64)
    columns = found.columns(2)
    assert len(columns["price"]) == 3 * 2 * 2**6
    row = 77
    i = int(columns["buyer"][row]) - 1
    others = {n: columns[n][row : row + 1] for n in found.instance.signals if np.isfinite(columns[n][row])}
    k = found.instance.items.index(columns["item"][row])
    assert columns["price"][row] == found.prices.price(i, others)[k, 0]
    assert (tmp_path / "prices.csv").read_text().count("\n") > 384


@pytest.mark.parametrize(
    ("change", "where"), [({"prices": "t"}, "prices"), ({"samples": 3}, "samples"), ({"seed": -1}, "seed")]
)
def test_bad_input_is_refused_by_name(change, where):
    with pytest.raises(ex.InputError) as error:
        ex.items_check("example3", **({"prices": "(15)"} | change))
    assert error.value.where == where


def test_prices_of_another_form_are_refused_by_name():
    with pytest.raises(ex.InputError, match="another form"):
        ex.items_check(private(), "(15)")


def test_lotteries_are_swept_too():
    table = ex.sweep("lottery", grid=4, timing="sequential", lotteries=[False, True])
    assert (table["error"] == "").all()
    assert table["welfare"].iloc[1] > table["welfare"].iloc[0]


def test_the_bayesian_benchmark_is_swept_over_the_strength_of_interdependence(capsys):
    table = ex.sweep("jmmz", grid=2, bayesian=True, participation=["interim", "ex post"])
    assert (table["error"] == "").all() and table["welfare"].nunique() == 1
    assert table["robustness"].iloc[0] == table["welfare"].iloc[0] - table["ex_post"].iloc[0]
    assert run_command(["sweep", "jmmz", "--grid", "2|3", "--bayesian", "--json"]) == 0
    assert [row["grid"] for row in json.loads(capsys.readouterr().out)["rows"]] == [2, 3]
    with pytest.raises(ex.InputError, match="one of them"):
        ex.sweep("jmmz", grid=2, bayesian=True, bracket=True)
