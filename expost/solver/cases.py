"""The checker's walk through a proof by cases: every rule belongs to some leaf, and every leaf has its bound.

An inner node splits the rules by one variable. Where that variable is decided already, by the program or further up,
the other side has no rules and needs no child. The bound is the worst leaf's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from expost._typing import Int8
from expost.solver.program import FREE, Program
from expost.solver.result import Certificate, Tree


class Report(Protocol):
    """What of a report on a leaf is asked for."""

    @property
    def valid(self) -> bool:
        """Whether the multipliers prove anything."""

    @property
    def upper_bound(self) -> float:
        """What they prove."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is wrong with them."""


def tree_bound(
    program: Program, tree: Tree, check: Callable[[Program, Certificate], Report], reasons: list[str]
) -> float:
    """The bound that a tree proves; infinite, with a reason, where it leaves a case out or a leaf proves nothing.

    check: the checker of certificates, for the leaves.
    """
    wrong = _malformed(program, tree)
    if wrong:
        reasons.append(wrong)
        return math.inf
    worst, visits = -math.inf, 0
    open_: list[tuple[int, Int8]] = [(0, program.fixings)]
    while open_:
        node, fixed = open_.pop()
        visits += 1
        if visits > len(tree.variable):
            reasons.append("a tree that leads back into itself")
            return math.inf
        if tree.leaf[node] >= 0:
            report = check(replace(program, fixed=fixed), tree.certificate(int(tree.leaf[node])))
            if not report.valid:
                reasons.append(f"leaf {int(tree.leaf[node])} of the tree: {'; '.join(report.reasons)}")
                return math.inf
            worst = max(worst, report.upper_bound)
            continue
        variable = int(tree.variable[node])
        for value in (0, 1):
            if fixed[variable] not in (FREE, value):
                continue
            child = int(tree.child[node, value])
            if child < 0:
                reasons.append(f"a tree without the case {value} of variable {variable}")
                return math.inf
            settled = fixed.copy()
            settled[variable] = value
            open_.append((child, settled))
    return worst


def _malformed(program: Program, tree: Tree) -> str:
    """What is wrong with the arrays of a tree, or nothing."""
    for name in vars(tree):
        array = getattr(tree, name)
        if not isinstance(array, np.ndarray) or array.dtype != np.int64:
            return f"a tree whose {name} is not int64"
    nodes, leaves = tree.variable.shape, tree.exponent.shape
    shapes = len(nodes) == len(leaves) == 1 and tree.leaf.shape == nodes and tree.child.shape == (*nodes, 2)
    kinds = (tree.arcs, tree.packing, tree.covering, tree.cut_multiplier)
    if not shapes or any(part.ndim != 2 or len(part) != leaves[0] for part in kinds) or nodes[0] == 0:
        return "a tree whose arrays do not fit together"
    inner = tree.leaf < 0
    if (tree.leaf >= leaves[0]).any() or (tree.child >= nodes[0]).any():
        return "a tree that points outside itself"
    variable = tree.variable[inner]
    if len(variable) and (variable.min() < 0 or variable.max() >= program.variables):
        return "a tree that splits by a variable that there is not"
    return ""
