"""The audit of a mechanism of the continuum finds what each of its conditions forbids, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import expost as ex
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.spaces.quantile_space import QuantileSpace

INSTANCE = ex.Instance("private", (ex.Buyer("1", ("x", "a"), "x + a"), ex.Buyer("2", ("y", "b"), "y + b")))
STATIC, SEQUENTIAL = (QuantileSpace(INSTANCE, first) for first in ((None, None), (0, 0)))


@dataclass(frozen=True, eq=False)
class Stated(ContinuumMechanism):
    """The strikes that ``rule`` says: of the buyers' values (2, P) and levels, (2, P)."""

    rule: Callable[..., np.ndarray]
    kind: ClassVar[str] = "stated"

    def strikes(self, levels):
        """As ``rule`` says."""
        values = self._values(levels)
        return np.broadcast_to(self.rule(values, levels), values.shape)

    def arrays(self):
        """None."""
        return {}

    def facts(self):
        """None."""
        return {}


def audit(space, rule, states=2048):
    """What is found, with some seed."""
    return Stated(space, "stated", rule).audit(states, seed=5)


def test_the_other_ones_value_as_a_strike_is_left_alone():
    found = audit(STATIC, lambda values, _: values[::-1])
    assert found.passed and found.crowded == 0 and found.incentive == 0.0


def test_half_of_ones_own_value_as_a_strike_invites_lies():
    # whoever is worth v reports v', and pays (v - v') / 2 less, of random pairs nearly 1
    found = audit(STATIC, lambda values, _: 0.5 * values)
    assert not found.passed and 0.8 <= found.incentive <= 1.0


def test_one_buyer_alone_who_can_lie_is_enough():
    for liar in (0, 1):
        mask = np.arange(2)[:, None] == liar
        found = audit(STATIC, lambda values, _, mask=mask: np.where(mask, 0.5 * values, np.inf))
        assert not found.passed and found.crowded == 0


def test_who_loses_with_the_truth_may_win_with_a_lie():
    # with less than 1 nobody wins, with more everybody who is worth more than 0.4
    found = audit(STATIC, lambda values, _: np.where(values < 1.0, values, 0.4))
    assert 0.55 <= found.incentive <= 0.6 and not found.passed


def test_a_lie_that_wins_at_more_than_ones_value_does_not_pay():
    found = audit(STATIC, lambda values, _: np.where(values > 1.5, 1.5, np.inf))
    assert found.incentive == 0.0


def test_every_state_with_two_winners_is_counted():
    found = audit(STATIC, lambda values, _: np.zeros(values.shape))
    assert found.crowded == 2048 and found.incentive == 0.0 and not found.passed


@pytest.mark.parametrize(("slope", "passes"), [(-0.2, True), (0.0, True), (0.2, False)])
def test_strikes_of_two_stages_may_fall_in_the_first_signal_but_not_rise(slope, passes):
    found = audit(SEQUENTIAL, lambda _, levels: np.stack([3.0 + slope * own[:, 0] for own in levels]))
    assert found.passed == passes
    assert found.incentive == pytest.approx(max(slope, 0.0) / 11, abs=1e-12)
