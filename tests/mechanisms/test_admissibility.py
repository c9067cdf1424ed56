"""Admissibility of stated prices in the continuum: refuted with a witness, sampled, or proved by cells."""

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.instances.formula import Formula
from expost.instances.priors import Prior
from expost.mechanisms.continuum.admissibility import How, search_admissibility
from expost.mechanisms.continuum.admissibility_cells import prove_admissibility
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.continuum_welfare import continuum_welfare


def stated(*texts):
    formulas = [Formula(text) for text in texts]
    return lambda i, signals: formulas[i](signals)


class Typed:
    name, citation, accuracy = "typed", "", 0.0

    def __init__(self, *texts):
        self.price = stated(*texts)


@pytest.mark.parametrize("term", ["0.5*{0}**1.5", "{0}**2.02", "{0}**2 - 0.003", "0.9*{0}**2"])
def test_prices_with_two_winners_are_refuted_by_a_state_that_can_be_checked_by_hand(term):
    jmmz = catalogue.load("jmmz")
    found = search_admissibility(jmmz, stated("p2 + " + term.format("c2"), "p1 + " + term.format("c1")))
    assert found.how is How.REFUTED and not found.admissible
    at = found.witness
    assert all(0 <= x <= 1 and round(x, 4) == x for x in at.values())
    values = [at["p1"] + at["c1"] * at["c2"], at["p2"] + at["c1"] * at["c2"]]
    prices = [at[f"p{j}"] + eval(term.format(at[f"c{j}"])) for j in (2, 1)]
    assert found.values == pytest.approx(values) and found.prices == pytest.approx(prices)
    assert min(v - t for v, t in zip(values, prices, strict=True)) == pytest.approx(found.worst)
    assert "two buyers win at p1 =" in found.explain()


@pytest.mark.parametrize("term", ["{0}**2", "{0}", "{0}**1.98"])
def test_touching_prices_pass_and_are_not_called_proved(term):
    jmmz = catalogue.load("jmmz")
    texts = "p2 + " + term.format("c2"), "p1 + " + term.format("c1")
    found = search_admissibility(jmmz, stated(*texts))
    assert found.how is How.SAMPLED and found.worst == pytest.approx(0.0, abs=1e-9)
    assert prove_admissibility(jmmz, texts, found) is found


def test_prices_with_slack_are_proved_and_wrong_ones_never():
    jmmz = catalogue.load("jmmz")
    texts = "p2 + c2**2 + 0.1", "p1 + c1**2 + 0.1"
    found = prove_admissibility(jmmz, texts, search_admissibility(jmmz, stated(*texts)))
    assert found.how is How.PROVED and found.admissible
    # Even where the search overlooks the witness, cells never prove what is false.
    wrong = "p2 + 0.9*c2**2", "p1 + 0.9*c1**2"
    blind = search_admissibility(jmmz, stated(*texts))
    assert prove_admissibility(jmmz, wrong, blind, cells=2**16).how is How.SAMPLED


def test_a_narrow_peak_off_the_diagonal_is_found_by_ascent():
    """Prices wrong only where p1 is near 0.37 and c2 near 0.83: a ball of 4e-4 of the states."""
    jmmz = catalogue.load("jmmz")
    dent = " - 0.5*max(0, 1 - 400*((p1 - 0.37)**2 + (c2 - 0.83)**2))"
    found = search_admissibility(jmmz, stated("p2 + c2**2" + dent, "p1 + c1**2" + dent))
    assert found.how is How.REFUTED


def test_three_buyers_and_other_supports():
    three = catalogue.load("three-buyers")
    assert not search_admissibility(three, ExampleTwoPrices(three, True).price).admissible
    assert search_admissibility(three, ExampleTwoPrices(three).price).admissible
    wide = Instance(
        "wide",
        (Buyer("1", ("a",), "a"), Buyer("2", ("b",), "b")),
        {"a": Prior("norm"), "b": Prior("uniform", {"loc": -3.0, "scale": 2.0})},
    )
    assert search_admissibility(wide, stated("b", "a")).admissible
    found = search_admissibility(wide, stated("b - 0.5", "a - 0.25"))
    assert not found.admissible and -3.0 <= found.witness["b"] <= -1.0


def test_one_buyer_has_nobody_to_share_with():
    found = search_admissibility(catalogue.load("privatization"), stated("0"))
    assert found.how is How.PROVED and np.isneginf(found.worst)


def test_the_welfare_of_prices_that_are_not_admissible_is_refused():
    jmmz = catalogue.load("jmmz")
    with pytest.raises(InputError, match=r"two buyers win at p1 = .*values it at .* and pays"):
        continuum_welfare(jmmz, Typed("p2 + 0.5*c2**1.5", "p1 + 0.5*c1**1.5"), accuracy=1e-3)
    assert continuum_welfare(jmmz, Typed("p2 + c2**2", "p1 + c1**2"), accuracy=1e-4).value == pytest.approx(
        86 / 105, abs=1e-4
    )
