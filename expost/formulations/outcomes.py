"""The best deterministic mechanism over any finite set of outcomes, as a mixed-integer program without big-M.

In every state ``s`` one outcome ``o`` is chosen (binaries ``x_o(s)``); buyer ``i`` gets ``U_i(s, o)``, pays ``t_i(s)``.
Nobody gains more than ``epsilon`` by another report (ex post, static): for own types a, b in every fibre

    sum_o x_o(a) U_i(a, o) - t_i(a) >= sum_o x_o(b) U_i(a, o) - t_i(b) - epsilon,

which is linear, for what ``a`` gets from b's report is U at the true state. Two such rows added give what the integer
rows here sharpen: with ``d(o) = U_i(a, o) - U_i(b, o)``, the outcome of ``a`` has a ``d`` at least that of ``b`` less
``2 epsilon`` (weak monotonicity). Several items are outcomes (who gets which bundle), and so are externalities among
buyers (who else gets the item).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from expost._typing import Float, Place
from expost.errors import AuditError, InputError, LimitReached
from expost.mechanisms.audit import Audit, BuyerAudit, allowed_gain
from expost.mechanisms.lottery_menu import largest_fees
from expost.solver.leaves import Leaves, prove, proved_bound, root
from expost.solver.linear_program import LinearProgram
from expost.solver.result import Status
from expost.tolerances import TIE, WELFARE, allowance

REACH = 1_000_000
"""Entries of the matrix that are attempted."""

DECIDED = 1.0 - 1e-6
"""The relaxation decides a state where it gives one outcome this probability."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What outcomes are worth: utility (n, T_1, .., T_n, O), welfare (T_1, .., T_n, O), states equally likely.

    epsilon: what nobody may gain more than by another report (unit: values).
    """

    utility: Float = field(repr=False)
    welfare: Float = field(repr=False)
    epsilon: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Types of each buyer."""
        return tuple(self.welfare.shape[:-1])

    @property
    def states(self) -> int:
        """How many states there are."""
        return math.prod(self.shape)

    @property
    def first_best(self) -> float:
        """Expected welfare when nobody can lie."""
        return float(self.welfare.max(axis=-1).mean())

    def fibres(self, i: int) -> Float:
        """Utility of buyer ``i`` as (F, T_i, O), the others' states in C order first."""
        own = np.ascontiguousarray(np.moveaxis(self.utility[i], i, -2))
        return own.reshape(-1, self.shape[i], self.welfare.shape[-1])

    def places(self, i: int) -> Place:
        """The flat state of each (fibre, own type) of buyer ``i``, (F, T_i)."""
        flat = np.arange(self.states).reshape(self.shape)
        return np.ascontiguousarray(np.moveaxis(flat, i, -1)).reshape(-1, self.shape[i])


@dataclass(frozen=True, eq=False)
class OutcomeRule:
    """The best rule found: the outcome in every state (state shape), payments (n, T_1, .., T_n), and its bound.

    certified: what ``proof`` proves: multipliers of the linear relaxation, in as many cases as it took.
    upper_bound: that, or HiGHS's own by branch and bound with gap zero where it is lower. payments: the largest that
    keep incentives and leave nobody a loss in any state.
    """

    outcomes: Outcomes
    choice: Place = field(repr=False)
    payments: Float = field(repr=False)
    welfare: float
    upper_bound: float
    status: Status
    audit: Audit
    nodes: int
    certified: float
    proof: Leaves = field(repr=False)

    @property
    def gap(self) -> float:
        """``upper_bound`` less ``welfare``."""
        return self.upper_bound - self.welfare


def best_outcomes(
    outcomes: Outcomes, *, time_limit: float | None = None, start: Place | None = None, what: str = "grid"
) -> OutcomeRule:
    """The best deterministic rule over ``outcomes``, audited by definition. start: a feasible choice in every state,
    by default the first outcome everywhere.

    Raises InputError for a size out of reach, LimitReached when the limit came before any rule, AuditError when the
    rule fails the audit.
    """
    from expost.solver.adapters.lp import LinearAnswer, solve_linear

    program = outcome_program(outcomes, what)
    ends = None if time_limit is None else time.monotonic() + time_limit
    relaxed = solve_linear(replace(program, integral=None), time_limit=_left(ends))
    nothing = np.zeros(outcomes.shape, dtype=np.intp)
    point = _point(outcomes, program, nothing if start is None else start)
    nearby = None if relaxed.x is None else _nearby(outcomes, program, relaxed.x, _left(ends))
    if nearby is not None and (point is None or program.value(nearby) > program.value(point)):
        point = nearby
    if point is not None and program.value(point) >= relaxed.bound - WELFARE * program.scale:
        answer = LinearAnswer(Status.OPTIMAL, point, relaxed.bound)
    else:
        answer = solve_linear(program, time_limit=_left(ends), start=point)
    x = point if answer.x is None else answer.x
    if x is None:
        raise LimitReached(
            f"branch and bound stopped ({answer.status}) before it had a rule; allow more time"
        )
    count = outcomes.welfare.shape[-1]
    choice = x[: outcomes.states * count].reshape(*outcomes.shape, count).argmax(axis=-1)
    zeros = np.zeros(program.rows)
    proof = root(program, zeros if relaxed.multipliers is None else relaxed.multipliers)
    enough = welfare_of(outcomes, choice) + WELFARE * program.scale
    if answer.status is Status.OPTIMAL and relaxed.bound > enough:
        proof = prove(program, enough, _left(ends)) or proof
    return assessed(outcomes, program, choice, proof, answer.bound, answer.status, answer.nodes)


def _nearby(outcomes: Outcomes, program: LinearProgram, x: Float, limit: float | None) -> Float | None:
    """The best point that decides as the relaxation's optimum ``x`` wherever that decides; None where none was found
    in a third of ``limit``. Few states are left open, and often nothing is lost by it."""
    from expost.solver.adapters.lp import solve_linear

    count = outcomes.welfare.shape[-1]
    chances = x[: outcomes.states * count].reshape(-1, count)
    best = chances.argmax(axis=-1)
    closed = np.flatnonzero(chances.max(axis=-1) >= DECIDED)
    if 2 * len(closed) < len(chances):
        return None
    upper = program.upper_x.copy()
    shut = upper[: outcomes.states * count].reshape(-1, count)
    kept = shut[closed, best[closed]]
    shut[closed] = 0.0
    shut[closed, best[closed]] = kept
    return solve_linear(replace(program, upper_x=upper), time_limit=None if limit is None else limit / 3).x


def assessed(
    outcomes: Outcomes,
    program: LinearProgram,
    choice: Place,
    proof: Leaves,
    bound: float,
    status: Status,
    nodes: int = 0,
) -> OutcomeRule:
    """The rule ``choice`` (state shape) audited by definition, with what ``proof`` proves and the solver's ``bound``.

    Raises AuditError when the rule fails the audit or is worth more than a bound.
    """
    payments, audit = payments_of(outcomes, choice)
    audit.require("branch and bound")
    welfare, certified = welfare_of(outcomes, choice), proved_bound(program, proof)
    slack = WELFARE * program.scale
    lower = min(bound, certified)
    if welfare > lower + slack:
        raise AuditError(
            f"the bound {lower} of the mixed-integer program is below the welfare {welfare} of its rule"
        )
    if status is Status.OPTIMAL and welfare < lower - slack:
        status = Status.FEASIBLE
    return OutcomeRule(
        outcomes,
        choice,
        payments,
        welfare,
        max(lower, welfare),
        status,
        audit,
        nodes,
        max(certified, welfare),
        proof,
    )


def _left(ends: float | None) -> float | None:
    return None if ends is None else max(ends - time.monotonic(), 0.01)


def welfare_of(outcomes: Outcomes, choice: Place) -> float:
    """Expected welfare of the outcomes ``choice`` (state shape)."""
    return float(np.take_along_axis(outcomes.welfare, choice[..., None], axis=-1).mean())


def require_reach(outcomes: Outcomes, what: str = "grid") -> None:
    """Raise InputError for a program out of reach; ``what`` names the parameter that decides its size."""
    count, states = outcomes.welfare.shape[-1], outcomes.states
    entries = sum((types - 1) * states * 5 * count for types in outcomes.shape)
    if entries > REACH:
        raise InputError(
            f"{states} states, {count} outcomes in each, a program of {entries} entries",
            where=what,
            expected=f"a mixed-integer program within reach: at most {REACH} entries",
            remedy="use fewer points of every signal",
        )


def outcome_program(outcomes: Outcomes, what: str = "grid") -> LinearProgram:
    """Variables: ``x`` (states, outcomes), then ``t`` (n, states)."""
    from scipy.sparse import csr_array, vstack

    count, states, n = outcomes.welfare.shape[-1], outcomes.states, len(outcomes.utility)
    require_reach(outcomes, what)
    one = csr_array(
        (np.ones(states * count), np.arange(states * count), count * np.arange(states + 1)),
        shape=(states, states * count + n * states),
    )
    parts, upper = [one, -one], [np.ones(states), -np.ones(states)]  # exactly one outcome
    for i in range(n):
        for rows, limit in (_incentives(outcomes, i), _monotone(outcomes, i)):
            parts.append(rows)
            upper.append(limit)
    span = np.array([part.max() - part.min() for part in outcomes.utility]) + outcomes.epsilon
    variables = states * (count + n)
    return LinearProgram(
        np.concatenate([outcomes.welfare.ravel() / states, np.zeros(n * states)]),
        vstack(parts).tocsr(),
        np.concatenate(upper),
        np.zeros(variables),
        np.concatenate([np.ones(states * count), np.repeat(span, states)]),
        integral=np.arange(variables) < states * count,
    )


def _pairs(outcomes: Outcomes, i: int) -> tuple[Float, Float, Place, Place]:
    """For all ordered pairs of own types a != b of all fibres: U at state a and at b, (rows, O); the states."""
    utility, place = outcomes.fibres(i), outcomes.places(i)
    a, b = (index.ravel() for index in np.indices((outcomes.shape[i],) * 2))
    a, b = a[a != b], b[a != b]
    count = utility.shape[2]
    here, there = utility[:, a].reshape(-1, count), utility[:, b].reshape(-1, count)
    return here, there, place[:, a].ravel(), place[:, b].ravel()


def _incentives(outcomes: Outcomes, i: int) -> tuple[Any, Float]:
    """sum_o x_o(b) U(a, o) - sum_o x_o(a) U(a, o) + t(a) - t(b) <= epsilon."""
    from scipy.sparse import csr_array

    here, _, a, b = _pairs(outcomes, i)
    rows, count = here.shape
    states, n = outcomes.states, len(outcomes.utility)
    pay = states * count + i * states
    index = np.concatenate(
        [
            b[:, None] * count + np.arange(count),
            a[:, None] * count + np.arange(count),
            (pay + a)[:, None],
            (pay + b)[:, None],
        ],
        axis=1,
    )
    value = np.concatenate([here, -here, np.ones((rows, 1)), -np.ones((rows, 1))], axis=1)
    matrix = csr_array(
        (value.ravel(), index.ravel(), index.shape[1] * np.arange(rows + 1)),
        shape=(rows, states * (count + n)),
    )
    matrix.eliminate_zeros()
    return matrix, np.full(rows, outcomes.epsilon)


def _monotone(outcomes: Outcomes, i: int) -> tuple[Any, Float]:
    """For every level of d: x of a on outcomes up to it plus x of b on outcomes beyond it by 2 epsilon <= 1."""
    from scipy.sparse import csr_array

    here, there, a, b = _pairs(outcomes, i)
    difference = here - there
    tie = allowance(TIE, outcomes.utility[i])
    rank = np.sort(difference, axis=1)
    states, n, count = outcomes.states, len(outcomes.utility), here.shape[1]
    index, rows = [], []
    total = 0
    for k in range(count - 1):
        level = rank[:, k : k + 1]
        new = rank[:, k + 1] > rank[:, k] + tie
        low = (difference <= level + tie) & new[:, None]
        high = (difference > level + 2.0 * outcomes.epsilon + 2.0 * tie) & new[:, None]
        useful = high.any(axis=1)
        kept = np.flatnonzero(useful)
        number = total + np.arange(len(kept))
        for mask, state in ((low[kept], a[kept]), (high[kept], b[kept])):
            row, outcome = np.nonzero(mask)
            index.append(state[row] * count + outcome)
            rows.append(number[row])
        total += len(kept)
    columns = np.concatenate(index) if index else np.zeros(0, dtype=np.intp)
    lines = np.concatenate(rows) if rows else np.zeros(0, dtype=np.intp)
    matrix = csr_array((np.ones(len(columns)), (lines, columns)), shape=(total, states * (count + n)))
    return matrix, np.ones(total)


def payments_of(outcomes: Outcomes, choice: Place) -> tuple[Float, Audit]:
    """The largest payments that keep incentives and leave nobody a loss, and the audit by definition."""
    payments = np.empty((len(outcomes.utility), outcomes.states))
    audits = []
    for i in range(len(outcomes.utility)):
        utility, place = outcomes.fibres(i), outcomes.places(i)
        taken = choice.ravel()[place]
        offers = np.take_along_axis(
            utility, np.broadcast_to(taken[:, None, :], (*taken.shape, taken.shape[1])), axis=2
        )
        types = taken.shape[1]
        slack = outcomes.epsilon * (1.0 - np.eye(types))
        paid = largest_fees(offers - slack)
        payments[i, place] = paid
        own = np.diagonal(offers, axis1=1, axis2=2) - paid
        gain = np.maximum((offers - paid[:, None, :]).max(axis=2), 0.0) - own
        fibre, level = (int(k) for k in np.unravel_index(int(np.argmax(gain)), gain.shape))
        state = tuple(int(k) for k in np.unravel_index(int(place[fibre, level]), outcomes.shape))
        worst = max(float(gain[fibre, level]), 0.0)
        limit = outcomes.epsilon + allowed_gain(outcomes.utility[i])
        audits.append(BuyerAudit(i, worst, state, "another report", limit))
    return payments.reshape(len(outcomes.utility), *outcomes.shape), Audit(tuple(audits), 0, None)


def _point(outcomes: Outcomes, program: LinearProgram, choice: Place) -> Float | None:
    """A feasible point of the program from a choice, None where its incentives fail."""
    payments, audit = payments_of(outcomes, choice)
    if not audit.passed:
        return None
    x = np.zeros(program.variables)
    count = outcomes.welfare.shape[-1]
    x[np.arange(outcomes.states) * count + choice.ravel()] = 1.0
    shifted = []
    for i, paid in enumerate(payments):
        own = np.moveaxis(paid, i, -1)
        shifted.append(np.moveaxis(own - own.min(axis=-1, keepdims=True), -1, i).ravel())
    x[outcomes.states * count :] = np.concatenate(shifted)
    return x
