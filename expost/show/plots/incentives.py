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
from expost.show.plots.style import ACCENT, MAP, MUTED, colour, named, new_axes, tidy, titled
from expost.show.plots.terms import buyer_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARROWS = 16
"""Arrows between two types at most: the constraints that cost most."""
MOST_OF_IT = 0.3
"""Where these are a smaller part of the cost than that, they do not say what goes on."""


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
    """Which types of a buyer are kept from imitating which, and what that costs (unit: expected welfare), summed over
    the others' signals.

    The costliest constraints as arrows, from who is kept to whom he would imitate, thicker where it costs more. Where
    these are the smaller part of the cost, one arrow a type instead, towards those he is kept from, on average.
    Over his first two signals; types that differ only in further ones are drawn as one. Raises InputError as
    ``incentive_costs``.
    """
    i = buyer_of(run, buyer)
    ax = new_axes(ax, (4.8, 4.3))
    own = run.instance.buyers[i]
    at, costs = _between_points(run, i)
    total = float(costs.sum())
    pairs = np.argsort(costs, axis=None)[::-1][: min(ARROWS, int((costs > 0.0).sum()))]
    share = float(costs.ravel()[pairs].sum()) / (total or 1.0)
    if not total:
        words = "no incentive constraint costs anything"
    elif share >= MOST_OF_IT:
        _pairs(ax, at, costs, pairs, ACCENT if i else colour(0)[0])
        words = f"the {len(pairs)} costliest pairs, {share:.0%} of {total:.3g}; dots: what keeping a type costs in all"
    else:
        _directions(ax, at, costs)
        words = f"arrows: towards those whom each type is kept from, on average; all costs {total:.3g}"
    ax.set_xlabel(named(own.signals[0]))
    if len(own.signals) > 1:
        ax.set_ylabel(named(own.signals[1]))
    else:
        ax.set_yticks([])
    ax.margins(0.08)
    titled(tidy(ax), f"whom buyer {named(own.name)} is kept from imitating", words)
    return ax


def _between_points(run: Run, i: int) -> tuple[Float, Float]:
    """The points of a buyer's first two signals, (K, 2), and what keeping one from imitating another costs, (K, K)."""
    costs = incentive_costs(run, i)
    columns = [run.space.types[i][name] for name in run.instance.buyers[i].signals[:2]]
    if len(columns) == 1:
        columns.append(np.zeros(len(columns[0])))
    at, places = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    merged = np.zeros((len(at), len(at)))
    np.add.at(merged, (places.ravel()[:, None], places.ravel()[None, :]), costs)
    np.fill_diagonal(merged, 0.0)
    return at, merged


def _pairs(ax: Axes, at: Float, costs: Float, pairs: Place, shade: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    weight = costs.sum(axis=1)
    size = 8 + 60 * weight / (weight.max() or 1.0)
    ax.scatter(at[:, 0], at[:, 1], s=size, color=MUTED, alpha=0.55, linewidths=0, zorder=1)
    for flat in pairs:
        a, b = np.unravel_index(int(flat), costs.shape)
        width = 0.5 + 2.0 * costs[a, b] / costs.max()
        ax.add_patch(
            FancyArrowPatch(
                tuple(at[a]), tuple(at[b]), arrowstyle="-|>", mutation_scale=7 + 2 * width, linewidth=width,
                color=shade, alpha=0.8, shrinkA=2, shrinkB=2, connectionstyle="arc3,rad=0.08",
            )
        )  # fmt: skip


def _directions(ax: Axes, at: Float, costs: Float) -> None:
    weight = costs.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        toward = costs @ at / weight[:, None] - at
    unit = np.ptp(at, axis=0)
    unit[unit == 0.0] = 1.0
    cell = [1.0 / max(len(np.unique(at[:, k])) - 1, 1) for k in range(2)]
    toward = toward / unit
    length = np.hypot(*toward.T)
    drawn = (weight > 0.0) & (length > 0.0)
    toward = toward[drawn] / length[drawn, None] * 0.85 * min(cell) * unit
    ax.scatter(at[:, 0], at[:, 1], s=6, color=MUTED, alpha=0.55, linewidths=0, zorder=1)
    image = ax.quiver(
        *at[drawn].T, *toward.T, weight[drawn], angles="xy", scale_units="xy", scale=1.0, pivot="mid",
        cmap=f"{MAP}_r", width=0.0055, headwidth=4.5, zorder=2,
    )  # fmt: skip
    image.set_clim(0.0, float(weight.max()))
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label("what keeping the type costs", fontsize=9)
    bar.ax.tick_params(labelsize=8)
