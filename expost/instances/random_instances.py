"""Seeded random instances, as formula text: families that satisfy Assumptions 1-3 of Bikhchandani (2006)
by construction, and families that violate one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.buyer import Buyer
from expost.instances.environment import Instance
from expost.instances.priors import Prior
from expost.instances.valuations import Valuation
from expost.instances.words import nearest

Family = Literal[
    "general", "linear", "one-dimensional", "private", "ties", "not-single-crossing", "not-monotone"
]
PriorFamily = Literal["uniform", "beta", "conditional"]
VIOLATING: tuple[Family, ...] = ("not-single-crossing", "not-monotone")
"""The families that violate an assumption: 2 and only 2, and 1 and only 1."""

_CURVES = (
    "{x}",
    "{x}**2",
    "sqrt({x})",
    "(exp({x}) - 1)/2",
    "log(1 + {x})",
    "sin(pi*{x}/2)",
    "max(0, {x} - 0.4)",
    "min({x}, 0.6)",
)
"""Continuous non-decreasing functions on [0, 1] that vanish at 0; the last two are flat in places."""


def random_instance(
    seed: int,
    *,
    buyers: int = 2,
    signals: int | Sequence[int] = 2,
    family: Family = "general",
    priors: PriorFamily = "uniform",
    seller: bool = False,
    externalities: bool = False,
    strict: bool = False,
) -> Instance:
    """The random instance of this seed: the same arguments always give the same instance.

    signals: how many each buyer observes, one number for all or one per buyer; supports are [0, 1] (a
    conditional prior's is a part of it). family: ``general`` (curved own and spill-over parts, products of
    two buyers' signals), ``linear``, ``one-dimensional`` (one signal each), ``private`` (no spill-overs),
    ``ties`` (coefficients 0 and 1: many equal values on a grid); ``not-single-crossing`` violates
    Assumption 2 alone and ``not-monotone`` Assumption 1 alone. strict: the strict variants of Assumptions
    1 and 2 hold too (only families ``general``, ``linear`` and ``one-dimensional``). seller, externalities:
    a random V_0 >= 0 that makes some gains negative, random E_i >= 0. Signals are named s<buyer>_<number>.

    Raises InputError for arguments that are no such numbers or families.
    """
    sizes = _sizes(seed, buyers, signals, family, priors)
    if strict and family not in ("general", "linear", "one-dimensional"):
        raise InputError(
            f"strict instances of family {family!r}", expected="general, linear or one-dimensional"
        )
    draw = _Draw(np.random.default_rng(seed), sizes, strict)
    values = draw.values(family)
    instance = Instance(
        name=f"random-{family}-{seed}",
        buyers=tuple(
            Buyer(str(i + 1), names, value, draw.externality(i) if externalities else "0")
            for i, (names, value) in enumerate(zip(draw.names, values, strict=True))
        ),
        priors=draw.priors(priors),
        seller=draw.seller() if seller else "0",
        citation=f"random, seed {seed}",
    )
    return draw.violated(instance, family) if family in VIOLATING else instance


def unstructured_instance(seed: int, *, buyers: int, types: int) -> Instance:
    """Every value of every buyer drawn on its own, uniform on [0, 1], for each of ``types`` equal parts of everybody's
    one signal: nothing that the papers assume holds. Meant for a grid of ``types`` points per signal."""
    names = tuple(f"s{i + 1}" for i in range(buyers))
    table = np.random.default_rng(seed).random((buyers,) + (types,) * buyers)

    def value(i: int) -> Valuation:
        def look_up(**signals: Float) -> Float:
            parts = (np.minimum((signals[name] * types).astype(np.int64), types - 1) for name in names)
            return np.asarray(table[(i, *parts)])

        return Valuation(look_up, names, None, f"buyer {i + 1}: value")

    return Instance(
        f"unstructured-{seed}",
        tuple(Buyer(str(i + 1), (name,), value(i)) for i, name in enumerate(names)),
        citation=f"random, seed {seed}",
    )


def _sizes(seed: int, buyers: int, signals: int | Sequence[int], family: str, priors: str) -> list[int]:
    for what, number, least in (("seed", seed, 0), ("buyers", buyers, 1)):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least:
            raise InputError(f"{what} = {number!r}", expected=f"an integer from {least}")
    for word, known in ((family, get_args(Family)), (priors, get_args(PriorFamily))):
        if word not in known:
            raise InputError(
                f"no family {word!r}",
                expected=f"one of {', '.join(known)}",
                remedy=nearest(str(word), list(known)),
            )
    if family == "one-dimensional":
        return [1] * buyers
    sizes = list(signals) if isinstance(signals, Sequence) else [signals] * buyers
    if len(sizes) != buyers or any(
        isinstance(d, bool) or not isinstance(d, (int, np.integer)) or d < 1 for d in sizes
    ):
        raise InputError(f"signals = {signals!r}", expected="a positive integer, or one for each buyer")
    if family in VIOLATING and buyers < 2:
        raise InputError(f"{buyers} buyer of family {family!r}", expected="two buyers or more")
    return [int(d) for d in sizes]


class _Draw:
    """The parts of one random instance, drawn in a fixed order."""

    def __init__(self, rng: np.random.Generator, sizes: Sequence[int], strict: bool) -> None:
        self.rng, self.strict = rng, strict
        self.names = [tuple(f"s{i + 1}_{k + 1}" for k in range(d)) for i, d in enumerate(sizes)]

    def values(self, family: Family) -> list[str]:
        """V_i of every buyer i.

        V_i = a_i(s_i) + g_i(s_i) + sum_j r_ij g_j(s_j) with 0 <= r_ij <= 1 and a_i, g_i non-decreasing, so
        that V_i - V_j rises in s_i by a_i + (1 - r_ji) g_i; a product of two buyers' signals enters both
        their values alike. All vanish at s = 0, so each buyer leads where he alone has high signals.
        """
        if family == "ties":
            return self._ties()
        curved = family not in ("linear", "one-dimensional")
        spilling = family != "private"
        own = [self._rising(names, 0.2, 1.0, curved=False) for names in self.names]
        spill = [self._rising(names, 0.1, 0.7, curved=curved) for names in self.names]
        values = [f"{a} + {g}" for a, g in zip(own, spill, strict=True)]
        if not spilling:
            return values
        for i in range(len(values)):
            for j in range(len(values)):
                if i != j and (weight := self._number(0.1, 1.0, droppable=True)):
                    values[i] += f" + {weight}*({spill[j]})"
        return self._with_products(values) if curved else values

    def _ties(self) -> list[str]:
        sums = [" + ".join(names) for names in self.names]
        values = list(sums)
        for j, names in enumerate(self.names):  # the first signal stays private: else all values could agree
            for name in names[1:]:
                for i in range(len(values)):
                    if i != j and self.rng.random() < 0.7:
                        values[i] += f" + {name}"
        return values

    def _rising(self, names: Sequence[str], low: float, high: float, *, curved: bool) -> str:
        """A sum of one non-decreasing term per signal (and, when curved, a product of two of them)."""
        curves = _CURVES[:-2] if self.strict else _CURVES
        terms = []
        for name in names:
            curve = str(self.rng.choice(curves)) if curved else "{x}"
            terms.append(f"{self._number(low, high)}*{curve.format(x=name)}")
        if curved and len(names) > 1 and self.rng.random() < 0.5:
            first, second = self.rng.choice(len(names), 2, replace=False)
            terms.append(f"{self._number(low, high)}*{names[first]}*{names[second]}")
        return " + ".join(terms)

    def _with_products(self, values: list[str]) -> list[str]:
        for i in range(len(values)):
            for j in range(i):
                if self.rng.random() < 0.6:
                    product = f"{self.rng.choice(self.names[i])}*{self.rng.choice(self.names[j])}"
                    term = f" + {self._number(0.1, 1.0)}*{product}"
                    values[i], values[j] = values[i] + term, values[j] + term
        return values

    def _number(self, low: float, high: float, *, droppable: bool = False) -> float:
        number = round(float(self.rng.uniform(low, high)), 3)
        dropped = droppable and bool(self.rng.random() < 0.2)
        return 0.0 if dropped and not self.strict else number

    def priors(self, family: PriorFamily) -> dict[str, Prior]:
        """Priors on [0, 1]; a conditional one moves up with the buyer's first signal."""
        if family == "uniform":
            return {}
        if family == "beta":
            return {
                name: Prior("beta", {"a": self._number(0.7, 4.0), "b": self._number(0.7, 4.0)})
                for names in self.names
                for name in names
            }
        return {
            name: Prior(
                "uniform", {"scale": f"{self._number(0.3, 0.6)} + {self._number(0.1, 0.4)}*{names[0]}"}
            )
            for names in self.names
            for name in names[1:]
        }

    def seller(self) -> str:
        """V_0: a constant plus a part that moves with one signal."""
        name = str(self.rng.choice([name for names in self.names for name in names]))
        return f"{self._number(0.2, 0.8)} + {self._number(0.0, 0.3)}*{name}"

    def externality(self, i: int) -> str:
        """E_i, non-decreasing in the signals of buyer ``i``."""
        return self._rising(self.names[i], 0.0, 0.5, curved=True)

    def violated(self, instance: Instance, family: Family) -> Instance:
        """The instance with one assumption violated: from the middle of a signal of buyer i on, the value of
        another buyer rises faster than i's own can, or all values fall faster than they could rise."""
        i = int(self.rng.integers(instance.n))
        j = (i + 1) % instance.n
        signal = str(self.rng.choice(self.names[i]))
        top = {name: np.ones(1) for name in instance.signals}
        steepness = round(2.0 * max(float(instance.value(k, top)[0]) for k in range(instance.n)) + 1.0, 3)
        kink = f"{steepness}*max(0, {signal} - 0.5)"
        buyers = list(instance.buyers)
        if family == "not-single-crossing":
            buyers[j] = replace(buyers[j], value=f"{buyers[j].value} + {kink}")
        else:
            buyers = [replace(buyer, value=f"{buyer.value} - {kink}") for buyer in buyers]
        return replace(instance, buyers=tuple(buyers))
