"""What the claims share: assumption checks as hypotheses, second bests on a grid, instances that violate a
hypothesis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from expost._typing import Float
from expost.formulations.assemble import assemble
from expost.formulations.timing import STATIC, build_blocks, buyer_stages, mixed_mechanism, parse_timing
from expost.instances.assumptions import AssumptionReport, assumption_1, assumption_2, assumption_3
from expost.instances.environment import Buyer, Instance
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers.verdict import Hypothesis
from expost.solver.result import Status
from expost.spaces.type_space import TypeSpace

POINTS = 5
"""Points per signal at which the assumptions are tested."""


def hypothesis(report: AssumptionReport) -> Hypothesis:
    """An assumption report as a hypothesis."""
    where = ""
    if report.witness is not None and not report.holds:
        where = f"{report.subject} between " + " and ".join(
            "(" + ", ".join(f"{k} = {v:.3g}" for k, v in state.items()) + ")" for state in report.witness
        )
    # A strict inequality needs slack; a residual of 0 or less then still violates it.
    residual = report.violation if report.holds else max(report.violation, 2.0 * report.tolerance)
    return Hypothesis(report.claim, residual, report.tolerance, where)


def assumptions(instance: Instance, *, strict: bool = False, points: int = POINTS) -> tuple[Hypothesis, ...]:
    """Assumptions 1, 2 and 3 of Bikhchandani (2006), tested."""
    return (
        hypothesis(assumption_1(instance, points=points, strict=strict)),
        hypothesis(assumption_2(instance, points=points, strict=strict)),
        hypothesis(assumption_3(instance, points=points)),
    )


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


@dataclass(frozen=True)
class ExampleOnePrices:
    """The closed form of t* on jmmz, p_j + c_j (Bikhchandani 2006, Example 1)."""

    name: str = "example1"
    citation: str = "Bikhchandani 2006, Example 1"
    accuracy: float = 0.0

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """t*_i at the other buyer's ``signals``."""
        return signals[f"p{2 - i}"] + signals[f"c{2 - i}"]


def reversed_signals(instance: Instance) -> Instance:
    """The same instance with every buyer's signals listed, hence arriving, the other way round."""
    buyers = tuple(Buyer(b.name, b.signals[::-1], b.value, b.externality) for b in instance.buyers)
    return replace(instance, name=f"{instance.name:.80}, reversed order", buyers=buyers)


def no_single_crossing() -> Instance:
    """Two buyers who care more for each other's signals than for their own: Assumption 2 fails everywhere."""
    return Instance(
        "no single crossing",
        (
            Buyer("1", ("a1", "b1"), "a1 + b1 + 3*a2 + 3*b2"),
            Buyer("2", ("a2", "b2"), "a2 + b2 + 3*a1 + 3*b1"),
        ),
    )


def one_sided() -> Instance:
    """Buyer 1 always values the item more: Assumption 3 fails."""
    return Instance(
        "one-sided",
        (Buyer("1", ("a1", "b1"), "a1 + b1 + 2"), Buyer("2", ("a2", "b2"), "(a2 + b2 + 0.1*a1)/2")),
    )
