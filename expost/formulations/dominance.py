"""Is a rule constrained efficient on a type space, and if not, what dominates it (Bikhchandani 2006, section 4).

A mechanism dominates another when it is at least as good in every state and better in one. Given a rule with gain W(s)
in each state: forbid every sale worth less than W(s), require a sale where W(s) exceeds what keeping the item is worth
(a gain of 0), and maximize the total gain over incentive compatible rules. The rule is constrained efficient iff no
state can be improved; otherwise the optimum dominates it, by the largest expected gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from expost._typing import Bool, Float, Int8
from expost.errors import AuditError, InputError
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.blocks import tie_width
from expost.formulations.second_best import answer
from expost.formulations.timing import STATIC, build_blocks, buyer_stages, parse_timing
from expost.mechanisms.mechanism import Mechanism
from expost.solver.program import FREE
from expost.solver.result import Status
from expost.spaces.type_space import TypeSpace

State = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Dominance:
    """What dominates a rule on a type space.

    gain: expected welfare of the dominating rule less that of the given one; the largest there is when ``status`` is
    optimal. gain_bound: no dominating rule gains more (infinite when nothing was proved).
    constrained_efficient: True when that is proved, False when ``mechanism`` dominates, None when a limit left it open.
    mechanism: the dominating rule with its terms, audited; at least as good as the given rule in every state.
    improved: how many states are strictly better; ``example`` is the one that gains most, by ``example_gain``.
    state_gains: what the dominating rule gains in each state, state shape (unit: values).
    """

    gain: float
    gain_bound: float
    welfare: float
    dominating_welfare: float
    constrained_efficient: bool | None
    status: Status
    backend: str
    improved: int
    example: State | None
    example_gain: float
    mechanism: Mechanism = field(repr=False)
    state_gains: Float = field(repr=False)


def dominate(
    space: TypeSpace,
    allocation: Bool,
    backend: str = "auto",
    *,
    timing: str | Sequence[str] = STATIC,
    first: Sequence[str | None] = (),
    time_limit: float | None = None,
) -> Dominance:
    """The rule that dominates ``allocation`` (n, T_1, .., T_n) by the most, among rules of the given timing.

    first: the first-stage signals of sequential buyers, as in ``build_blocks``.

    Raises InputError when the rule is not admissible or not incentive compatible under that timing, LimitReached when
    a limit came before any rule, AuditError when the answer does not dominate.
    """
    timings = parse_timing(space.n, timing)
    formulation = dominance_program(space, allocation, timings, first)
    start = formulation.vector(allocation)
    _refuse_infeasible(space, formulation, start)
    found = answer(formulation, backend=backend, time_limit=time_limit)
    solution, mechanism = found.solution, found.mechanism
    old, new = _state_gains(space, allocation), mechanism.state_welfare(space.gains)
    better = _compare(space, old, new)
    proved = solution.status is Status.OPTIMAL
    at = int(np.argmax(new - old)) if better else None
    return Dominance(
        gain=space.mean(new - old),
        gain_bound=max(0.0, solution.bound - formulation.program.value(start)),
        welfare=space.seller + space.mean(old),
        dominating_welfare=space.seller + space.mean(new),
        constrained_efficient=False if better else (True if proved else None),
        status=solution.status,
        backend=solution.backend,
        improved=better,
        example=None if at is None else tuple(int(t) for t in np.unravel_index(at, space.shape)),
        example_gain=0.0 if at is None else float((new - old).flat[at]),
        mechanism=mechanism,
        state_gains=new - old,
    )


def dominance_program(
    space: TypeSpace, allocation: Bool, timings: tuple[str, ...], first: Sequence[str | None] = ()
) -> Formulation:
    """The program whose optimum dominates ``allocation`` by the most; Bikhchandani 2006, section 4, on a type space.

    Raises InputError for several units and buyers: what a state has to be worth is no row of the program then.
    """
    if space.units > 1 and space.n > 1:
        raise InputError(
            f"{space.units} units",
            where="units",
            expected="one unit, for which dominance is a statement on who wins",
        )
    free = assemble(space, build_blocks(space, timings, first), stages=buyer_stages(space, timings, first))
    width = tie_width(space.gains)
    attained = _state_gains(space, allocation)
    fixed = np.full(free.program.variables, FREE, dtype=np.int8)
    needed = attained > width
    for start, block, gain in zip(free.program.blocks[:-1], free.blocks, space.gains, strict=True):
        fixed[start + block.index[gain < attained - width]] = 0
        if space.n == 1:
            fixed[start + block.index[needed]] = 1
    covering = free.program.packing[needed.ravel()] if space.n > 1 else free.program.covering
    program = replace(free.program, fixed=fixed, covering=np.ascontiguousarray(covering))
    return replace(free, program=program)


def _state_gains(space: TypeSpace, allocation: Bool) -> Float:
    """W(s): the gain that the rule realizes in each state, state shape."""
    return np.where(allocation, space.gains, 0.0).sum(axis=0)


def _refuse_infeasible(space: TypeSpace, formulation: Formulation, start: Int8) -> None:
    if formulation.allocation(start).shape[1:] != space.shape:
        raise InputError(
            f"a rule of shape {formulation.allocation(start).shape[1:]}",
            where="dominate",
            expected=f"the states of the type space, {space.shape}",
        )
    broken = formulation.program.violations(start)
    if broken:
        raise InputError(
            f"a rule that breaks {broken} rows of incentive compatibility or admissibility on this type space",
            where="dominate",
            expected="an implementable rule under this timing",
        )


def _compare(space: TypeSpace, old: Float, new: Float) -> int:
    """How many states are strictly better. Raises AuditError when one is worse."""
    width = tie_width(space.gains)
    if (new < old - width).any():
        state = np.unravel_index(int(np.argmin(new - old)), space.shape)
        raise AuditError(f"the answer is worse than the given rule at state {tuple(int(t) for t in state)}")
    return int(np.count_nonzero(new > old + width))
