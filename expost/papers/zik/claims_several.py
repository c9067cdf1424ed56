"""The claims of Zik on several buyers (section 3) and on randomization (Appendix A), computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from expost.formulations.assemble import assemble
from expost.formulations.timing import SEQUENTIAL, STATIC, build_blocks
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.instances.random_instances import random_instance
from expost.mechanisms.given import tie_of
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers import constructions
from expost.papers.tools import assumptions, reversed_signals, second_best
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.papers.zik.orders import implementability
from expost.solver.program import Program
from expost.spaces.type_space import discretize
from expost.tolerances import WELFARE

WEIGHTS = ("alpha11", "alpha12", "alpha21", "alpha22", "beta11", "beta12", "beta21", "beta22")


def section_3_2(quick: bool) -> list[Verdict]:
    """Section 3.2: with linear values the first best is attained sequentially iff both ratio conditions hold."""
    rng = np.random.default_rng(32)
    cases: list[dict[str, float]] = [{}, {"alpha11": 1.0, "alpha12": 2.0}, {"beta21": 1.0, "beta22": 2.0}]
    for _ in range(2 if quick else 8):
        alpha, beta = np.sort(rng.uniform(0.2, 2.0, (2, 2, 2)), axis=1)
        numbers = np.round([*alpha[::-1].ravel(), *beta.ravel()], 2).tolist()
        cases.append(dict(zip(WEIGHTS, numbers, strict=True)))
    cases.append({"alpha11": 0.4, "alpha12": 1.0, "alpha21": 0.5, "alpha22": 0.5})
    return [_section_3_2_on(case, 5 if quick else 7) for case in cases]


def _section_3_2_on(case: dict[str, float], grid: int) -> Verdict:
    instance = catalogue.load("linear", **case)
    own = dict(zip(WEIGHTS, (2.0, 1.0, 0.5, 0.5, 0.5, 0.5, 2.0, 1.0), strict=True)) | case
    alpha, beta = (np.array([[own[f"{k}{i}{m}"] for m in (1, 2)] for i in (1, 2)]) for k in ("alpha", "beta"))
    excess = max((alpha[1] - alpha[0]).max(), (beta[0] - beta[1]).max(), -min(alpha.min(), beta.min()))
    order = Hypothesis("own weights above the rival's, all positive", float(excess))
    first = alpha[0, 0] * alpha[1, 1] - alpha[1, 0] * alpha[0, 1]
    second = beta[1, 0] * beta[0, 1] - beta[0, 0] * beta[1, 1]
    met = min(first, second) >= 0.0
    attained = implementability(instance, others=4).sequential()["x1", "x2"]
    space = discretize(instance, grid)
    best, _ = second_best(space, SEQUENTIAL)
    short = met and order.holds and best < space.first_best - WELFARE
    return Verdict(
        claim="Z-Section-3.2",
        citation="Zik, section 3.2",
        instance="linear, " + (", ".join(f"{k} = {v:g}" for k, v in case.items()) or "default weights"),
        hypotheses=(order,),
        quantity="1 if the ratio conditions and computed implementability agree, else 0",
        computed=float(met == attained),
        relation=Relation.EQUAL,
        theoretical=1.0,
        tolerance=0.0,
        violation="the second best on the grid falls short of the first best" if short else "",
        note=f"conditions {'hold' if met else 'fail'} (slacks {first:.3g}, {second:.3g}), first best "
        f"{'attained' if attained else 'not attained'}; on {grid} points per signal the sequential second best "
        f"is {best:.6f}, the first best {space.first_best:.6f}",
    )


def section_3_3(quick: bool) -> list[Verdict]:
    """Section 3.3: a conditionally efficient sequential rule that sells more than t*."""
    jmmz, linear = catalogue.load("jmmz"), catalogue.load("linear")
    cases = [(jmmz, "section3.3"), (jmmz, "envelope"), (reversed_signals(jmmz), "envelope")]
    cases += (
        []
        if quick
        else [(linear, "section3.3"), (linear, "envelope"), (random_instance(0, buyers=2), "envelope")]
    )
    return [_section_3_3_on(instance, name, 5 if quick else 6) for instance, name in cases]


def _section_3_3_on(instance: Instance, name: str, grid: int) -> Verdict:
    space = discretize(instance, grid)
    static = constructions.get("t*", instance).on(space)
    rule = constructions.get(name, instance).on(space)
    audit = audit_mechanism(space.values, rule)
    gains = np.where(rule.allocation, space.gains, np.inf).min(axis=0)
    inefficient = gains < np.maximum(space.gains.max(axis=0), 0.0) - 10.0 * tie_of(space.gains, 1e-10)
    violation = "" if audit.passed else audit.explain()
    if inefficient.any():
        state = tuple(int(t) for t in np.argwhere(inefficient)[0])
        violation = "sold to a lower value at " + state_text(space.signals_at(state))
    wins = [float(m.welfare(space.gains, space.seller)) for m in (rule, static)]
    room = Hypothesis(
        "the boundary goes on beyond the last point where t* binds (states gained, negated)",
        0.0 if wins[0] > wins[1] else 1.0,
        0.0,
        "nowhere on this grid" if wins[0] <= wins[1] else "",
    )
    return Verdict(
        "Z-Section-3.3",
        "Zik, section 3.3",
        f"{instance.name}, {name}",
        (*assumptions(instance)[:2], room),
        f"welfare of the sequential rule against t* on {grid} points per signal",
        wins[0],
        Relation.MORE,
        wins[1],
        WELFARE,
        violation,
        f"sold {rule.sold:.4f} against {static.sold:.4f}",
    )


def section_3_4(quick: bool) -> list[Verdict]:
    """Section 3.4, open in the paper: does sequential timing beat the constrained efficient static rule?"""
    jmmz, linear = catalogue.load("jmmz"), catalogue.load("linear")
    cases = [jmmz, reversed_signals(jmmz)]
    cases += [] if quick else [linear, reversed_signals(linear)]
    return [_section_3_4_on(instance, (4, 6) if quick else (4, 6, 8, 10)) for instance in cases]


def _section_3_4_on(instance: Instance, grids: tuple[int, ...]) -> Verdict:
    rows = []
    for grid in grids:
        space = discretize(instance, grid)
        rows.append((second_best(space, SEQUENTIAL)[0], second_best(space, STATIC)[0], space.first_best))
    series = "; ".join(
        f"{g}: {s:.5f} against {t:.5f}, first best {f:.5f}" for g, (s, t, f) in zip(grids, rows, strict=True)
    )
    strictly = sum(s > t + WELFARE for s, t, _ in rows)
    answer = f"strictly better on {strictly} of {len(grids)} grids" if strictly else "no better on any grid"
    return Verdict(
        claim="Z-Section-3.4",
        citation="Zik, section 3.4 (open)",
        instance=f"{instance.name}, {', '.join(buyer.signals[0] for buyer in instance.buyers)} first",
        hypotheses=(),
        quantity=f"sequential second best against the static one on {grids[-1]} points per signal",
        computed=rows[-1][0],
        relation=Relation.AT_LEAST,
        theoretical=rows[-1][1],
        tolerance=WELFARE,
        note=f"sequential timing is {answer}; finite grids' figures, not the continuum's: {series}",
    )


def randomization(quick: bool) -> list[Verdict]:
    """Appendix A: randomizing does not help statically; the linear relaxation of the program has the same optimum."""
    cases = [(catalogue.load("privatization"), 8), (catalogue.load("jmmz"), 4)]
    cases += [(random_instance(seed, buyers=2), 3 if quick else 4) for seed in range(1 if quick else 4)]
    cases.append((catalogue.load("three-buyers"), 2 if quick else 3))
    return [_randomization_on(instance, grid) for instance, grid in cases]


def _randomization_on(instance: Instance, grid: int) -> Verdict:
    space = discretize(instance, grid)
    deterministic, _ = second_best(space)
    program = assemble(space, build_blocks(space, (STATIC,) * space.n)).program
    return Verdict(
        claim="Z-Appendix-A-randomization",
        citation="Zik, Appendix A, and total unimodularity for two buyers",
        instance=instance.name,
        hypotheses=(Hypothesis("one or two buyers (the number beyond)", float(max(space.n - 2, 0))),),
        quantity=f"best randomized rule on {grid} points per signal against the best deterministic one",
        computed=linear_value(program),
        relation=Relation.EQUAL,
        theoretical=deterministic,
        tolerance=WELFARE,
        note="" if space.n <= 2 else "with three buyers the rows are not totally unimodular",
    )


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
