"""The menu of a 64 by 64 single-buyer instance, with fees by either method: both pass the audit."""

from dataclasses import replace

import numpy as np
import pytest
from support.fees_program import seller_best_program

from expost.mechanisms.menu import Fees, menu_from_rule
from expost.mechanisms.sequential_audit import audit_menu
from expost.spaces.stages import Stages
from expost.tolerances import INCENTIVE

M = 64


def square():
    """V rises in both signals; the rule is the efficient one for a gain that rises faster in the first."""
    points = (np.arange(M) + 0.5) / M
    values = (points[:, None] + points[None, :] + 0.3 * points[:, None] * points[None, :]).reshape(-1, 1)
    wins = (2.0 * points[:, None] + points[None, :] > 1.4).reshape(-1, 1)
    return values, wins, Stages(0, ("a", "b"), (M, M), "a")


def test_both_schedules_pass():
    values, wins, stages = square()
    menu = menu_from_rule(values, wins, stages)
    assert menu.opens().sum() > 10
    for fees in Fees:
        verdict = audit_menu(values, wins, menu, (fees,))
        assert verdict.gain <= INCENTIVE


@pytest.mark.parametrize("solver", ["HIGHS", "CLARABEL"])
def test_the_linear_program_finds_the_same_and_passes(solver):
    values, wins, stages = square()
    menu = menu_from_rule(values, wins, stages)
    fees = seller_best_program(stages.fibres(values), menu.strike, solver)
    exact = solver == "HIGHS"
    assert fees == pytest.approx(menu.seller_best, abs=1e-9 if exact else 1e-5)
    if exact:
        assert audit_menu(values, wins, replace(menu, seller_best=fees), (Fees.SELLER_BEST,)).passed
