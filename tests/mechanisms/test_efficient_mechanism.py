"""The conditionally efficient mechanism: efficient wherever somebody wins, incentive compatible, the first best where
it can be had."""

import numpy as np
import pytest

import expost as ex
from expost.brackets.lower.evaluation import states_replicate
from expost.errors import InputError
from expost.mechanisms.continuum import efficient
from expost.mechanisms.continuum.efficient import EfficientMechanism
from expost.mechanisms.continuum.monotone import NotMonotone, advantage
from expost.mechanisms.continuum.saved import load_mechanism
from expost.papers.bikhchandani.pivotal_prices import PivotalPrices
from expost.spaces.efficient import should_win
from expost.spaces.quantile_space import quantile_space, scrambled

WAVY = """name = "wavy"
[[buyers]]
name = "1"
signals = ["x"]
value = "x"

[[buyers]]
name = "2"
signals = ["y"]
value = "y + 0.9*sin(3*x)"
"""


def mechanism_of(name, timing, first=()):
    instance = ex.load(name)
    return EfficientMechanism(quantile_space(instance, (timing,) * instance.n, first), "efficient")


CASES = {
    "two": ("jmmz", "static", ()),
    "two in turn": ("jmmz", "sequential", ("p1", "p2")),
    "three in turn": ("three-buyers", "sequential", ("p1", "p2", "p3")),
    "three the other way": ("three-buyers", "sequential", ("c1", "c2", "c3")),
}


@pytest.mark.parametrize("case", CASES)
def test_nobody_wins_but_the_efficient_and_the_audit_passes(case, monkeypatch):
    monkeypatch.setattr(efficient, "DEPTH", {2: 9})
    mechanism = mechanism_of(*CASES[case])
    levels = mechanism.space.split(scrambled(512, sum(mechanism.space.dims), np.random.default_rng(1)))
    signals = mechanism.space.signals(levels)
    gains = np.stack([mechanism.space.instance.gain(i, signals) for i in range(mechanism.space.n)])
    wins = mechanism.wins(levels)
    assert wins.any() and wins.sum(axis=0).max() == 1
    for i, won in enumerate(wins):
        assert not (won & ~should_win(gains, i, 1)).any()
    values = np.stack([mechanism.space.instance.value(i, signals) for i in range(mechanism.space.n)])
    strikes = mechanism.strikes(levels)
    assert (wins == (values > strikes)).all()  # two ways to find them
    for i, (value, strike, won) in enumerate(zip(values, strikes, wins, strict=True)):
        found = mechanism.strike_where(i, levels, value)
        assert found[won] == pytest.approx(strike[won], abs=1e-9) and (found[~won] >= value[~won]).all()
    assert mechanism.audit(128, 2).passed


@pytest.mark.parametrize("name", ["jmmz", "three-buyers", "four-buyers"])
def test_with_the_private_part_first_it_is_the_first_best(name):
    instance = ex.load(name)
    mechanism = mechanism_of(name, "sequential", tuple(buyer.signals[0] for buyer in instance.buyers))
    lost = [states_replicate(mechanism, 64, seed) for seed in np.random.SeedSequence(3).spawn(4)]
    assert -2e-3 < np.mean(lost) <= 0.0


def test_static_prices_are_the_pivotal_ones():
    mechanism = mechanism_of("jmmz", "static")
    levels = mechanism.space.split(scrambled(32, 4, np.random.default_rng(4)))
    signals = mechanism.space.signals(levels)
    prices = PivotalPrices(mechanism.space.instance)
    for i in range(2):
        found, stated = mechanism.strikes(levels)[i], prices.price(i, signals)
        value = mechanism.space.instance.value(i, signals)
        assert ((value > found) <= (value > stated - 1e-6)).all()
        assert (found >= stated - 1e-6).all() and np.median(found - stated) < 1e-3


def test_a_coarser_mesh_sells_less_never_more(monkeypatch):
    fine = mechanism_of("three-buyers", "sequential", ("c1", "c2", "c3"))
    levels = fine.space.split(scrambled(64, 6, np.random.default_rng(5)))
    monkeypatch.setattr(efficient, "DEPTH", {2: 10})
    high, many = fine.strikes(levels), fine.wins(levels)
    monkeypatch.setattr(efficient, "DEPTH", {2: 5})
    low, few = fine.strikes(levels), fine.wins(levels)
    assert (low >= high).all() and (few <= many).all() and few.sum() < many.sum()


def test_what_rises_and_falls_is_refused(tmp_path):
    file = tmp_path / "wavy.toml"
    file.write_text(WAVY)
    space = quantile_space(ex.load(file), ("static",) * 2, (None,) * 2)
    with pytest.raises(
        NotMonotone, match="by how much w of buyer 2 exceeds that of 1 both rises and falls in x"
    ):
        EfficientMechanism(space, "efficient").check()
    assert advantage(quantile_space(ex.load("jmmz"), ("static",) * 2, (None,) * 2), 1, 0).tolist() == [-1, 1]


def test_it_is_saved_and_opened(tmp_path):
    mechanism = mechanism_of("jmmz", "sequential", ("p1", "p2"))
    mechanism.save(tmp_path)
    again = load_mechanism(tmp_path)
    levels = mechanism.space.split(scrambled(64, 4, np.random.default_rng(6)))
    assert isinstance(again, EfficientMechanism) and (again.wins(levels) == mechanism.wins(levels)).all()


def test_a_bracket_whose_first_best_is_attained_is_a_point(tmp_path):
    found = ex.bracket("jmmz", accuracy=1e-3, timing="sequential", first=("p1", "p2"), seed=2)
    assert found.reached and found.lower.method.startswith("conditionally efficient")
    assert float(found.lower) <= 11 / 12 <= float(found.upper)
    folder = found.save(tmp_path / "saved")
    assert ex.verify(folder).passed


def test_many_signals_have_coarse_cells_and_too_many_none(monkeypatch):
    def pair(signals):
        own = [[f"s{k}_{j}" for j in range(signals)] for k in (1, 2)]
        buyers = [ex.Buyer(str(k), names, " + ".join(names)) for k, names in zip((1, 2), own, strict=True)]
        return EfficientMechanism(
            quantile_space(ex.Instance("many", buyers), ("static",) * 2, (None, None)), "efficient"
        )

    with pytest.raises(InputError, match="9 signals"):
        pair(9).check()
    mechanism, looks = pair(6), []
    levels = mechanism.space.split(scrambled(8, 12, np.random.default_rng(1)))
    wins = mechanism.wins(levels, lambda: looks.append(1))
    assert wins.sum(axis=0).max() <= 1 and len(looks) >= 2 * (mechanism.depth(0) + 1)
