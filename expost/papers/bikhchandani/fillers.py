"""Prices for three buyers that give the third the item where two of them would block each other.

Values are those of Example 2, V_i = p_i + c_i max(c_j, c_k) (a weight is put into the c's). Its prices keep the item in
a tenth of the states, nearly all of them states where the buyer h with the largest c and one a of less c and more p
block each other. Here a third gets it there, the *filler*: of three buyers in a ring the one after h, when a is the one
before h. The other way round nothing is filled: given h, only one of the others can be the filler of the two.

With x^+ for max(x, 0), a buyer i faces A, the one before him, and N, the one after him. A type is *high* if c > line(p)
and *low* if c < line(p), where line(p) = LINE + TILT p. His price is the largest of

    p_N + f(c_N; A), which is left out where A is high, N low and A blocks N,
    p_A + g(c_A; N),
    s(A, N), where A is low,

and -1, whatever his type, where A is high, N low, A blocks N and p_N - p_A >= e(c_A, c_N), with
e(x, y) = FLAT + STEEP x - FALL y.

f(x; T) = (x + LEAN) max(x, t) + BASE - shift(T) min((t - x)^+ / WIDE, 1), t the c of T, may be any function: it favours
a filler against an a beside an h. g(y; T), the largest y max(x, t) + x max(y, t) - f(x; T) over x, makes up for it: no
two neighbours win at the first two prices. A blocks N where p_N - p_A is at most the least of
f(c_A; T) - c_N max(c_A, t) over T. s(A, N) is the supremum of the value of a buyer h between A and N against whom, A
being his low a, N fills: h is high and p_A - p_h >= e(c_h, c_A), which for given A is a triangle.

No state has two winners. Where (h, a) is filled, h faces s, and a is blocked by h: neither wins, and nobody is filled
against them, as no type is both high and low. Where nobody is filled, i and A do not both win: A faces p_i + f, i
p_A + g; and where A leaves that out, i is low and blocked by the one before A, to whom i is next and whose f i faces,
since that one, high, is not low."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.formula import Formula
from expost.papers.bikhchandani.example2 import ExampleTwoPrices

LEAN, BASE = 0.027, -0.011
LINE, TILT = 0.576, 0.184
FLAT, STEEP, FALL = -0.116, 0.721, 0.535
SHIFT, FROM, WITH_P, OVER, WIDE = 0.043, 0.450, 0.138, 0.297, 0.168
"""Found by evolution strategies for signals uniform on [0, 1]; ``shift(p, t)`` rises from 0 at t = FROM + WITH_P p to
SHIFT at OVER more."""


@dataclass(frozen=True)
class FillerPrices:
    """The prices above; 1.0159 on ``three-buyers``, where Example 2's are worth 1.0091.

    Raises InputError for an instance that is not of that form, or not of three buyers. Other priors have these prices,
    too: they are admissible for signals within [0, 1] (times the root of the weight, for c), and not made for others.
    """

    instance: Instance
    name: str = "filler"
    citation: str = "ours: Bikhchandani 2006, Example 2, with a third buyer where two block each other"
    accuracy: float = 0.0
    buyers: ClassVar[int] = 3

    def __post_init__(self) -> None:
        """Check the form."""
        if self.instance.n != self.buyers:
            raise InputError(
                f"{self.instance.n} buyers",
                where=f"prices {self.name} of {self.instance.name}",
                expected=f"{self.buyers} of them",
            )
        _ = self.formulas

    @cached_property
    def formulas(self) -> tuple[str, ...]:
        """The prices by formula, one of each buyer."""
        pairs, weight = ExampleTwoPrices(self.instance).roles
        root = float(np.sqrt(max(weight, 0.0)))
        scaled = [(p, c if root == 1.0 else f"({root!r}*{c})") for p, c in pairs]
        return tuple(_price(*scaled[i - 1], *scaled[(i + 1) % self.buyers]) for i in range(self.buyers))

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s price at the others' ``signals``, arrays that broadcast together."""
        return np.asarray(Formula(self.formulas[i])(signals))


def _price(ahead: str, c_ahead: str, after: str, c_after: str) -> str:
    """The price of the buyer between one ahead of him, with signals ``ahead`` and ``c_ahead``, and one after him."""
    high, low = f"({c_ahead} > {_line(ahead)})", f"({c_after} < {_line(after)})"
    blocked = f"({after} - {ahead} <= {_blocking(c_ahead, c_after)})"
    filled = f"({after} - {ahead} >= {FLAT} + {STEEP}*{c_ahead} - {FALL}*{c_after})"
    first = f"where({high}*{low}*{blocked}, -1, {after} + {_offer(c_after, ahead, c_ahead)})"
    second = f"{ahead} + {_answer(c_ahead, after, c_after)}"
    return f"where({high}*{low}*{blocked}*{filled}, -1, max({first}, {second}, {_supremum(ahead, c_ahead, c_after)}))"


def _line(p: str) -> str:
    return f"{LINE} + {TILT}*{p}"


def _shift(p: str, t: str) -> str:
    return f"{SHIFT}*min(1, max(0, ({t} - {FROM} - {WITH_P}*{p})/{OVER}))"


def _offer(x: str, p: str, t: str) -> str:
    """f(x; T), T with signals ``p`` and ``t``."""
    return f"({x} + {LEAN})*max({x}, {t}) + {BASE} - {_shift(p, t)}*min(1, max(0, {t} - {x})/{WIDE})"


def _answer(y: str, p: str, t: str) -> str:
    """g(y; T). The largest is at x = 0 where y <= t; else at t - WIDE, or 0 if that is less, at t, or at y - LEAN/2 if
    that is more than t."""
    corner = f"max(0, {t} - {WIDE})"
    least = f"({y} - {LEAN})*{t} + {_shift(p, t)}*min(1, {t}/{WIDE})"
    more = f"{corner}*max(0, {y} - {t})"
    vertex = f"{y} - {LEAN / 2}"
    middle = (
        f"where({y} > {t}, max((2*{y} - {t} - {LEAN})*{t}, where({vertex} > {t}, ({vertex})**2, -1)), -1)"
    )
    return f"max({least} + {more}, {middle}) - {BASE}"


def _blocking(x: str, y: str) -> str:
    """The least of f(x; T) - y max(x, t) over T: at t = x, or WIDE more."""
    slope = f"({x} - {y} + {LEAN})"
    return f"{BASE} + {x}*{slope} + min(0, {WIDE}*{slope} - {SHIFT})"


def _supremum(p: str, c: str, t: str) -> str:
    """s of a low a with signals ``p`` and ``c``, and a filler with ``t``: at one of two corners of the triangle."""
    level = f"({p} - {FLAT} + {FALL}*{c})"
    left = f"({LINE} + {TILT}*{level})/{1 + TILT * STEEP}"
    right = f"min(1, {level}/{STEEP})"
    slope = f"(max({c}, {t}) - {STEEP})"
    there = f"({c} < {_line(p)})*({level} >= {STEEP * LINE})"
    return f"where({there}, {level} + max({slope}*{left}, {slope}*{right}), -1)"
