"""From a rule to the mechanism that a run reports, under any mix of timings."""

from __future__ import annotations

from expost._typing import Bool
from expost.formulations.timing import buyer_stages, mixed_mechanism, parse_timing
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.prices import Choice
from expost.runs.settings import Settings
from expost.spaces.type_space import TypeSpace


def mechanism_of(space: TypeSpace, settings: Settings, allocation: Bool) -> Mechanism:
    """The mechanism that implements ``allocation``, bool (n, T_1, .., T_n).

    Prices and strikes lie in the middle of what implements the rule, or at its top when revenue counts.
    """
    choice = Choice.MIDPOINT if settings.alpha == 1.0 else Choice.HIGHEST
    stages = buyer_stages(space, parse_timing(space.n, settings.timing), settings.first)
    return mixed_mechanism(space, allocation, stages, choice)
