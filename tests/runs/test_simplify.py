"""Simple price formulas read off an optimum."""

import pytest

import expost as ex

BEST_LOWER = 0.8197  # what a polished completion attains on jmmz (docs/brackets.md)


@pytest.mark.slow
def test_two_terms_are_found_that_keep_nearly_everything():
    found = ex.simplify(ex.solve("jmmz", 12), 2)
    two = found.best(2)
    assert two.report.admissible and two.welfare > 0.995 * BEST_LOWER
    assert "p2" in two.formulas()["1"] and "c2**2" in two.formulas()["1"]
    assert found.best(1).welfare < two.welfare
    assert list(found.table["terms"]) == [1, 2]


def test_what_has_no_prices_to_simplify_is_refused():
    for run in (
        ex.solve("jmmz", 2, "sequential", "c1,c2"),
        ex.solve(ex.Instance("one", [ex.Buyer("1", ["a"], "a")]), 2),
    ):
        with pytest.raises(ex.InputError, match="optimum"):
            ex.simplify(run)
    with pytest.raises(ex.InputError, match="most"):
        ex.simplify(ex.solve("jmmz", 2), 0)
    for terms in (1, "p2", [3]):
        with pytest.raises(ex.InputError, match="terms"):
            ex.simplify(ex.solve("jmmz", 2), terms=terms)


@pytest.mark.parametrize("term", ["q", "p1", "p2 + c1"])
def test_a_term_that_no_price_may_use_is_refused(term):
    with pytest.raises(ex.InputError, match="formula in p2, c2"):
        ex.simplify(ex.solve("jmmz", 2), 1, terms=["p2*c2", term])
