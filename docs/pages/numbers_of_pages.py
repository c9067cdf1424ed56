"""The numbers of both pages, computed: every figure in the text comes from here."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np

from expost.formulations.dominance import dominate
from expost.formulations.sequential_strikes import strike_rule
from expost.instances import catalogue
from expost.papers import constructions
from expost.papers.bikhchandani.claims_efficiency import gain_series
from expost.papers.bikhchandani.example1 import ExampleOnePrices
from expost.papers.bikhchandani.example3 import COLUMNS, equation_15, example_3, table
from expost.papers.bikhchandani.pivotal import mutually_pivotal, strongly_mutually_pivotal
from expost.papers.bikhchandani.several_items_checks import feasibility
from expost.papers.claims import validate
from expost.papers.continuum_welfare import continuum_first_best, continuum_welfare
from expost.papers.optima import second_best
from expost.papers.own_instances import reversed_signals, wavy
from expost.papers.verdict import Verdict
from expost.papers.zik.orders import implementability
from expost.papers.zik.static_second_best import StaticSecondBest
from expost.spaces.type_space import discretize

GRIDS = (4, 8, 12, 16, 20)
STATE = {"p1": 0.5, "c1": 0.2, "p2": 0.4, "c2": 0.8}
"""The state at which Example 2 sells to the lower value."""

Values = dict[str, float | str]


@cache
def verdicts(paper: str) -> tuple[Verdict, ...]:
    """The quick verdicts on the claims of ``B`` or ``Z``."""
    return tuple(validate([paper], quick=True))


@cache
def series() -> dict[str, list[float]]:
    """The largest dominating gains over t* and over Example 2's prices on GRIDS."""
    jmmz = catalogue.load("jmmz")
    return {name: gain_series(jmmz, name, GRIDS) for name in ("t*", "example2")}


def bikhchandani() -> Values:
    """The numbers of docs/bikhchandani.md."""
    return _example_1() | _welfare() | _example_2() | _example_3() | {"verdicts": _verdict_rows("B")}


def _example_1() -> Values:
    jmmz = catalogue.load("jmmz")
    rng = np.random.default_rng(1000)
    signals = {name: rng.random(1000) for name in jmmz.signals}
    prices = constructions.get("t*", jmmz).prices
    assert prices is not None
    off = max(
        float(np.abs(prices.price(i, signals) - ExampleOnePrices().price(i, signals)).max()) for i in range(2)
    )
    some = {
        name: np.array([0.1, 0.4, 0.9]) if name[0] == "p" else np.array([0.3, 0.8, 0.6])
        for name in jmmz.signals
    }
    found = prices.price(0, some)
    rows = "\n".join(
        f"| {p:g} | {c:g} | {t:.10f} | {p + c:g} |"
        for p, c, t in zip(some["p2"], some["c2"], found, strict=True)
    )
    return {"t_star_rows": rows, "t_star_digits": "fewer than 1e-12" if off < 1e-12 else f"{off:.1e}"}


def exact_welfare() -> dict[str, Fraction]:
    """The three expectations, added up exactly from the integrals that the page derives."""
    half = Fraction(1, 2)
    first_best = Fraction(2, 3) + Fraction(1, 4)
    star = 2 * (
        Fraction(1, 3)
        - half * Fraction(1, 4)
        + Fraction(1, 6) * Fraction(1, 16)
        + half * (Fraction(1, 4) - Fraction(1, 9) + Fraction(1, 48))
    )
    one = Fraction(1, 6) - Fraction(1, 16) + Fraction(1, 192)
    two = Fraction(1, 4) - Fraction(1, 6) * (half - Fraction(3, 24) + Fraction(3, 180) - Fraction(1, 1120))
    three = Fraction(1, 8) - Fraction(1, 36) + Fraction(1, 72) + Fraction(1, 192) - Fraction(1, 960)
    return {
        "first best": first_best,
        "t*": star,
        "example2": 2 * (one + two + three),
        "I1": one,
        "I2": two,
        "I3": three,
    }


def _welfare() -> Values:
    jmmz, exact = catalogue.load("jmmz"), exact_welfare()
    example_2 = constructions.get("example2", jmmz).prices
    assert example_2 is not None
    computed = {
        "first best": continuum_first_best(jmmz),
        "example2": continuum_welfare(jmmz, example_2),
        "t*": continuum_welfare(jmmz, ExampleOnePrices()),
    }
    rows = "\n".join(
        f"| {name} | {exact[name]} | {float(exact[name]):.7f} | {integral.value:.6f} |"
        for name, integral in computed.items()
    )
    return {"welfare_rows": rows, **{f"exact_{k}": str(v) for k, v in exact.items()}}


def _example_2() -> Values:
    jmmz = catalogue.load("jmmz")
    v1 = STATE["p1"] + STATE["c1"] * STATE["c2"]
    v2 = STATE["p2"] + STATE["c1"] * STATE["c2"]
    prices = constructions.get("example2", jmmz).prices
    assert prices is not None
    t1, t2 = (float(prices.price(i, {k: np.array([v]) for k, v in STATE.items()})[0]) for i in range(2))
    star, two = mutually_pivotal(jmmz, ExampleOnePrices()), strongly_mutually_pivotal(jmmz, prices)
    gains = series()
    rows = "\n".join(
        f"| {grid} | {gains['example2'][k]:.5f} | {grid * gains['example2'][k]:.4f} | {gains['t*'][k]:.5f} |"
        for k, grid in enumerate(GRIDS)
    )
    space = discretize(jmmz, 8)
    verdict = dominate(space, constructions.get("t*", jmmz).on(space).allocation)
    assert verdict.example is not None
    where = ", ".join(f"{k} = {v:.4f}" for k, v in space.signals_at(verdict.example).items())
    return {
        "v1": v1,
        "v2": v2,
        "t1": t1,
        "t2": t2,
        "star_residual": star.worst,
        "gain_rows": rows,
        "two_holds": "pass" if two.holds else "fail",
        "dominated_states": float(verdict.improved),
        "dominated_total": float(space.states),
        "dominated_where": where,
        "dominated_gain": verdict.example_gain,
    }


def _example_3() -> Values:
    second, first = table("unit demand", COLUMNS[:2]), table("subadditive", COLUMNS)
    lines = []
    for i in range(3):
        for what, numbers in (("V", second.values), ("t", second.prices)):
            lines += [
                f"| {what}_{i + 1}^{item} | "
                + " | ".join(f"{x:g}" for x in np.round(numbers[i, k], 12))
                + " |"
                for k, item in enumerate("ab")
            ]
        lines.append(f"| **buyer {i + 1} gets** | " + " | ".join(second.bundles[i]) + " |")
    allocations = "\n".join(
        f"| {c} | " + " | ".join(first.bundles[i][k] for i in range(3)) + " |" for k, c in enumerate(COLUMNS)
    )
    instance = example_3("unit demand")
    crowded = feasibility(instance, equation_15(instance), states=20000)
    repaired = feasibility(instance, equation_15(instance, literal=False), states=20000)
    return {
        "table_2": "\n".join(lines),
        "table_1": allocations,
        "crowded_share": 100.0 * crowded.crowded / crowded.states,
        "repaired_crowded": float(repaired.crowded),
    }


def zik() -> Values:
    """The numbers of docs/zik.md."""
    return _orders() | _second_bests() | _several() | {"verdicts": _verdict_rows("Z")}


def _orders() -> Values:
    rows = []
    for name in ("privatization", "public-rival", "linear", "jmmz"):
        for report in implementability(catalogue.load(name), others=4).orders:
            if report.buyer == 0:
                rows.append(
                    f"| {name} | {report.first} | {_excess(report.mrs_excess)} | {_excess(report.rise)} | "
                    f"{'yes' if report.attained else 'no'} | {'yes' if report.attained_statically else 'no'} |"
                )
    return {"order_rows": "\n".join(rows)}


def _excess(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "no boundary"


def _second_bests() -> Values:
    rows = []
    for label, instance in (
        ("privatization, marginal cost first", catalogue.load("privatization")),
        ("privatization, fixed cost first", reversed_signals(catalogue.load("privatization"))),
        ("wavy boundary", wavy()),
    ):
        space = discretize(instance, 40)
        static, _ = second_best(space)
        rows.append(f"| {label} | {space.first_best:.6f} | {static:.6f} | {strike_rule(space)[0]:.6f} |")
    price = StaticSecondBest(catalogue.load("privatization"))
    return {"second_rows": "\n".join(rows), "v_star": price.level, "v_gain": price.gain(price.level)}


def _several() -> Values:
    rows = []
    jmmz, linear = catalogue.load("jmmz"), catalogue.load("linear")
    for instance in (jmmz, reversed_signals(jmmz), linear, reversed_signals(linear)):
        for grid in (4, 8):
            space = discretize(instance, grid)
            first = ", ".join(buyer.signals[0] for buyer in instance.buyers)
            star = constructions.get("t*", instance).on(space).welfare(space.gains, space.seller)
            envelope = constructions.get("envelope", instance).on(space).welfare(space.gains, space.seller)
            rows.append(
                f"| {instance.name.split(',')[0]}, {first} first | {grid} | {star:.5f} | {envelope:.5f} | "
                f"{second_best(space)[0]:.5f} | {second_best(space, 'sequential')[0]:.5f} | {space.first_best:.5f} |"
            )
    return {"several_rows": "\n".join(rows)}


def _verdict_rows(paper: str) -> str:
    rows = []
    for verdict in verdicts(paper):
        failed = "; ".join(h.name for h in verdict.hypotheses if not h.holds)
        fate = (
            ""
            if not failed
            else f"; violated: {failed}; conclusion {'holds' if verdict.conclusion_holds else 'fails'}"
        )
        rows.append(
            f"| {verdict.claim} | {verdict.instance} | {verdict.quantity} | {_number(verdict.computed)} "
            f"{verdict.relation.value} {_number(verdict.theoretical)} | {verdict.outcome.value}{fate} |"
        )
    return "\n".join(rows)


def _number(value: float) -> str:
    """Six significant digits; rounding noise is written as 0."""
    if not np.isfinite(value):
        return "none"
    return f"{value:.6g}" if abs(value) > 1e-9 else "0"
