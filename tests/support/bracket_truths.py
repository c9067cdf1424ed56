"""Instances whose continuum second best is a closed form or a one-line integral."""

import numpy as np
from scipy.optimize import minimize_scalar

from expost.brackets.records import LOWER, RIGOROUS, STATISTICAL
from expost.instances.environment import Buyer, Instance
from expost.runs.bracket import bracket

CONFIDENCE = 0.9
"""Low on purpose: at 0.99 some hundred instances could hardly show a bound that fails too often."""
SECONDS = 8.0
"""Of one bracket, at most: bounds have to hold wherever a search ends."""
FAMILIES = ("crossing", "crossing, three", "private", "linear, static", "linear, sequential")


def crossing(seed):
    """Two buyers, one signal each, single crossing: the first best is attained; its value in closed form."""
    rng = np.random.default_rng(seed)
    own, other, base = (
        rng.uniform(low, high, 2).tolist() for low, high in ((0.6, 1.5), (0.05, 0.5), (0.0, 0.3))
    )
    instance = Instance(
        f"crossing-{seed}",
        (
            Buyer("1", ("x",), f"{own[0]!r}*x + {other[0]!r}*y + {base[0]!r}"),
            Buyer("2", ("y",), f"{own[1]!r}*y + {other[1]!r}*x + {base[1]!r}"),
        ),
    )
    a, b, c = own[0] - other[1], other[0] - own[1], base[0] - base[1]
    cube = lambda z: max(z, 0.0) ** 3 / 6.0  # noqa: E731
    gain = (cube(a + b + c) - cube(a + c) - cube(b + c) + cube(c)) / (a * b)
    return instance, 0.5 * (own[1] + other[1]) + base[1] + gain


def crossing_three(seed):
    """Three buyers alike, one signal each, single crossing: the first best is attained; the largest of three uniform
    signals has mean 3/4."""
    own, other = np.random.default_rng(seed).uniform((0.6, 0.05), (1.5, 0.5)).tolist()
    names = ("x", "y", "z")
    instance = Instance(
        f"crossing-three-{seed}",
        tuple(
            Buyer(name, (name,), " + ".join(f"{own if rest == name else other!r}*{rest}" for rest in names))
            for name in names
        ),
    )
    return instance, 0.75 * (own - other) + 1.5 * other


def linear_buyer(seed, *, rises):
    """One buyer, V = a1 x + a2 y, gain g1 x + g2 y - k: the best price by a one-line integral. With ``rises`` the
    boundary strike rises in x, so that no menu beats one price (Zik, Theorem 7)."""
    rng = np.random.default_rng(seed)
    value, gain = rng.uniform(0.5, 2.0, 2), rng.uniform(0.3, 2.0, 2)
    if rises and gain[0] * value[1] > gain[1] * value[0]:
        gain = gain[::-1]
        value = value[::-1]
    cost = float(rng.uniform(0.2, 0.8) * gain.sum())
    terms = [float(t) for t in (*value, *gain)]
    instance = Instance(
        f"linear-{seed}",
        (
            Buyer(
                "1",
                ("x", "y"),
                f"{terms[0]!r}*x + {terms[1]!r}*y",
                f"{terms[2] - terms[0]!r}*x + ({terms[3] - terms[1]!r})*y - {cost!r}",
            ),
        ),
    )
    return instance, best_price(terms, cost)


def best_price(terms, cost):
    a1, a2, g1, g2 = terms
    x = (np.arange(4000) + 0.5) / 4000

    def welfare(price):
        low = np.clip((price - a1 * x) / a2, 0.0, 1.0)
        return float(((g1 * x - cost) * (1.0 - low) + 0.5 * g2 * (1.0 - low**2)).mean())

    grid = np.linspace(0.0, a1 + a2, 401)
    near = grid[int(np.argmax([welfare(price) for price in grid]))]
    found = minimize_scalar(
        lambda price: -welfare(price),
        bounds=(near - 0.02, near + 0.02),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return max(-found.fun, welfare(near), 0.0)


def private(seed):
    """Two buyers whose values depend on their own two signals alone: a second price attains the first best, the mean of
    the larger of two independent values."""
    rng = np.random.default_rng(seed)
    slopes = rng.uniform(0.2, 1.2, (2, 2))
    buyers = [
        Buyer(str(i + 1), (f"x{i}", f"y{i}"), f"{a!r}*x{i} + {b!r}*y{i}")
        for i, (a, b) in enumerate(slopes.tolist())
    ]
    line = np.linspace(0.0, slopes.sum(axis=1).max(), 200_001)
    below = np.prod([sum_below(line, *pair) for pair in slopes], axis=0)
    return Instance(f"private-{seed}", buyers), float(np.trapezoid(1.0 - below, line))


def sum_below(t, a, b):
    """The chance of a x + b y < t, x and y uniform: the area below a line in the unit square."""
    square = lambda z: np.maximum(z, 0.0) ** 2  # noqa: E731
    return (square(t) - square(t - a) - square(t - b) + square(t - a - b)) / (2.0 * a * b)


def case(k, three=0.08):
    """An instance of each family in turn, bracketed for some seconds at most, and its truth. three: the accuracy of
    three buyers."""
    family = FAMILIES[k % len(FAMILIES)]
    if not family.startswith("linear"):
        made = {"crossing": crossing, "crossing, three": crossing_three, "private": private}[family]
        instance, truth = made(k)
        accuracy = {"crossing": 0.05, "crossing, three": three, "private": 0.15}[family]
        return bracket(instance, accuracy, SECONDS, seed=k, jobs=1, confidence=CONFIDENCE), truth
    timing = family.removeprefix("linear, ")
    instance, truth = linear_buyer(k, rises=timing == "sequential")
    accuracy = 1e-3 if truth > 0.01 else 0.05
    return bracket(instance, accuracy, SECONDS, timing=timing, seed=k, jobs=1, confidence=CONFIDENCE), truth


def misses(found, truth):
    """Of each kind how many bounds of the history fail and how many there are, and whether the bracket does."""
    slack = 1e-7 * max(1.0, abs(truth))
    wrong = [
        b for b in found.history if (b.value > truth + slack if b.side == LOWER else b.value < truth - slack)
    ]
    counts = {
        kind: (sum(b.kind == kind for b in wrong), sum(b.kind == kind for b in found.history))
        for kind in (STATISTICAL, RIGOROUS)
    }
    outside = not found.lower.value - slack <= truth <= found.upper.value + slack
    return counts, outside
