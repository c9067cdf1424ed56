"""Branch and bound with the first-order bound at every node, whose leaves are certificates: a proof without a solver.

A node settles variables (in static timing: the threshold of one fibre lies above or below a type) with all that
follows. Its prices come from some more steps of the first-order method from where its parent stood, the cuts at work;
rounded to integers they prove what the rules of the node are worth at most. A node whose bound is no more than the best
rule is a leaf.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from expost._typing import Float, Int8, Int64
from expost.solver.answers import slack
from expost.solver.certificate import check
from expost.solver.interrupts import stop_if_requested
from expost.solver.nbuyers.chains import Cover, with_cuts
from expost.solver.nbuyers.first_order import FirstOrder, Progressed
from expost.solver.nbuyers.odd_cycles import NO_CUTS, PricedCuts, inequalities
from expost.solver.nbuyers.relaxation import lifted_cuts, lifted_price
from expost.solver.nbuyers.tightening import Tightening
from expost.solver.program import FREE, Program
from expost.solver.reduction import Reduction, implied
from expost.solver.result import Certificate, Tree

STEPS = 600
"""Steps of the first-order method at a node, at most."""

LARGEST = 5_000_000
"""Multipliers of all leaves (40 MB) beyond which a tree is not saved: the bound that is proved without one is kept."""

WEIGHT = 1e3
"""Weight of a settled variable, in units of the mean weight."""

DECIDED = 1e-3
"""Nearer than this to 0 or 1 a variable is not branched on."""


@dataclass(frozen=True, eq=False)
class Node:
    """settled: int8 (variables,), the branchings with what follows. path: the branchings. x, prices: a start."""

    path: tuple[tuple[int, int], ...]
    settled: Int8
    x: Float
    prices: Float


@dataclass(eq=False)
class Branching:
    """One tree over a reduced program. offer: takes every rule that turns up. target: what a leaf has to come down to.

    room: so many leaves are worth their file. leaves: branchings and certificates of the original program.
    """

    program: Program
    original: Program
    reduction: Reduction
    cover: Cover
    cuts: PricedCuts
    balance: float
    target: Callable[[], float]
    offer: Callable[[Int8], None]
    room: int
    leaves: list[tuple[tuple[tuple[int, int], ...], Certificate]] = field(default_factory=list)

    def run(self, root: Node, deadline: float) -> bool:
        """Depth first; whether the tree was finished with few enough leaves before the deadline."""
        open_ = [root]
        while open_:
            if time.monotonic() >= deadline or len(self.leaves) + len(open_) > self.room:
                return False
            stop_if_requested()
            node = open_.pop()
            seen = self.bound(node, deadline)
            certificate = self.certify(node, seen)
            if certificate is not None and self.proves(node, certificate):
                self.leaves.append((node.path, certificate))
                continue
            children = self.branch(node, seen)
            if children is None:
                return False
            open_ += children
        return True

    def bound(self, node: Node, deadline: float) -> Progressed:
        """Some steps with everything settled at its value."""
        chains, settled = self.cover.chains, node.settled[self.cover.variable]
        weight = np.where(settled == FREE, chains.weight, np.where(settled == 1, WEIGHT, -WEIGHT))
        method = FirstOrder.at(
            replace(self.cover, chains=chains._replace(weight=weight)), node.x, node.prices
        )
        method.balance = self.balance
        lifted = (weight - chains.weight)[settled == 1].sum() / self.cover.scale
        target = self.target() - self.program.constant + lifted

        def enough(seen: Progressed) -> str:
            return "proved" if seen.bound < target else "steps" if seen.steps >= STEPS else ""

        return method.run(enough, deadline)

    def certify(self, node: Node, seen: Progressed) -> Certificate | None:
        """The node's prices as a certificate of the original program with the node's branchings."""
        rows, covering = len(self.program.packing), len(self.program.covering)
        fixed = self.reduction.lift(np.maximum(node.settled, 0))
        fixed[self.reduction.kept[node.settled[self.reduction.place] == FREE]] = FREE
        here = replace(self.reduction, fixed=fixed)
        cuts = PricedCuts(self.cuts.sums, seen.prices[len(seen.prices) - len(self.cuts.prices) :])
        priced = lifted_price(
            self.at(node.path), here, seen.prices[:rows], seen.prices[rows : rows + covering], cuts=cuts
        )
        return None if priced is None else priced.certificate

    def at(self, path: tuple[tuple[int, int], ...]) -> Program:
        """The original program with branchings, which are numbered as it numbers its variables."""
        fixed = self.original.fixings.copy()
        for variable, value in path:
            fixed[variable] = value
        return replace(self.original, fixed=fixed)

    def proves(self, node: Node, certificate: Certificate) -> bool:
        """Whether the certificate says that no rule of the node is better than the best."""
        return check(self.at(node.path), certificate).upper_bound <= self.target()

    def branch(self, node: Node, seen: Progressed) -> list[Node] | None:
        """Two nodes, the likelier last; a contradiction leaves one; None where nothing is left to branch on."""
        point = self.cover.point(self.program, seen.x)
        self.offer((point > 0.5).astype(np.int8))
        free = (node.settled == FREE) & (point > DECIDED) & (point < 1.0 - DECIDED)
        if not free.any():
            free = node.settled == FREE
        if not free.any():
            return None
        weight = np.minimum(point, 1.0 - point) * (1e-3 + np.abs(self.program.weights) * self.cover.scale)
        variable = int(np.argmax(np.where(free, weight, -1.0)))
        where = int(self.reduction.kept[np.searchsorted(self.reduction.place, variable)])
        children = []
        for value in (1, 0) if point[variable] < 0.5 else (0, 1):
            fixed = node.settled.copy()
            fixed[variable] = value
            settled = implied(self.program, fixed)
            path = (*node.path, (where, value))
            if settled is None:  # no rules there, which the checker does not see: no tree, then
                return None
            children.append(Node(path, settled, seen.x, seen.prices))
        return children


def branch(
    original: Program,
    reduction: Reduction,
    state: Tightening,
    best: Callable[[], float],
    offer: Callable[[Int8], None],
    deadline: float,
    better: Callable[[], float] = lambda: 0.0,
) -> Tree | None:
    """A tree that proves ``best()``, the value of the best rule, to be the optimum up to the slack of welfares, or that
    no rule is worth ``better()`` more; None where there is none with few leaves before the deadline.
    """
    program, cuts = reduction.program, NO_CUTS if state.best is None else state.best.cuts
    covered = (
        with_cuts(state.base, program, inequalities(program, cuts.sums)) if len(cuts.prices) else state.base
    )
    prices = np.concatenate([state.prices[: len(state.base.chains.limit)], cuts.prices])

    def target() -> float:
        return best() + max(0.5 * slack(original), better())

    size = original.arcs + len(original.packing) + len(original.covering) + len(cuts.prices)
    room = max(LARGEST // max(size, 1), 1)
    run = Branching(program, original, reduction, covered, cuts, state.balance, target, offer, room)
    root = Node((), program.fixings.copy(), state.x, prices)
    if not math.isfinite(best()) or not run.run(root, deadline):
        return None
    return _tree(run.leaves, lifted_cuts(original, reduction, cuts))


def _tree(leaves: list[tuple[tuple[tuple[int, int], ...], Certificate]], cuts: PricedCuts) -> Tree:
    """The leaves' paths as one tree."""
    variable, child, leaf = [-1], [[-1, -1]], [-1]
    for number, (path, _) in enumerate(leaves):
        at = 0
        for where, value in path:
            variable[at] = where
            if child[at][value] < 0:
                child[at][value] = len(variable)
                variable.append(-1)
                child.append([-1, -1])
                leaf.append(-1)
            at = child[at][value]
        leaf[at] = number
    proofs = [certificate for _, certificate in leaves]
    priced = [_none(cuts) if proof.cuts is None else proof.cuts.multiplier for proof in proofs]
    return Tree(
        np.array(variable, dtype=np.int64),
        np.array(child, dtype=np.int64),
        np.array(leaf, dtype=np.int64),
        np.array([proof.scale_exponent for proof in proofs], dtype=np.int64),
        np.stack([proof.arcs for proof in proofs]),
        np.stack([proof.packing for proof in proofs]),
        np.stack([proof.covering for proof in proofs]),
        cuts.sums.start,
        cuts.sums.rows,
        np.stack(priced),
    )


def _none(cuts: PricedCuts) -> Int64:
    return np.zeros(len(cuts.prices), dtype=np.int64)
