"""The second best on a type space, proved and audited, for whatever compares something with it."""

from __future__ import annotations

from collections.abc import Sequence

from expost.formulations.assemble import assemble
from expost.formulations.timing import STATIC, build_blocks, buyer_stages, mixed_mechanism, parse_timing
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.solver.result import Status
from expost.spaces.type_space import TypeSpace


def second_best(
    space: TypeSpace,
    timing: str | Sequence[str] = STATIC,
    first: Sequence[str | None] = (),
    *,
    conditional: bool = False,
) -> tuple[float, Mechanism]:
    """The optimal rule's expected welfare on ``space`` and its mechanism, proved optimal and audited.

    Raises ArithmeticError when the solver did not prove optimality.
    """
    from expost.solver.backends import solve_program

    timings = parse_timing(space.n, timing)
    formulation = assemble(space, build_blocks(space, timings, first), conditional=conditional)
    solution = solve_program(formulation.program)
    if solution.status is not Status.OPTIMAL or solution.x is None:
        raise ArithmeticError(f"{space.instance.name}: {solution.backend} stopped with {solution.status}")
    mechanism = mixed_mechanism(
        space, formulation.allocation(solution.x), buyer_stages(space, timings, first)
    )
    audit_mechanism(space.values, mechanism).require(solution.backend)
    return mechanism.welfare(space.gains, space.seller), mechanism
