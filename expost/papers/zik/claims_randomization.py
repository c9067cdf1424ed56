"""Whether randomization helps statically: with one buyer (Zik, Appendix A), two, and more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from expost.formulations.assemble import assemble
from expost.formulations.timing import STATIC, build_blocks
from expost.instances import catalogue
from expost.instances.random_instances import random_instance
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.optima import second_best
from expost.papers.verdict import Hypothesis, Relation, Verdict
from expost.solver.program import Program
from expost.spaces.type_space import TypeSpace, discretize
from expost.tolerances import WELFARE

Deterministic = Callable[[TypeSpace], float]
"""The best deterministic rule's expected welfare on a type space."""


def randomization(case: Case, deterministic: Deterministic) -> list[Verdict]:
    """Randomizing does not help statically with one buyer (Appendix A) or two (total unimodularity): the linear
    relaxation of the program has the same optimum."""
    space = discretize(case.instance, case.size)
    program = assemble(space, build_blocks(space, (STATIC,) * space.n)).program
    citation = {1: "Zik, Appendix A", 2: "ours: total unimodularity (Zik's Appendix A has one buyer)"}
    return [
        Verdict(
            "Z-Appendix-A-randomization",
            citation.get(space.n, citation[2]),
            case.instance.name,
            (Hypothesis("one or two buyers (the number beyond)", float(max(space.n - 2, 0))),),
            f"best randomized rule on {case.size} points per signal against the best deterministic one",
            linear_value(program),
            Relation.EQUAL,
            deterministic(space),
            WELFARE,
            note="" if space.n <= 2 else "with three buyers the rows are not totally unimodular",
        )
    ]


def optimum(space: TypeSpace) -> float:
    """The second best."""
    return second_best(space)[0]


def conditional_optimum(space: TypeSpace) -> float:
    """Wrong: the best rule that never sells to a lower value."""
    return second_best(space, conditional=True)[0]


def linear_value(program: Program) -> float:
    """The optimum of the linear relaxation, which is the best randomized rule, by scipy's linear programming."""
    import scipy.optimize

    linprog: Any = scipy.optimize.linprog
    answer = linprog(
        -program.weights,
        A_ub=_rows(program),
        b_ub=np.concatenate([np.zeros(program.arcs), np.ones(len(program.packing))]),
        bounds=np.stack([program.fixings == 1, program.fixings != 0], axis=1).astype(np.float64),
        method="highs",
    )
    if not answer.success:
        raise ArithmeticError(f"linear relaxation: {answer.message}")
    return program.constant - float(answer.fun)


def _rows(program: Program) -> Any:
    """The precedence and packing rows as one sparse matrix."""
    from scipy.sparse import csr_array

    arcs, packed = program.arcs, program.packing.size
    rows = np.concatenate(
        [np.arange(arcs), np.arange(arcs), arcs + np.arange(packed) // max(program.packing.shape[1], 1)]
    )
    columns = np.concatenate([program.tails, program.heads, program.packing.ravel()])
    entries = np.concatenate([np.ones(arcs), -np.ones(arcs), np.ones(packed)])
    return csr_array((entries, (rows, columns)), shape=(arcs + len(program.packing), program.variables))


def _jmmz(size: int) -> Case:
    return Case(catalogue.load("jmmz"), size)


def _randomization_cases(quick: bool, seed: int) -> list[Case]:
    cases = [Case(catalogue.load("privatization"), 8), _jmmz(4)]
    cases += [Case(random_instance(seed + k, buyers=2), 3 if quick else 4) for k in range(1 if quick else 4)]
    return [*cases, Case(catalogue.load("three-buyers"), 2 if quick else 3)]


CLAIMS = (
    Claim(
        "Z-Appendix-A-randomization",
        "randomization does not help statically",
        optimum,
        _randomization_cases,
        randomization,
        (Mutant("the best conditionally efficient rule", conditional_optimum, partial(_jmmz, 4)),),
        lambda instance, _: [Case(instance, max(2, min(6, int(1500 ** (1 / len(instance.signals))))))],
    ),
)
