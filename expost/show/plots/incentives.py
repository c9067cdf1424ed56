"""Which type is kept from imitating which, and what that costs: the flow on the precedence of one buyer's rule.

The multiplier of ``q(b) <= q(a)`` is the shadow price of keeping type ``a``, whose value is higher, from
imitating ``b``.
Multipliers are summed over the states of the others; a variable that stands for a group of equal types hands the flow
that enters it on in proportion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from expost._typing import Float, Place
from expost.errors import InputError
from expost.runs.run import Run
from expost.show.plots.style import ACCENT, MUTED, colour, named, new_axes, tidy, titled
from expost.show.plots.terms import buyer_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARROWS = 16
"""Arrows at most: the constraints that cost most."""


def incentive_costs(run: Run, buyer: int) -> Float:
    """What each incentive constraint of a buyer costs (unit: expected welfare), shape (T_i, T_i): row ``a`` is
    kept from imitating column ``b``.

    Raises InputError for a run without a certificate.
    """
    if run.certificate is None:
        raise InputError("a run without a certificate", where="incentives", expected="multipliers to read")
    block, program = run.formulation.blocks[buyer], run.formulation.program
    start, stop = program.blocks[buyer], program.blocks[buyer + 1]
    inside = (program.tails >= start) & (program.tails < stop)
    flow = run.certificate.arcs[inside].astype(np.float64) * 2.0**-run.certificate.scale_exponent
    tails, heads = program.tails[inside] - start, program.heads[inside] - start
    types = block.index.shape[buyer]
    owner = np.full(block.size, -1, dtype=np.intp)
    own = np.broadcast_to(
        np.arange(types).reshape([-1 if k == buyer else 1 for k in range(block.index.ndim)]),
        block.index.shape,
    )
    owner[block.index] = own
    costs = np.zeros((types, types))
    direct = (owner[tails] >= 0) & (owner[heads] >= 0)
    np.add.at(costs, (owner[heads[direct]], owner[tails[direct]]), flow[direct])
    _through_gates(costs, owner, tails, heads, flow)
    return costs


def _through_gates(costs: Float, owner: Place, tails: Place, heads: Place, flow: Float) -> None:
    """Add what passes through variables that stand for groups: a member's flow into one leaves it in proportion."""
    from scipy.sparse import csr_array

    gates = np.flatnonzero(owner < 0)
    if not len(gates):
        return
    place = np.full(len(owner), -1, dtype=np.intp)
    place[gates] = np.arange(len(gates))
    into, out = (owner[tails] >= 0) & (owner[heads] < 0), (owner[tails] < 0) & (owner[heads] >= 0)
    between = (owner[tails] < 0) & (owner[heads] < 0)
    count, types = len(gates), len(costs)
    enters = csr_array((flow[into], (place[heads[into]], owner[tails[into]])), (count, types))
    leaves = csr_array((flow[out], (place[tails[out]], owner[heads[out]])), (count, types))
    onward = csr_array((flow[between], (place[tails[between]], place[heads[between]])), (count, count))
    left: Float = np.asarray(leaves.sum(axis=1) + onward.sum(axis=1)).ravel()
    share = np.divide(1.0, left, out=np.zeros(count), where=left > 0.0)[:, None]
    leaves, onward, carried = leaves.multiply(share).tocsr(), onward.multiply(share).tocsr(), enters
    for _ in range(count + 1):  # groups of groups: few steps, each hands on what came through the last
        costs += (leaves.T @ carried).toarray()
        if not onward.nnz:
            break
        carried = csr_array(onward.T @ carried)
        if not carried.nnz or float(abs(carried).sum()) <= 1e-15:
            break


def plot_incentives(run: Run, buyer: str | int | None = None, *, ax: Axes | None = None) -> Axes:
    """The costliest incentive constraints of a buyer as arrows between his types, from who is kept to whom he would
    imitate; thicker where it costs more (unit: expected welfare), summed over the others' signals.

    Over his first two signals; types that differ only in further ones are drawn as one. Raises InputError as
    ``incentive_costs``.
    """
    from matplotlib.patches import FancyArrowPatch

    i = buyer_of(run, buyer)
    costs = incentive_costs(run, i)
    ax = new_axes(ax, (4.8, 4.3))
    own = run.instance.buyers[i]
    columns = [run.space.types[i][name] for name in own.signals[:2]]
    if len(columns) == 1:
        columns.append(np.zeros(len(columns[0])))
    at, places = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    merged = np.zeros((len(at), len(at)))
    np.add.at(merged, (places.ravel()[:, None], places.ravel()[None, :]), costs)
    np.fill_diagonal(merged, 0.0)
    total, order = merged.sum(), np.argsort(merged, axis=None)[::-1][:ARROWS]
    weight = merged.sum(axis=1)
    size = 8 + 60 * weight / (weight.max() or 1.0)
    ax.scatter(at[:, 0], at[:, 1], s=size, color=MUTED, alpha=0.55, linewidths=0, zorder=1)
    drawn = 0.0
    for flat in order:
        a, b = np.unravel_index(int(flat), merged.shape)
        if merged[a, b] <= 0.0:
            break
        drawn += merged[a, b]
        width = 0.5 + 2.0 * merged[a, b] / merged.max()
        ax.add_patch(
            FancyArrowPatch(
                tuple(at[a]), tuple(at[b]), arrowstyle="-|>", mutation_scale=7 + 2 * width, linewidth=width,
                color=ACCENT if i else colour(0)[0], alpha=0.8, shrinkA=2, shrinkB=2,
                connectionstyle="arc3,rad=0.08",
            )
        )  # fmt: skip
    ax.set_xlabel(named(own.signals[0]))
    if len(own.signals) > 1:
        ax.set_ylabel(named(own.signals[1]))
    else:
        ax.set_yticks([])
    ax.margins(0.08)
    share = (
        f"the {min(len(order), int((merged > 0).sum()))} costliest pairs, {drawn / total:.0%} of {total:.3g}"
        if total
        else "no incentive constraint costs anything"
    )
    titled(
        tidy(ax),
        f"whom buyer {named(own.name)} is kept from imitating",
        f"{share}; dots: what keeping each type costs in all",
    )
    return ax
