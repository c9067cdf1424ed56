"""Sequential timing: a buyer's signals come in two stages and he reports after each (Zik, sections 2.3 and
3.1).

Given a truthful first report the second stage is a posted price, the strike; the first stage is a menu of
strikes with fees, and is incentive compatible when strikes do not rise in the first signal (Zik, Theorem 2
and Corollary 10). On the rule of a fibre that is: if (a, b) wins, a' >= a and V(a', b') > V(a, b), then
(a', b') wins.
"""

from __future__ import annotations

from expost.errors import InputError
from expost.formulations.blocks import Block, tie_width
from expost.formulations.sequential_checks import check_stages
from expost.formulations.sequential_order import sequential_order
from expost.spaces.stages import Stages, stages_of
from expost.spaces.type_space import TypeSpace


def sequential_stages(space: TypeSpace, i: int, first: str | None = None) -> Stages:
    """The stages of buyer ``i`` on the grid of ``space``; ``first`` overrides the signal that arrives first.

    Raises InputError unless exactly one signal comes first and at least one second.
    """
    signals = space.instance.buyers[i].signals
    return stages_of(space.instance, i, [space.grid.size(signal) for signal in signals], first)


def sequential_block(space: TypeSpace, i: int, first: str | None = None) -> Block:
    """The block of buyer ``i`` (counted from 0) under sequential timing.

    Variables are numbered fibre by fibre, by increasing value within a fibre; gates of ties follow. The
    rule does not determine revenue (fees depend on the strikes chosen), so the block has no revenue
    weights.

    Raises InputError when the stages are not one signal and then the others, or when values fall where the
    theory needs them to rise (see ``sequential_checks``).
    """
    stages = sequential_stages(space, i, first)
    refuse_correlation(space, i)
    values = space.values[i]
    fibres = stages.fibres(values)
    check_stages(space, stages, fibres)
    order = sequential_order(fibres, tie_width(values))
    return Block(stages.states(order.variable, space.shape), order.size, order.tails, order.heads)


def refuse_correlation(space: TypeSpace, i: int) -> None:
    """Raise InputError where the second stage of buyer ``i`` depends on the others' signals: his fees would, too."""
    if space.weights is not None and not space.weights.independent:
        raise InputError(
            "signals of different buyers that are correlated, under sequential timing",
            where="joint: density",
            expected=f"a density under which the signals of buyer {space.instance.buyers[i].name} are independent "
            "of the others'",
            remedy="use timing='static', whose incentives do not involve the density",
        )
