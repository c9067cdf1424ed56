"""Every kind of result has a card that says what was computed, its figures, what is proved and what to do next."""

import pytest

import expost as ex


@pytest.fixture(scope="module")
def results():
    run = ex.solve("jmmz", 3)
    own = ex.Prices({"1": "a + s2", "2": "a + s1"}, a=0.5)
    return {
        "run": run,
        "check": ex.check("one-dimensional", own, grid=3),
        "bayesian": ex.bayesian("jmmz", grid=2),
        "lotteries": ex.solve("lottery", grid=3, timing="sequential", lotteries=True),
        "epsilon": ex.epsilon("jmmz", 2, [0.0, 0.1]),
        "frontier": ex.frontier("jmmz", 2),
        "items": ex.items("example3", 1),
        "explain": run.explain(),
        "verify": run.verify(),
        "dominate": ex.dominate("jmmz", "t*", 2),
        "compare": ex.compare("jmmz", 2, constructions=False),
    }


FIGURES = {
    "run": lambda found: [found.welfare, found.first_best],
    "check": lambda found: [found.welfare],
    "bayesian": lambda found: [found.welfare, found.first_best, found.ex_post],
    "lotteries": lambda found: [found.welfare, found.first_best],
    "epsilon": lambda found: [found.first_best, *(rule.welfare for rule in found.rules)],
    "frontier": lambda found: [found.corners[0].first, found.corners[-1].second],
    "items": lambda found: [found.first_best, found.welfare],
    "explain": lambda found: [found.first_best, found.bound, found.loss],
    "dominate": lambda found: [found.welfare, found.gain],
    "compare": lambda found: [row.welfare for row in found.rows],
    "verify": lambda found: [],
}


@pytest.mark.parametrize("kind", FIGURES)
def test_a_card_has_the_figures(results, kind):
    found = results[kind]
    card = found._repr_html_()
    for value in FIGURES[kind](found):
        assert f"{value:.6f}" in card
    assert "<table" in card and card.count("<div") == card.count("</div>")
    if kind != "verify":
        assert "Next: " in card and f">{type(found).__name__}<" not in card


def test_a_refuted_mechanism_shows_no_welfare():
    found = ex.check("jmmz", ex.Prices({"1": "0.5*p2", "2": "0.5*p1"}), grid=2)
    card = found._repr_html_()
    assert "not admissible" in card and "two buyers win" in card and ">welfare<" not in card
