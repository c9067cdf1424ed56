"""Instances all of whose priors are discrete: finitely many states, and a bracket that closes.

The program of the atoms is the instance itself. Its rule bounds the second best from below, its shadow prices from
above, by one maximum in every fibre, which needs no solver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Bool, Float
from expost.brackets.account import Account
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.evidence import Sets
from expost.brackets.optimum import check_states, optimum
from expost.brackets.records import LOWER, UPPER, Evidence
from expost.brackets.starts import first_names, timings
from expost.brackets.upper.finite import FiniteSets, finite_sets, mean_limit
from expost.brackets.upper.responses import sequential_response, static_response
from expost.brackets.workers import Workers
from expost.formulations.assemble import assemble
from expost.formulations.blocks import tie_width
from expost.formulations.timing import build_blocks
from expost.mechanisms.continuum.atoms import AtomMechanism, atom_counts
from expost.spaces.quantile_space import QuantileSpace
from expost.spaces.type_space import TypeSpace, discretize

BINS = 1 << 16
"""Bins of strikes in a sequential buyer's maxima: what ties in one bin is free, so that these are never too low."""
METHOD = "best rule on the atoms"


@dataclass(frozen=True, eq=False)
class AtomRule(Evidence):
    """A rule on atoms: its welfare, state by state."""

    mechanism: AtomMechanism = field(repr=False)
    kind: ClassVar[str] = "rule on atoms"

    def value(self, space: QuantileSpace, clock: Clock = ENDLESS, workers: Workers | None = None) -> float:
        """The bound less E[V_0]."""
        del clock, workers
        types = discretize(space.instance, 1)
        return types.mean(
            np.where(self.mechanism.rule.reshape(types.gains.shape) != 0.0, types.gains, 0.0).sum(axis=0)
        )

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}


@dataclass(frozen=True, eq=False)
class AtomPrices(Evidence):
    """Shadow prices on atoms, (states,): the dual function of the finite instance."""

    shadow: Float = field(repr=False)
    kind: ClassVar[str] = "shadow prices on atoms"

    def value(self, space: QuantileSpace, clock: Clock = ENDLESS, workers: Workers | None = None) -> float:
        """The bound less E[V_0]."""
        del clock, workers
        types = discretize(space.instance, 1)
        shadow = self.shadow.reshape(types.shape)
        return space.units * types.mean(shadow) + sum(
            _maxima(space, types, shadow, i) for i in range(space.n)
        )

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}

    def arrays(self) -> dict[str, Array]:
        """The shadow prices."""
        return {"shadow": self.shadow}


def _maxima(space: QuantileSpace, types: TypeSpace, shadow: Float, i: int) -> float:
    """What buyer ``i``'s best responses to the shadow prices come to."""
    chances = np.full(types.shape, 1.0 / types.states) if types.weights is None else types.weights.chances
    net, values = (
        _fibres(space, array, i) for array in ((types.gains[i] - shadow) * chances, types.values[i])
    )
    count, rows, seconds = net.shape
    order = np.argsort(values, axis=2, kind="stable").astype(np.int32).reshape(count, -1)
    net, values = net.reshape(count, -1), values.reshape(count, -1)
    best, none = np.empty(count), np.empty((0, 0))
    if space.first[i] is None:
        static_response(net, values, order, tie_width(values), 0.0, none, best)
    else:
        sequential_response(net, values, order, rows, BINS, False, none, best, none)
    return float(best.sum()) * rows * seconds


def _fibres(space: QuantileSpace, array: Float, i: int) -> Float:
    """A state array as (others' types, atoms of the first signal or 1, own types of a row)."""
    last = np.moveaxis(array, i, -1)
    counts, place = tuple(count or 1 for count in space.atoms[i]), space.first[i]
    own = last.reshape(-1, *counts)
    if place is None:
        return np.ascontiguousarray(own.reshape(len(own), 1, -1))
    return np.ascontiguousarray(np.moveaxis(own, 1 + place, 1).reshape(len(own), counts[place], -1))


def solve_atoms(account: Account) -> None:
    """Both bounds from the program of the atoms. Raises InputError where it is too large, OutOfTime."""
    space = account.space
    types = discretize(space.instance, 1)
    check_states(types.states, account.clock, account.pace)
    account.tell(f"solving {types.states} states")
    formulation = assemble(types, build_blocks(types, timings(space), first_names(space)))
    solution = optimum(formulation, account.clock)
    if solution.x is not None:
        mechanism = _mechanism(space, types, formulation.allocation(solution.x))
        account.exact(LOWER, METHOD, AtomRule(mechanism), mechanism)
    if solution.certificate is not None and space.n <= 2:
        shadow = formulation.shadow_prices(solution.certificate).ravel()
        account.exact(UPPER, "shadow prices on the atoms", AtomPrices(shadow))
        return
    sets = FiniteSets(1, 2, grid=True)
    confidence, seed = account.allowance.next(UPPER), account.next_seed()
    solved = finite_sets(space, sets, seed, clock=account.clock, workers=account.workers)
    limit = mean_limit(solved, confidence, account.first_best.mean)
    account.statistical(UPPER, "proved bound of the program on the atoms", limit, Sets(sets), seed)


def _mechanism(space: QuantileSpace, types: TypeSpace, wins: Bool) -> AtomMechanism:
    """The rule with strikes that implement it: the best losing value of this or a higher row of the fibre."""
    tables = []
    for i in range(space.n):
        values, won = _fibres(space, types.values[i], i), _fibres(space, wins[i].astype(np.float64), i)
        lose = np.where(won != 0.0, -np.inf, values).max(axis=2).T
        tables.append(np.ascontiguousarray(np.maximum.accumulate(lose[::-1], axis=0)[::-1]))
    rule = wins.reshape(space.n, int(np.prod(atom_counts(space)))).astype(np.float64)
    return AtomMechanism(space, METHOD, rule, tuple(tables))
