"""The strongly mutually pivotal prices of Bikhchandani's Example 2, equation (15), and its repair for more buyers.

V_i = p_i + w c_i max_{j != i} c_j with two signals (p_i, c_i) per buyer. With two buyers t_i = p_j + w c_j^2. For
three or more, equation (15) takes t_i = max_{j != i} (p_j + w c_j^2), and these prices are not admissible: the
argument given for them puts c_i in place of max(c_i, c_k) in buyer j's value. At p = (1/6, 1/2, 1/2), c = (1/2, 1/6,
1/6), w = 1 buyers 2 and 3 both value the item at 7/12 and face the price 19/36. With m_i = max_{k != i} c_k the prices

    t_i = max_{j != i} (p_j + w c_j m_i)

are admissible and the same for two buyers: V_i > t_i and V_j > t_j would add up to (c_i - c_j) (m_i - m_j) > 0, while
c_i > c_j implies m_i <= m_j.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.papers.bikhchandani.pivotal_prices import is_zero
from expost.papers.fibres import own_signals
from expost.tolerances import WELFARE

TRIALS = 257


@dataclass(frozen=True)
class ExampleTwoPrices:
    """The prices t_i = max_j (p_j + w c_j m_i); with two buyers those of Bikhchandani (2006), Example 2.

    literal: the prices of equation (15) instead, which are not admissible for three or more buyers.

    Raises InputError for an instance whose values are not of the form above; the form is checked at
    pseudo-random signals, not read off formulas. Which of the two signals is p_i is found out too.
    """

    instance: Instance
    literal: bool = False
    name: str = "example2"
    citation: str = "Bikhchandani 2006, Example 2; repaired for three or more buyers"
    accuracy: float = 0.0

    def __post_init__(self) -> None:
        """Check the form."""
        _ = self.roles

    @cached_property
    def roles(self) -> tuple[tuple[tuple[str, str], ...], float]:
        """The names (p_i, c_i) of each buyer's signals, and the weight w."""
        instance = self.instance
        if instance.n < 2 or any(len(buyer.signals) != 2 for buyer in instance.buyers):
            raise self._refusal("buyers with two signals each, at least two of them")
        if not is_zero(instance.seller) or any(not is_zero(b.externality) for b in instance.buyers):
            raise self._refusal("neither externalities nor a seller's value")
        draws = _draws(instance)
        for names in (
            tuple(b.signals for b in instance.buyers),
            tuple(b.signals[::-1] for b in instance.buyers),
        ):
            pairs = tuple((name[0], name[1]) for name in names)
            weight = _weight(instance, pairs, draws)
            if weight is not None:
                return pairs, weight
        raise self._refusal("values p_i + w c_i max_j c_j with w >= 0")

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """t_i at the others' ``signals``, arrays that broadcast together."""
        pairs, weight = self.roles
        others = [pair for j, pair in enumerate(pairs) if j != i]
        private = np.stack(np.broadcast_arrays(*(signals[p] for p, _ in others)))
        common = np.stack(np.broadcast_arrays(*(signals[c] for _, c in others)))
        return np.max(private + weight * common * (common if self.literal else common.max(axis=0)), axis=0)

    @property
    def formulas(self) -> tuple[str, ...]:
        """The same by formula, one of each buyer."""
        pairs, weight = self.roles
        found = []
        for i in range(len(pairs)):
            others = [pair for j, pair in enumerate(pairs) if j != i]
            largest = _largest([c for _, c in others])
            found.append(_largest([f"{p} + {weight!r}*{c}*{largest}" for p, c in others]))
        return tuple(found)

    def _refusal(self, expected: str) -> InputError:
        return InputError(
            "an instance of another form",
            where=f"prices {self.name} of {self.instance.name}",
            expected=expected,
            remedy="ask for t*, which is defined for any valuations",
        )


def _largest(terms: list[str]) -> str:
    return terms[0] if len(terms) == 1 else f"max({', '.join(terms)})"


def _draws(instance: Instance) -> dict[str, Float]:
    rng = np.random.default_rng(TRIALS)
    signals: dict[str, Float] = {}
    for i, buyer in enumerate(instance.buyers):
        signals |= own_signals(instance, i, rng.random((len(buyer.signals), TRIALS)))
    return signals


def _weight(
    instance: Instance, pairs: tuple[tuple[str, str], ...], draws: Mapping[str, Float]
) -> float | None:
    """w, if the values are p_i + w c_i max_j c_j at the draws; else None."""
    products, excesses = [], []
    for i, (p, c) in enumerate(pairs):
        rivals = np.max(np.stack([draws[pair[1]] for j, pair in enumerate(pairs) if j != i]), axis=0)
        products.append(draws[c] * rivals)
        excesses.append(instance.value(i, draws) - draws[p])
    product, excess = np.concatenate(products), np.concatenate(excesses)
    weight = float(product @ excess / (product @ product))
    fits = np.abs(excess - weight * product).max() <= WELFARE * max(1.0, float(np.abs(excess).max()))
    return weight if fits and weight >= -WELFARE else None
