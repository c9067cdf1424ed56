"""The audit by definition: every deviation of every type in every state, admissibility, participation.

Nothing here looks at how a rule was found. Static timing: a type who reports another type of his fibre gets that
type's outcome at the fibre's price, so his only deviations are to win at the price and to lose at 0, where some
type of the fibre does (Bikhchandani 2006, condition (2)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Bool, Float
from expost.errors import AuditError
from expost.mechanisms.prices import PriceTable
from expost.tolerances import INCENTIVE, allowance

State = tuple[int, ...]


@dataclass(frozen=True)
class BuyerAudit:
    """The best deviation of one buyer: what it gains (unit: values), and the true state where it does.

    deviation: in words. A gain of at most ``allowed`` passes.
    """

    buyer: int
    gain: float
    state: State
    deviation: str
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether no deviation gains more than is allowed."""
        return self.gain <= self.allowed


@dataclass(frozen=True)
class Audit:
    """The verdict on a mechanism: incentives buyer by buyer, and admissibility.

    crowded: the number of states with more winners than units; ``crowded_state`` is one of them.
    """

    buyers: tuple[BuyerAudit, ...]
    crowded: int
    crowded_state: State | None
    units: int = 1

    @property
    def passed(self) -> bool:
        """Whether the mechanism is admissible and incentive compatible."""
        return self.crowded == 0 and all(buyer.passed for buyer in self.buyers)

    @property
    def worst_gain(self) -> float:
        """The largest gain from any deviation of any buyer."""
        return max((buyer.gain for buyer in self.buyers), default=0.0)

    def explain(self) -> str:
        """One line: what is wrong, or that nothing is."""
        if self.crowded:
            most = "one winner" if self.units == 1 else f"{self.units} winners"
            return f"{self.crowded} states have more than {most}, for example {self.crowded_state}"
        for buyer in self.buyers:
            if not buyer.passed:
                return (
                    f"buyer {buyer.buyer + 1} gains {buyer.gain:.6g} at state {buyer.state} ({buyer.deviation}); "
                    f"allowed {buyer.allowed:.3g}"
                )
        return f"no deviation gains more than {self.worst_gain:.3g}"

    def require(self, who: str) -> None:
        """Raise AuditError unless the audit passed."""
        if not self.passed:
            raise AuditError(f"the rule from {who} failed the audit: {self.explain()}")


def allowed_gain(values: Float) -> float:
    """The largest gain that counts as none (unit: values)."""
    return allowance(INCENTIVE, values)


def audit_prices(values: Float, wins: Bool, prices: PriceTable) -> BuyerAudit:
    """Static incentives of one buyer: ``values`` and ``wins`` of state shape, ``prices`` of the others' shape.

    A loser of a fibre in which some type wins may win at the price; a winner may lose and pay nothing, which
    is also what not taking part gives him.
    """
    buyer, price = prices.buyer, prices.broadcast()
    reachable = wins.any(axis=buyer, keepdims=True)
    gain = values - price
    np.negative(gain, out=gain, where=wins)
    np.copyto(gain, -np.inf, where=~reachable)
    at = int(np.argmax(gain))
    state = tuple(int(t) for t in np.unravel_index(at, gain.shape))
    deviation = "a winner who would rather lose" if wins[state] else "a loser who would rather win"
    worst = gain[state]
    if np.isnan(worst):
        worst, deviation = np.inf, "a price that is not a number"
    return BuyerAudit(buyer, max(float(worst), 0.0), state, deviation, allowed_gain(values))


def audit_admissibility(allocation: Bool, units: int = 1) -> tuple[int, State | None]:
    """How many states have more winners than units, and one of them; ``allocation`` is bool (n, T_1, .., T_n)."""
    winners = allocation.sum(axis=0, dtype=np.int16)
    crowded = int(np.count_nonzero(winners > units))
    if not crowded:
        return 0, None
    return crowded, tuple(int(t) for t in np.unravel_index(int(np.argmax(winners)), winners.shape))
