"""First best, static and sequential second best side by side, on the papers' examples."""

import types

import psutil
import pytest

import expost as ex
from expost.errors import AuditError
from expost.formulations.room import ANY_SOLVE
from expost.instances import Buyer, Instance
from expost.instances.catalogue import load
from expost.mechanisms.mechanism import mechanism_from_prices
from expost.mechanisms.prices import given_prices
from expost.runs.arguments import beside_brackets
from expost.runs.compare import compare, mechanism_row
from expost.runs.record import share_of
from expost.spaces.type_space import Grid, discretize


def test_jmmz_private_first_is_first_best_and_private_second_lies_strictly_between():
    comparison = compare(load("jmmz"), 8)
    static = comparison.row("static second best")
    private = comparison.row("sequential second best, p1, p2 first")
    common = comparison.row("sequential second best, c1, c2 first")
    assert len(comparison.rows) == 6
    assert private.welfare == pytest.approx(comparison.first_best, abs=1e-12)
    assert private.share == pytest.approx(1.0)
    assert static.upper_bound < common.welfare and common.upper_bound < comparison.first_best
    assert static.welfare == pytest.approx(0.8528, abs=5e-5)
    for row in comparison.rows:
        assert row.gap <= 1e-9
        assert row.share == pytest.approx(row.welfare / comparison.first_best)


@pytest.mark.parametrize("grid", [5, 8, 16, 33, Grid(12, "endpoint"), Grid(12, 0.2)])
@pytest.mark.parametrize(
    ("name", "right", "wrong"), [("privatization", "m", "f"), ("public-rival", "x", "y")]
)
def test_one_buyer_right_order_is_first_best_and_wrong_order_is_the_static_second_best(
    name, right, wrong, grid
):
    comparison = compare(load(name), grid, constructions=False)
    static = comparison.row("static second best")
    assert comparison.row(f"sequential second best, {right} first").welfare == pytest.approx(
        comparison.first_best
    )
    assert comparison.row(f"sequential second best, {wrong} first").welfare == pytest.approx(
        static.welfare, abs=1e-12
    )
    assert comparison.no_sale > 0 and static.share < 1.0


def test_the_share_counts_from_keeping_the_item():
    space = discretize(load("public-rival"), 6)
    assert share_of(space.seller, space.first_best, space.seller) == 0.0
    assert share_of(space.first_best, space.first_best, space.seller) == 1.0
    nothing = discretize(Instance("none", (Buyer("1", ("p", "c"), "p + c"),), seller="5"), 3)
    assert share_of(5.0, nothing.first_best, nothing.seller) is None


def test_an_order_that_is_not_admitted_becomes_a_refused_row():
    instance = Instance("mixed", (Buyer("1", ("p", "c"), "p - 0.5*c"), Buyer("2", ("s",), "s")))
    rows = compare(instance, 4).rows
    assert [row.status for row in rows] == ["computed", "optimal", "refused", "refused"]
    assert "does not fall" in rows[2].note and rows[2].welfare is None
    assert rows[2].timing == ("sequential", "static")
    assert len(compare(load("one-dimensional"), 4).rows) == 2


def test_three_buyers_go_through_the_solver_for_many():
    comparison = compare(
        load("three-buyers"), 2, constructions=False, firsts=[("p1", "p2", "p3"), ("c1", None, None)]
    )
    assert comparison.rows[2].welfare == pytest.approx(comparison.first_best)
    assert comparison.rows[1].welfare <= comparison.rows[3].welfare + 1e-9


def test_rows_are_for_audited_mechanisms_only():
    space = discretize(load("jmmz"), 4)
    static = [
        given_prices(price, i)
        for i, price in enumerate([space.values[1].max(axis=0), space.values[0].max(axis=1)])
    ]
    row = mechanism_row(
        space, "high prices", "construction", mechanism_from_prices(space.values, tuple(static))
    )
    assert 0.0 <= row.share <= 1.0
    low = tuple(given_prices(0.0 * table.price, table.buyer) for table in static)
    with pytest.raises(AuditError, match="more than one winner"):
        mechanism_row(space, "low prices", "construction", mechanism_from_prices(space.values, low))


def test_the_memory_of_sequential_rows_is_asked_for_too(monkeypatch):
    """200 bytes a buyer and state are there, 400 are not: static rows alone would fit."""
    free = types.SimpleNamespace(available=ANY_SOLVE + 6**4 * 2 * 250)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert ex.solve("jmmz", grid=6).status == "optimal"
    with pytest.raises(ex.InputError, match=r"^grid: grid 6 makes 1296 states"):
        ex.compare("jmmz", grid=6)


@pytest.mark.parametrize(
    ("limit", "brackets", "count", "left", "each"),
    [(None, 5.0, 2, None, 5.0), (60.0, 5.0, 2, 50.0, 5.0), (4.0, 5.0, 2, 2.0, 1.0), (4.0, 0.0, 2, 4.0, 0.0)],
)
def test_brackets_take_half_of_a_limit_at_most(limit, brackets, count, left, each):
    assert beside_brackets(limit, brackets, count) == (left, each)


def test_a_comparison_and_a_check_give_brackets_their_share_of_a_limit(monkeypatch):
    asked = []

    def no_time(instance, accuracy, time_limit, **named):
        asked.append(time_limit)
        raise ex.LimitReached("no time")

    monkeypatch.setattr("expost.runs.bracket.bracket", no_time)
    comparison = compare(load("jmmz"), 4, brackets=5.0, time_limit=8.0, constructions=False, firsts=[])
    report = ex.check("jmmz", "example2", 4, brackets=50.0, time_limit=40.0)
    assert asked == [2.0, 20.0]
    assert comparison.no_bracket == "no time"
    assert report.admissible
    assert "bracket" in report.left_out


def test_what_a_comparison_has_no_time_for_is_not_begun(monkeypatch):
    monkeypatch.setattr("expost.runs.compare.least_seconds", lambda binaries, timings: 1e3)
    row = compare(load("jmmz"), 4, time_limit=100.0, constructions=False, firsts=[]).row("static second best")
    assert row.status == "time limit"
