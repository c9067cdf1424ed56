"""Own mechanisms with three buyers, several units, correlated and discrete signals; strikes left to be completed."""

import json
from dataclasses import replace

import numpy as np
import pytest

import expost as ex
from expost.cli import run_command
from expost.mechanisms.continuum.admissibility import search_admissibility
from expost.mechanisms.continuum.figures import continuum_figures
from expost.mechanisms.given import strikes_on
from expost.mechanisms.own import OwnPrices
from expost.papers import constructions
from expost.papers.bikhchandani.pivotal import mutually_pivotal, strongly_mutually_pivotal
from expost.papers.zik.completed_strikes import CompletedStrikes
from expost.spaces.type_space import discretize

EXAMPLE_2 = {"1": "p2 + c2**2", "2": "p1 + c1**2"}
COUPLED = "1 + 0.5*cos(pi*(c1 - c2))"


def jmmz(**given):
    return ex.Instance("mine", ex.load("jmmz").buyers, parameters={"k": 1.0}, **given)


def auction(n=3):
    """One signal each and single crossing: the generalized Vickrey auction is efficient."""
    names = [f"s{i}" for i in range(n)]
    own = [" + ".join(f"{2 if k == i else 1}*{name}" for k, name in enumerate(names)) for i in range(n)]
    return ex.Instance("auction", [ex.Buyer(str(i), [names[i]], own[i]) for i in range(n)])


def test_the_vickrey_auction_of_three_is_strongly_mutually_pivotal():
    instance = auction()
    prices = constructions.get("t*", instance).prices
    found = strongly_mutually_pivotal(instance, prices, samples=16)
    assert found.holds, found
    assert found.pivotal > 0
    assert mutually_pivotal(instance, prices, samples=16).holds


def test_higher_prices_of_three_are_not_pivotal_by_as_much_as_they_are_higher():
    """At i's pivotal signal, 0.1 above the rival's value, the rival is 0.1/2 and more below his own price."""
    instance = auction()
    texts = {str(i): " + ".join(["3*max({}, {})".format(*rest), "min({}, {})".format(*rest), "0.1"]) for i, rest in
             enumerate([("s1", "s2"), ("s0", "s2"), ("s0", "s1")])}  # fmt: skip
    prices = ex.Prices(texts).bind(instance)
    assert isinstance(prices, OwnPrices)

    def posted(i, signals):
        return prices.price(i, {name: x for name, x in signals.items() if name != f"s{i}"})

    assert search_admissibility(instance, posted).admissible
    found = mutually_pivotal(instance, prices, samples=16)
    assert not found.holds
    assert found.worst > 0.05
    exact = ex.Prices({name: text.replace(" + 0.1", "") for name, text in texts.items()}).bind(instance)
    assert strongly_mutually_pivotal(instance, exact, samples=16).holds


def test_a_third_buyer_who_values_the_item_more_spoils_strong_pivotality():
    """Buyer 3 always values the item at 3 and never gets it: the other two are still mutually pivotal."""
    pair = auction(2)
    buyers = [*pair.buyers, ex.Buyer("2", ["z"], "5 + 0*z")]
    instance = ex.Instance("spoiled", buyers)
    prices = ex.Prices({"0": "3*s1", "1": "3*s0", "2": "9"}).bind(instance)
    assert mutually_pivotal(instance, prices, samples=8).holds
    found = strongly_mutually_pivotal(instance, prices, samples=8)
    assert not found.holds
    assert found.worst > 1.0


def test_pivotality_is_for_rivals():
    one = ex.Instance("one", [ex.Buyer("1", ["a"], "a")])
    for instance in (one, replace(auction(), units=2)):
        with pytest.raises(ex.InputError, match=r"pivotal signals: . buyers and . units; expected rivals"):
            mutually_pivotal(
                instance, ex.Prices({}.fromkeys([b.name for b in instance.buyers], 1.0)).bind(instance)
            )


def sequential(instance):
    return replace(
        instance, buyers=tuple(replace(b, stages=((b.signals[1],), (b.signals[0],))) for b in instance.buyers)
    )


@pytest.mark.parametrize("units", [1, 2])
def test_completed_strikes_are_the_suprema_of_brute_force(units):
    instance = sequential(replace(ex.load("three-buyers" if units == 2 else "jmmz"), units=units))
    terms = {"1": "0.4 + 0.5*p2 + 0.3*c2 - 0.2*c1", "3": "0.5 + 0.4*p1 - 0.1*c3"}
    own = ex.Strikes({k: v for k, v in terms.items() if units == 2 or k == "1"}).bind(instance)
    assert own.open == (1,)
    completed = CompletedStrikes(instance, own, 1, "x", "y")
    rng = np.random.default_rng(units)
    others = {name: rng.random(6) for name in instance.signals if name not in ("p2", "c2")}
    first = rng.random(6)
    found = completed.strike(1, first, others)
    p, c = (axis.ravel() for axis in np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 201)))
    for k in range(6):
        state = {name: np.full(p.shape, column[k]) for name, column in others.items()} | {"p2": p, "c2": c}
        wins = np.zeros(p.shape, dtype=int)
        for j in (0, 2)[: instance.n - 1]:
            rest = {name: x for name, x in state.items() if name not in instance.buyers[j].signals}
            wins += instance.value(j, state) > own.strike(j, state[f"c{j + 1}"], rest)
        values = np.where((wins >= units) & (c >= first[k]), instance.value(1, state), 0.0)
        assert found[k] >= values.max() - 1e-9
        assert found[k] <= values.max() + 0.03


def test_strikes_with_a_buyer_left_out_are_a_mechanism_on_a_grid():
    instance = sequential(ex.load("jmmz"))
    own = ex.Strikes({"1": "0.3 + p2 + 0.5*c2 - 0.3*c1"})
    space = discretize(instance, 4)
    strikes = CompletedStrikes(instance, own.bind(instance), 1, "x", "y")
    rows = strikes_on(space, strikes, 1).reshape(16, 4, 4)[
        :, 0
    ]  # by first signal, the last of the two listed
    assert (np.diff(strikes_on(space, strikes, 1).reshape(16, 4, 4), axis=2) <= 1e-9).all()
    assert rows.shape == (16, 4)
    assert ex.dominate(instance, own, 3).welfare > 0.5
    found = ex.compare(instance, 3, constructions=False, mechanisms=[own], brackets=0.0)
    assert found.constructions[0].welfare is not None
    with pytest.raises(ex.InputError, match="strikes: no strike for buyers 1, 2"):
        ex.dominate(instance, ex.Strikes({"1": "complete"}), 3)


@pytest.mark.parametrize("first", ["c", "p"])
def test_strikes_in_another_order_are_those_of_an_instance_that_declares_it(first):
    own = ex.Strikes({"1": f"0.3 + p2 + 0.5*c2 - 0.3*{first}1"})
    order = f"{first}1,{first}2"
    buyers = [
        replace(buyer, stages=((f"{first}{buyer.name}",), tuple(s for s in buyer.signals if s[0] != first)))
        for buyer in ex.load("jmmz").buyers
    ]
    declared = replace(ex.load("jmmz"), buyers=tuple(buyers))
    asked, plain = ex.dominate("jmmz", own, 3, first=order), ex.dominate(declared, own, 3)
    assert (asked.welfare, asked.gain) == (plain.welfare, plain.gain)
    row = ex.compare(
        "jmmz", 3, constructions=False, mechanisms=[own], first=order, brackets=0.0
    ).constructions[0]
    assert row.welfare == asked.welfare
    assert row.dominated_by == asked.gain


def test_an_order_is_for_strikes_of_ones_own(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(
        '[strikes]\n1 = "1.3 + p2 - 0.3*c1"\n2 = "1.3 + p1 - 0.3*c2"\n', encoding="utf-8"
    )
    late = ["--prices", "mine.toml", "--grid", "3", "--first", "c1,c2"]
    assert run_command(["dominate", "jmmz", *late, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["welfare"] > 0.05
    assert run_command(["compare", "jmmz", *late, "--brackets", "0", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["constructions"]
    assert made[-1]["timing"] == ["sequential"]
    assert made[-1]["welfare"] > 0.05
    assert run_command(["plot", "jmmz", *late, "--axes", "c1,c2", "--out", "who.png"]) == 0
    assert run_command(["page", "jmmz", *late, "--out", "own.html"]) == 0
    capsys.readouterr()
    for command in ("dominate", "compare", "plot", "page"):
        out = ["--out", "x.png"] if command == "plot" else ["--out", "x.html"] if command == "page" else []
        assert run_command([command, "jmmz", "--prices", "1: p2 + c2**2", "--first", "c1", *out]) == 2
        assert "--first" in capsys.readouterr().err
    assert run_command(["compare", "jmmz", "--first", "c1"]) == 2
    ex.solve("jmmz", grid=3).save("run")
    for command in (["dominate", "--run", "run"], ["plot", "run", "--out", "x.png"]):
        assert run_command([*command, "--first", "c1"]) == 2
    assert run_command(["page", "run", "--first", "c1", "--out", "x.html"]) == 2


def test_a_joint_density_weighs_the_figures():
    """Private values and the density 1 + (2x - 1)(2y - 1): everything by hand, price y for the first and x for the
    second. E[max g] = 2/3 + E[(2x-1)(2y-1) max] = 2/3 + 1/30; the lower value is paid: 1/3 - 1/30."""
    buyers = [ex.Buyer("1", ["x"], "x"), ex.Buyer("2", ["y"], "y")]
    found = ex.check(
        ex.Instance("p", buyers, joint="2*(1 + (2*x - 1)*(2*y - 1))"),
        {"1": "y"} and ex.Prices({"1": "y", "2": "x"}),
        4,
    )
    x = (np.arange(2000) + 0.5) / 2000
    g = 1 + np.outer(2 * x - 1, 2 * x - 1)
    high, low = (float((f(x[:, None], x[None]) * g).mean()) for f in (np.maximum, np.minimum))
    assert found.welfare == pytest.approx(high, abs=5e-4)
    assert found.continuum.first_best == pytest.approx(high, abs=5e-4)
    assert found.revenue == pytest.approx(low, abs=1e-3)
    assert found.sold == pytest.approx(1.0, abs=2e-3)


def test_a_product_density_is_the_prior_that_it_makes():
    """2 c1 makes c1 a beta(2, 1)."""
    from scipy import stats

    one, two = (
        continuum_figures(instance, prices=ex.Prices(EXAMPLE_2).bind(instance), accuracy=1e-3)
        for instance in (jmmz(joint="2*c1"), jmmz(priors={"c1": stats.beta(2, 1)}))
    )
    for name in ("welfare", "revenue", "sold", "first_best"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), abs=2e-3)


def test_two_units_and_three_buyers():
    three = replace(ex.load("three-buyers"), units=2)
    low = ex.check(three, "1: 0.4; 2: 0.5; 3: 0.6", 2)
    assert low.admissible is False
    assert low.explanation.startswith("three buyers win at ")
    assert all(low.witness[name] == 1 for name in three.signals)
    fine = ex.check(three, "1: 2.5; 2: 0.5; 3: 0.6", 2)
    assert fine.admissible
    # two buyers with prices of their own: E[V 1{V > t}], closed form by sampling
    rng = np.random.default_rng(0)
    p, c, d, e = rng.random((4, 400_000))
    value = p + c * np.maximum(d, e)
    truth = sum(np.where(value > t, value, 0.0).mean() for t in (0.5, 0.6))
    assert fine.welfare == pytest.approx(truth, abs=0.01)
    assert "mutually pivotal" not in [one.name for one in fine.conditions]


def test_discrete_priors_are_looked_at_exactly():
    instance = jmmz(
        priors={name: ex.discrete([0.1, 0.5, 0.9], [1, 2, 1]) for name in ("p1", "c1", "p2", "c2")}
    )
    found = ex.check(instance, ex.Prices(EXAMPLE_2), 8)
    assert found.admissible and found.how == "proved"
    assert found.continuum is None
    assert found.welfare == found.on_grid.welfare
    assert found.on_grid.states == 81
    assert found.revenue == found.on_grid.revenue > 0.3


@pytest.mark.slow
def test_prices_above_example_2_are_dominated_in_the_continuum():
    right = ex.check("jmmz", ex.Prices(EXAMPLE_2), 3)
    assert right.lowered is None
    above = ex.check("jmmz", ex.Prices({k: f"{v} + 0.01" for k, v in EXAMPLE_2.items()}), 3)
    assert above.admissible
    assert above.welfare < right.welfare - 0.01
    low = above.lowered
    assert low.harmless
    instance = ex.load("jmmz")
    lower = ex.Prices({"1": "p2 + c2**2 - 0.01", "2": "p1 + c1**2 + 0.01"}).bind(instance)
    better = continuum_figures(instance, prices=lower, accuracy=5e-4)
    assert better.welfare - above.welfare == pytest.approx(low.gain, abs=2 * low.error + 1e-3)


@pytest.mark.slow
def test_fit_knows_densities_and_units():
    found = ex.fit(
        jmmz(joint=COUPLED), ex.Prices({"1": "p2 + a*c2**2", "2": "p1 + a*c1**2"}, a=1), {"a": (0.5, 2)}
    )
    assert found.parameters["a"] == pytest.approx(1.0, abs=0.01)
    three = replace(auction(), units=2, seller="1")
    own = ex.Prices({"0": "k", "1": "complete", "2": "9"}, k=1.0)
    best = ex.fit(three, own, {"k": (0.0, 3.0)})
    assert best.admissible
    assert best.parameters["k"] < 1.4  # one buyer alone, w = V - 1: sell where V > 1


def test_the_command_line_takes_prices_everywhere(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prices = ["--prices", "1: p2 + a*c2**b; 2: p1 + a*c1**b", "--set", "a=1,b=2"]
    assert run_command(["plot", "jmmz", *prices, "--grid", "3", "--axes", "p1,p2", "--out", "who.png"]) == 0
    assert run_command(["page", "jmmz", *prices, "--grid", "3", "--out", "own.html"]) == 0
    assert "mutually pivotal" in (tmp_path / "own.html").read_text(encoding="utf-8")
    assert (tmp_path / "who.png").stat().st_size > 5000
    capsys.readouterr()
    assert run_command(["bracket", "jmmz", *prices, "--time-limit", "3", "--accuracy", "0.2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lower"]["value"] > 0.5
    (tmp_path / "mine.toml").write_text('[strikes]\n1 = "p2 + c2**2 - 0.1*c1"\n', encoding="utf-8")
    late = ["--timing", "sequential", "--first", "c1,c2", "--time-limit", "3", "--accuracy", "0.9", "--json"]
    assert run_command(["bracket", "jmmz", "--prices", "mine.toml", *late]) == 0
    assert json.loads(capsys.readouterr().out)["first"] == ["c1", "c2"]
    assert run_command(["bracket", "jmmz", "--prices", "1: p1", "--time-limit", "3"]) == 2
    assert "prices.1" in capsys.readouterr().err


@pytest.mark.slow
def test_simplify_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ex.solve("jmmz", grid=6).save("run")
    assert run_command(["simplify", "run", "--terms", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mechanisms"][0]["terms"] == 1
    assert found["mechanisms"][0]["admissible"] is True
    assert found["mechanisms"][0]["prices"]["2"] == "complete"
    assert run_command(["simplify", "run", "--terms", "0"]) == 2
    assert "--terms: 0" in capsys.readouterr().err
    assert run_command(["simplify", "run", "--terms", "1", "--add", "p2 +"]) == 2
    assert "--add" in capsys.readouterr().err
