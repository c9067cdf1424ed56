"""The figures of the page on Zik. Each function draws one and returns numbers that pin it down."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from expost.formulations.sequential import sequential_stages
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.mechanisms.menu import menu_from_rule
from expost.papers.own_instances import reversed_signals, wavy
from expost.papers.zik.efficient import efficient_boundary
from expost.papers.zik.improved_strikes import ImprovedStrikes
from expost.papers.zik.static_second_best import StaticSecondBest
from expost.spaces.type_space import discretize

Float = NDArray[np.float64]
BLUE, RED, GREY, PALE = "#1f5f99", "#b5452c", "#666666", "#dddddd"

TYPES, PRICES = (0.2, 0.5), (0.5, 0.8)
"""Figure 1: two first-stage types, and the strikes that a rule would have to give them."""


def simple() -> Instance:
    """V = a + b, for Figures 1 and 2."""
    return Instance("simple", (Buyer("1", ("a", "b"), "a + b", externality="-1"),))


def _surplus(a: float, price: float) -> float:
    """E_b[(a + b - price)^+] for b uniform."""
    low = np.clip(price - a, 0.0, 1.0)
    return float((1.0 - low) * (a - price) + (1.0 - low**2) / 2.0)


def figure_1(axes: Any) -> dict[str, float]:
    """Why strikes must not rise: the higher type gains more from the cheaper option than the lower one (Figure 1)."""
    b = np.linspace(0.0, 1.0, 201)
    areas = []
    for a, colour in zip(TYPES, (BLUE, RED), strict=True):
        value = a + b
        axes.plot(b, value, color=colour, label=f"$V(a, b)$ at a = {a}")
        bought = np.clip(value, PRICES[0], PRICES[1])
        axes.fill_between(b, PRICES[0], bought, where=value > PRICES[0], color=colour, alpha=0.22)
        areas.append(_surplus(a, PRICES[0]) - _surplus(a, PRICES[1]))
    for price in PRICES:
        axes.axhline(price, color=GREY, linewidth=0.8)
    axes.legend(frameon=False)
    axes.set(xlabel="second signal b", title="worth of the lower strike to each type")
    return {"lower type": areas[0], "higher type": areas[1]}


def figure_2(axes: Any) -> dict[str, float]:
    """Fees that sort three groups of types into three strikes (Figure 2), from the menu of the rule."""
    space = discretize(simple(), 60)
    stages = sequential_stages(space, 0)
    first = np.unique(space.types[0]["a"])
    wanted = np.where(first < 1 / 3, 0.95, np.where(first < 2 / 3, 0.85, 0.75))
    rule = stages.fibres(space.values[0])[0] > wanted[:, None]
    menu = menu_from_rule(space.values[0], stages.states(rule[None], space.shape), stages)
    axes.step(first, menu.strike[0], where="mid", color=BLUE, label="strike")
    axes.step(first, menu.seller_best[0], where="mid", color=RED, label="seller-best fee")
    axes.step(
        first, menu.integral[0], where="mid", color=RED, linestyle="--", label="integral fee, cheapest free"
    )
    axes.legend(frameon=False)
    axes.set(xlabel="first signal a", title="higher types buy lower strikes")
    at = (5, 30, 55)
    return {
        f"{name} of type {first[k]:.3f}": float(array[0, k])
        for name, array in (("strike", menu.strike), ("integral fee", menu.integral))
        for k in at
    }


def boundary_of(instance: Instance) -> tuple[Float, Float, Float]:
    """First signal, second signal and strike along the efficient boundary, where there is one."""
    found = efficient_boundary(instance, 0, instance.signals[0], {}, points=401)
    on = np.isfinite(found.second[0])
    return found.signal[on], found.second[0, on], found.strike[0, on]


def _contours(axes: Any, instance: Instance, levels: Any) -> None:
    side = np.linspace(0.0, 1.0, 161)
    x, y = np.meshgrid(side, side)
    names = instance.signals
    value = instance.value(0, {names[0]: x, names[1]: y})
    axes.contour(x, y, value, levels=levels, colors=BLUE, linewidths=0.7, linestyles="dashed")
    axes.set(xlabel=f"first signal {names[0]}", ylabel=f"second signal {names[1]}", xlim=(0, 1), ylim=(0, 1))


def figure_3(axes: Any) -> dict[str, float]:
    """The firm's value falls along the efficient boundary when marginal cost comes first (Figure 3)."""
    instance = catalogue.load("privatization")
    x, y, strike = boundary_of(instance)
    _contours(axes, instance, np.linspace(0.4, 1.3, 10))
    axes.plot(x, y, color="black", linewidth=2)
    axes.set_title("efficient boundary (bold), isoprofit (dashed)")
    return {
        "strike left": float(strike[0]),
        "strike right": float(strike[-1]),
        "largest rise": float(np.diff(strike).max()),
        "from": float(x[0]),
        "to": float(x[-1]),
    }


def figure_4(axes: Any) -> dict[str, float]:
    """A lower marginal cost lowers the monopoly price and raises consumer surplus (Figure 4)."""
    intercept, slope, cost, saving = 2.0, 0.25, 1.2, 0.4
    quantity = np.linspace(0.0, 4.0, 101)
    axes.plot(quantity, intercept - slope * quantity, color="black", label="demand")
    axes.plot(quantity, intercept - 2 * slope * quantity, color=GREY, linestyle=":", label="marginal revenue")
    numbers = {}
    for m, colour in ((0.2, RED), (0.8, BLUE)):
        marginal = cost - saving * m
        sold = (intercept - marginal) / (2 * slope)
        price = intercept - slope * sold
        axes.plot([0, 4], [marginal, marginal], color=colour, linewidth=0.8)
        axes.fill(
            [0, 0, sold],
            [price, intercept, price],
            color=colour,
            alpha=0.25,
            label=f"consumer surplus, m = {m}",
        )
        numbers |= {f"price at m = {m}": price, f"surplus at m = {m}": 0.5 * (intercept - price) * sold}
    axes.set(xlabel="quantity", ylim=(0, 2), xlim=(0, 4), title="privatization, linear demand")
    axes.legend(frameon=False)
    return numbers


def figure_5(axes: Any) -> dict[str, float]:
    """Fixed cost first: the isoprofit curves cut the boundary the wrong way, and one price is best (Figure 5)."""
    instance = reversed_signals(catalogue.load("privatization"))
    x, y, strike = boundary_of(instance)
    level = StaticSecondBest(instance).level
    _contours(axes, instance, [level])
    axes.plot(x, y, color="black", linewidth=2)
    axes.set_title("efficient boundary (bold), best price (dashed)")
    return {
        "static price": level,
        "least rise": float(np.diff(strike).min()),
        "strike left": float(strike[0]),
        "strike right": float(strike[-1]),
    }


def figure_6(axes: Any) -> dict[str, float]:
    """Theorem 8 on a value that waves along the boundary: beyond the last crossing the strike falls (Figure 6)."""
    instance = wavy()
    x, y, _ = boundary_of(instance)
    improved = ImprovedStrikes(instance)
    price, right, _, outer = improved.steps
    side = np.linspace(0.0, 1.0, 801)
    static = np.clip(price - side, 0.0, 1.0)
    stepped = np.clip(improved.strike(0, side, {}) - side, 0.0, 1.0)
    axes.plot(x, y, color="black", linewidth=2, label="efficient boundary")
    axes.plot(side, static, color=BLUE, linestyle="--", label="static second best")
    axes.plot(side, stepped, color=RED, label="constructed")
    axes.fill_between(side, stepped, static, where=stepped < static, color=RED, alpha=0.25)
    axes.legend(frameon=False)
    axes.set(
        xlabel="first signal a", ylabel="second signal b", title="the set E between the two rules (shaded)"
    )
    return {"static price": price, "last crossing": right[0], "end": right[1], "lower strike": outer[0]}
