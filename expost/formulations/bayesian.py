"""The Bayesian benchmark: what could be had if incentives had to hold in expectation over the others' signals only.

On the same finite types, maximize expected welfare over randomized ``q`` and interim transfers ``T_i(a)`` such that

    E[q_i(a, .) V_i(a, .)] - T_i(a) >= E[q_i(b, .) V_i(a, .)] - T_i(b)      for all types a, b of buyer i,

admissible in every state. First best >= this >= the ex post second best: the first step is what private information
costs (Jehiel and Moldovanu 2001), the second what robustness costs. Participation costs no welfare: transfers may be
lowered together, and nothing asks that they add up. It decides the payments that are reported: ``T_i`` lowered until
every type expects to gain, or payments in every state that leave him no loss there,
``t_i(s) = q_i(s) V_i(s) - U_i(a)``, whose expectation is ``T_i(a)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import AuditError, InputError, LimitReached
from expost.mechanisms.audit import Audit, BuyerAudit, allowed_gain
from expost.mechanisms.lottery_audit import crowded_states
from expost.mechanisms.lottery_menu import largest_fees
from expost.solver.linear_program import LinearProgram, dual_bound
from expost.solver.result import Status
from expost.spaces.type_space import TypeSpace
from expost.tolerances import WELFARE

REACH = 3_000_000
"""Entries of the matrix that are attempted: two buyers with two signals at 9 points."""


@dataclass(frozen=True, eq=False)
class BayesianSecondBest:
    """A Bayesian incentive-compatible mechanism on a type space, audited, and what bounds it.

    allocation: float64 (n, T_1, .., T_n), probabilities of winning. payments: per buyer the interim payment of each of
    his types, (T_i,), the largest that keep incentives and leave every type a non-negative expected gain. upper_bound:
    what the multipliers (rows,) prove about every such mechanism.
    """

    space: TypeSpace
    program: LinearProgram = field(repr=False)
    allocation: Float = field(repr=False)
    payments: tuple[Float, ...] = field(repr=False)
    welfare: float
    upper_bound: float
    status: Status
    audit: Audit
    multipliers: Float = field(repr=False)

    @property
    def revenue(self) -> float:
        """The seller's expected revenue."""
        return float(
            sum(chances @ pay for chances, pay in zip(_type_chances(self.space), self.payments, strict=True))
        )

    def winning(self, i: int) -> Float:
        """The interim probability of winning of each type of buyer ``i``, (T_i,)."""
        return np.asarray(_others(self.space, i) @ _own_first(self.allocation[i], i).T)

    def ex_post_payments(self, i: int) -> Float:
        """Payments of buyer ``i`` in every state, state shape, whose expectation is the interim payment and which leave
        him no loss in any state."""
        gain = np.diagonal(expected_by_report(self.space, i, self.allocation[i])) - self.payments[i]
        shape = [1] * self.space.n
        shape[i] = -1
        return np.asarray(self.allocation[i] * self.space.values[i] - gain.reshape(shape))


def bayesian_second_best(space: TypeSpace, *, time_limit: float | None = None) -> BayesianSecondBest:
    """The Bayesian second best of ``space``.

    Raises InputError for correlated buyers and for a size out of reach, LimitReached when the limit came before any
    mechanism, AuditError when the mechanism fails the audit by definition.
    """
    from expost.solver.adapters.lp import solve_linear

    if space.weights is not None and not space.weights.independent:
        raise InputError(
            "signals of different buyers that are correlated",
            where="joint: density",
            expected="buyers whose signals are independent: a type's beliefs must not depend on it",
            remedy="leave the joint density out",
        )
    program = bayesian_program(space)
    answer = solve_linear(program, time_limit=time_limit)
    if answer.x is None or answer.multipliers is None:
        raise LimitReached(
            f"{space.instance.name}: the linear program stopped ({answer.status}) before it had a mechanism; allow "
            "more time or use a coarser grid"
        )
    allocation = answer.x[: space.n * space.states].reshape(space.n, *space.shape)
    return assessed(space, program, allocation, answer.multipliers, answer.status)


def bayesian_program(space: TypeSpace) -> LinearProgram:
    """Variables: ``q`` (n, states), then ``T_i(a)`` buyer by buyer. Raises InputError for a size out of reach."""
    from scipy.sparse import csr_array, hstack, vstack

    entries = sum(2 * types * space.states for types in space.shape)
    if entries > REACH:
        signals = len(space.instance.signals)
        fits = int(space.states ** (1 / signals) * (REACH / entries) ** (1 / (signals * (1 + 1 / space.n))))
        raise InputError(
            f"{space.states} states of {'x'.join(map(str, space.shape))} types, {entries} entries",
            where="grid",
            expected=f"a Bayesian benchmark within reach: at most {REACH} entries",
            remedy=f"for example grid={max(fits, 2)}",
        )
    chances = np.full(space.shape, 1.0 / space.states) if space.weights is None else space.weights.chances
    types = sum(space.shape)
    upper, parts, start = [], [], 0
    for i in range(space.n):
        rows = _incentives(space, i)
        payments = _payment_columns(space.shape[i], start, types)
        before, after = i * space.states, (space.n - 1 - i) * space.states
        left = csr_array((rows.shape[0], before)), rows, csr_array((rows.shape[0], after))
        parts.append(hstack([*left, payments]))
        upper.append(np.zeros(rows.shape[0]))
        start += space.shape[i]
    if space.n > space.units:
        each = csr_array(np.ones((1, space.n)))
        from scipy.sparse import eye_array, kron

        parts.append(hstack([kron(each, eye_array(space.states)), csr_array((space.states, types))]))
        upper.append(np.full(space.states, float(space.units)))
    # |E[(q(a) - q(b)) V(a)]| is at most the largest |V|, and so is how far two payments differ.
    most = np.concatenate(
        [np.full(count, np.abs(v).max()) for count, v in zip(space.shape, space.values, strict=True)]
    )
    variables = space.n * space.states + types
    return LinearProgram(
        np.concatenate([(space.gains * chances).ravel(), np.zeros(types)]),
        vstack(parts).tocsr(),
        np.concatenate(upper),
        np.zeros(variables),
        np.concatenate([np.ones(space.n * space.states), most]),
        constant=space.seller,
    )


def _incentives(space: TypeSpace, i: int) -> Any:
    """E[q(b) V(a)] - E[q(a) V(a)] for all a != b as a sparse matrix over the states, rows in C order of (a, b)."""
    from scipy.sparse import csr_array

    types, others = space.shape[i], _others(space, i)
    weighted = _own_first(space.values[i], i) * others
    place = _own_first(np.arange(space.states).reshape(space.shape), i)
    a, b = (index.ravel() for index in np.indices((types, types)))
    a, b = a[a != b], b[a != b]
    value = np.concatenate([weighted[a], -weighted[a]], axis=1)
    index = np.concatenate([place[b], place[a]], axis=1)
    starts = np.arange(len(a) + 1) * index.shape[1]
    found = csr_array((value.ravel(), index.ravel(), starts), shape=(len(a), space.states))
    found.eliminate_zeros()
    return found


def _payment_columns(types: int, start: int, total: int) -> Any:
    """T(a) - T(b) for all a != b of the buyer whose payments begin at ``start``."""
    from scipy.sparse import csr_array

    a, b = (index.ravel() for index in np.indices((types, types)))
    a, b = a[a != b], b[a != b]
    index = start + np.stack([a, b], axis=1)
    return csr_array(
        (np.tile([1.0, -1.0], len(a)), index.ravel(), 2 * np.arange(len(a) + 1)), shape=(len(a), total)
    )


def assessed(
    space: TypeSpace, program: LinearProgram, allocation: Float, multipliers: Float, status: Status
) -> BayesianSecondBest:
    """The mechanism of the probabilities ``allocation`` (n, T_1, .., T_n), audited, with the bound that ``multipliers``
    (rows,) prove. Raises AuditError when it is not incentive compatible or not admissible, or beats the bound."""
    allocation = np.clip(allocation, 0.0, 1.0)
    payments, audits = [], []
    for i in range(space.n):
        utility = expected_by_report(space, i, allocation[i])
        paid = largest_fees(utility[None])[0]
        payments.append(paid)
        audits.append(audit_buyer(space, i, utility, paid))
    audit = Audit(tuple(audits), *crowded_states(allocation, space.units))
    audit.require("the Bayesian linear program")
    welfare = space.seller + space.mean((allocation * space.gains).sum(axis=0))
    bound = dual_bound(program, multipliers)
    slack = WELFARE * program.scale
    if welfare > bound + slack:
        raise AuditError(f"the bound {bound} from the multipliers is below the welfare {welfare}")
    if status is Status.OPTIMAL and welfare < bound - slack:
        status = Status.FEASIBLE
    return BayesianSecondBest(
        space, program, allocation, tuple(payments), welfare, max(bound, welfare), status, audit, multipliers
    )


def audit_buyer(space: TypeSpace, i: int, utility: Float, paid: Float) -> BuyerAudit:
    """The best report of the type who gains most by lying: ``utility`` (a, b) is E[q(b) V(a)], ``paid`` (T_i,)."""
    offers = utility - paid
    gain = np.maximum(offers.max(axis=1), 0.0) - np.diagonal(offers)
    own = int(np.argmax(gain))
    state = tuple(own if k == i else 0 for k in range(space.n))
    best = int(np.argmax(offers[own]))
    deviation = f"reporting type {best}" if offers[own, best] > 0.0 else "staying away"
    return BuyerAudit(i, max(float(gain[own]), 0.0), state, deviation, allowed_gain(space.values[i]))


def expected_by_report(space: TypeSpace, i: int, wins: Float) -> Float:
    """E[q_i(b, .) V_i(a, .)] for all own types (a, b), from ``wins`` of state shape."""
    return (_own_first(space.values[i], i) * _others(space, i)) @ _own_first(wins, i).T


def _own_first(array: Any, i: int) -> Any:
    """A state array with the buyer's types as rows, the others' states as columns."""
    return np.ascontiguousarray(np.moveaxis(array, i, 0)).reshape(array.shape[i], -1)


def _others(space: TypeSpace, i: int) -> Float:
    """The probability of each state of the others, flat."""
    if space.weights is None:
        count = space.states // space.shape[i]
        return np.full(count, 1.0 / count)
    return space.weights.others(i).ravel()


def _type_chances(space: TypeSpace) -> tuple[Float, ...]:
    if space.weights is None:
        return tuple(np.full(count, 1.0 / count) for count in space.shape)
    return space.weights.types
