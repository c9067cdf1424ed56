"""How hard each stage of a search works: sizes of samples, meshes and evaluations, growing stage by stage."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from expost.brackets.lower.floor import FloorSizes, most_levels
from expost.brackets.lower.line_polish import LinePolishPlan
from expost.brackets.lower.polish import PolishPlan
from expost.brackets.upper.dual import Quadrature
from expost.brackets.upper.dual_cells import CellSizes
from expost.brackets.upper.fibre_lines import LineQuadrature
from expost.brackets.upper.fit import FitPlan, LevelPlan, LinePlan
from expost.brackets.upper.level_fibres import LevelQuadrature
from expost.spaces.quantile_space import QuantileSpace


@dataclass(frozen=True)
class LineEffort:
    """What a stage's shadow prices take where they are fitted and evaluated line by line. mesh: the most nodes."""

    mesh: int
    fit: LinePlan
    size: LineQuadrature


@dataclass(frozen=True)
class Effort:
    """One stage.

    mesh: the most nodes of the shadow prices' mesh; folded: the same of exchangeable buyers on levels of equal value,
    of whose mesh a fit sees a part, where there is time for it.
    along_lines: instead of these, the fit and the quadrature, where two static buyers' signals can be integrated out;
    line_polish: instead of polish. states, replicates_of_sets: size and number of the random finite sets of types.
    points, replicates: a completion's evaluation.
    level_fit, levels: the same where types can lie on levels of equal value.
    """

    mesh: int
    fit: FitPlan
    quadrature: Quadrature
    level_fit: LevelPlan
    levels: LevelQuadrature
    polish: PolishPlan
    points: int
    replicates: int
    states: int = 0
    replicates_of_sets: int = 0
    along_lines: LineEffort | None = None
    line_polish: LinePolishPlan | None = None
    folded: int = 0


FINE_POLISH = LinePolishPlan(
    points=96,
    places=257,
    steps=(250, 150),
    rate=(0.003, 0.0015),
    nodes=33,
    evaluated=2048,
    anew=LinePolishPlan(points=64, places=257),
)
"""Corrections on as many nodes as the strikes have. With 48 types per level these follow the types, with 96 they do
not; steps have to be a quarter as long, and start from where 64 types lead: from 32 and 48 they end 0.0005 lower
(``jmmz``)."""
FINEST_POLISH = replace(FINE_POLISH, points=128, steps=(150, 100), anew=None)

TWO_BUYERS = (
    Effort(
        mesh=700,
        fit=FitPlan(fibres=64, types=1024, rows=16, samples=4, steps=200, refresh=4, rate=(3.0, 0.1)),
        quadrature=Quadrature(replicates=20, fibres=128, types=2048, rows=32, bins=512),
        level_fit=LevelPlan(fibres=256, lines=16, samples=8, steps=200, refresh=1, rate=(3.0, 0.1)),
        levels=LevelQuadrature(fibres=256),
        polish=PolishPlan(points=256, steps=100, rate=(8e-3, 2e-4), nodes=9),
        points=256,
        replicates=10,
        states=20_736,
        replicates_of_sets=6,
        line_polish=LinePolishPlan(points=32, places=97, steps=(200, 100), evaluated=256),
        along_lines=LineEffort(
            mesh=700,
            fit=LinePlan(fibres=64, lines=24, prices=96, samples=8, steps=200, refresh=1, rate=(3.0, 0.1)),
            size=LineQuadrature(replicates=16, fibres=512),
        ),
    ),
    Effort(
        mesh=7_000,
        fit=FitPlan(fibres=128, types=2048, rows=24, samples=8, steps=400, refresh=3, rate=(3.0, 0.03)),
        quadrature=Quadrature(replicates=24, fibres=128, types=16384, rows=64, bins=1024),
        level_fit=LevelPlan(fibres=512, lines=16, samples=8, steps=400, refresh=1, rate=(3.0, 0.03)),
        levels=LevelQuadrature(fibres=256),
        polish=PolishPlan(points=384, steps=300, rate=(1.6e-2, 4e-4), nodes=17),
        points=1024,
        replicates=12,
        states=1_048_576,
        replicates_of_sets=4,
        line_polish=LinePolishPlan(),
        along_lines=LineEffort(
            mesh=7_000,
            fit=LinePlan(fibres=144, lines=32, prices=96, samples=8, steps=400, refresh=1, rate=(3.0, 0.05)),
            size=LineQuadrature(replicates=16, fibres=1024),
        ),
    ),
    Effort(
        mesh=90_000,
        fit=FitPlan(fibres=256, types=2048, rows=24, samples=8, steps=600, refresh=3, rate=(3.0, 0.03)),
        quadrature=Quadrature(replicates=24, fibres=128, types=32768, rows=96, bins=2048),
        level_fit=LevelPlan(fibres=1024, lines=16, samples=8, steps=600, refresh=1, rate=(3.0, 0.02)),
        levels=LevelQuadrature(fibres=512),
        polish=PolishPlan(points=384, steps=500, rate=(8e-3, 1e-4), width=(8e-3, 3e-3)),
        points=1024,
        replicates=12,
        line_polish=FINE_POLISH,
        along_lines=LineEffort(
            mesh=90_000,
            fit=LinePlan(
                fibres=256,
                lines=32,
                prices=128,
                samples=8,
                steps=500,
                refresh=1,
                rate=(3.0, 0.03),
                smoothing=(1e-3, 2e-4),
            ),
            size=LineQuadrature(replicates=16, fibres=1024),
        ),
    ),
    Effort(
        mesh=90_000,
        fit=FitPlan(fibres=512, types=2048, rows=32, samples=8, steps=1200, refresh=3, rate=(2.0, 0.015)),
        quadrature=Quadrature(replicates=24, fibres=256, types=32768, rows=96, bins=2048),
        level_fit=LevelPlan(fibres=1024, lines=32, samples=8, steps=1200, refresh=1, rate=(2.0, 0.015)),
        levels=LevelQuadrature(fibres=512),
        polish=PolishPlan(points=512, steps=800, rate=(4e-3, 1e-4), width=(5e-3, 2e-3)),
        points=1024,
        replicates=16,
        line_polish=FINEST_POLISH,
        along_lines=LineEffort(
            mesh=90_000,
            fit=LinePlan(
                fibres=256,
                lines=48,
                prices=128,
                samples=8,
                steps=1000,
                refresh=1,
                rate=(1.5, 0.015),
                smoothing=(1e-3, 1e-4),
            ),
            size=LineQuadrature(replicates=16, fibres=2048),
        ),
    ),
    Effort(
        mesh=1_200_000,
        fit=FitPlan(fibres=1024, types=4096, rows=48, samples=6, steps=800, refresh=3, rate=(2.0, 0.02)),
        quadrature=Quadrature(replicates=24, fibres=512, types=32768, rows=128, bins=4096),
        level_fit=LevelPlan(fibres=2048, lines=32, samples=8, steps=1200, refresh=1, rate=(2.0, 0.015)),
        levels=LevelQuadrature(fibres=1024),
        polish=PolishPlan(points=768, steps=1000, rate=(4e-3, 1e-4), width=(4e-3, 1.5e-3)),
        points=2048,
        replicates=16,
        line_polish=replace(FINEST_POLISH, rate=(0.002, 0.0007), evaluated=4096),
        along_lines=LineEffort(
            mesh=1_200_000,
            fit=LinePlan(
                fibres=1024,
                lines=64,
                prices=192,
                samples=3,
                steps=300,
                refresh=1,
                rate=(0.5, 0.03),
                smoothing=(3e-4, 1e-4),
            ),
            size=LineQuadrature(replicates=16, fibres=4096),
        ),
    ),
    Effort(
        mesh=1_200_000,
        fit=FitPlan(fibres=1024, types=4096, rows=64, samples=6, steps=2500, refresh=3, rate=(2.0, 0.01)),
        quadrature=Quadrature(replicates=32, fibres=512, types=65536, rows=128, bins=4096),
        level_fit=LevelPlan(fibres=2048, lines=64, samples=8, steps=2500, refresh=1, rate=(2.0, 0.01)),
        levels=LevelQuadrature(fibres=1024),
        polish=PolishPlan(points=1024, steps=2000, rate=(4e-3, 5e-5), width=(3e-3, 1e-3)),
        points=2048,
        replicates=24,
        line_polish=replace(FINEST_POLISH, rate=(0.002, 0.0007), evaluated=4096),
        along_lines=LineEffort(
            mesh=1_200_000,
            fit=LinePlan(
                fibres=1024,
                lines=64,
                prices=192,
                samples=3,
                steps=1200,
                refresh=1,
                rate=(0.3, 0.01),
                smoothing=(2e-4, 5e-5),
            ),
            size=LineQuadrature(replicates=16, fibres=8192),
        ),
    ),
)

MORE_BUYERS = (
    Effort(
        mesh=20_000,
        fit=FitPlan(fibres=256, types=512, rows=16, samples=8, steps=150, refresh=2, rate=(3.0, 0.1)),
        quadrature=Quadrature(replicates=20, fibres=128, types=4096, rows=64, bins=512, wide=8),
        level_fit=LevelPlan(fibres=256, lines=16, samples=8, steps=150, refresh=1, rate=(3.0, 0.2)),
        levels=LevelQuadrature(fibres=64),
        polish=PolishPlan(points=256, steps=400, rate=(1.6e-2, 2e-3), nodes=5),
        points=64,
        replicates=20,
        states=4096,
        replicates_of_sets=6,
    ),
    Effort(
        mesh=600_000,
        fit=FitPlan(fibres=512, types=512, rows=16, samples=8, steps=400, refresh=1, rate=(4.0, 0.1)),
        quadrature=Quadrature(replicates=24, fibres=128, types=8192, rows=64, bins=512, wide=16),
        level_fit=LevelPlan(fibres=512, types=16, samples=8, steps=400, refresh=1, rate=(5.0, 0.1)),
        levels=LevelQuadrature(fibres=128),
        polish=PolishPlan(points=256, steps=600, rate=(1.6e-2, 1e-3), nodes=9),
        points=256,
        replicates=24,
    ),
    Effort(
        mesh=1_700_000,
        folded=6_000_000,
        fit=FitPlan(fibres=1024, types=512, rows=16, samples=6, steps=600, refresh=1, rate=(2.5, 0.05)),
        quadrature=Quadrature(replicates=24, fibres=256, types=8192, rows=64, bins=512, wide=16),
        level_fit=LevelPlan(fibres=1024, types=16, samples=8, steps=800, refresh=1, rate=(5.0, 0.03)),
        levels=LevelQuadrature(fibres=256),
        polish=PolishPlan(points=384, steps=800, rate=(1.2e-2, 2e-4), width=(8e-3, 3e-3), nodes=9),
        points=512,
        replicates=24,
    ),
    Effort(
        mesh=1_700_000,
        folded=6_000_000,
        fit=FitPlan(fibres=1024, types=1024, rows=24, samples=6, steps=2000, refresh=1, rate=(2.0, 0.02)),
        quadrature=Quadrature(replicates=24, fibres=512, types=16384, rows=64, bins=1024, wide=16),
        level_fit=LevelPlan(fibres=1024, types=16, samples=4, steps=2000, refresh=1, rate=(2.5, 0.02)),
        levels=LevelQuadrature(fibres=512),
        polish=PolishPlan(points=512, steps=1500, rate=(8e-3, 1e-4), width=(4e-3, 1.5e-3)),
        points=1024,
        replicates=24,
    ),
)


def efforts(n: int) -> tuple[Effort, ...]:
    """The efforts of a search with ``n`` buyers, stage by stage: with more than two, meshes have more axes and fewer
    nodes on each, and take more samples."""
    return TWO_BUYERS if n < 3 else MORE_BUYERS


PILOT = Quadrature(replicates=4, fibres=128, types=2048, rows=32, bins=512)
"""What shadow prices are compared on."""
LINE_PILOT = LineQuadrature(replicates=2, fibres=256, lines=32, prices=256)
"""The same, line by line."""
EXACT = 0.01
"""What quadrature along lines may be wrong by, of the accuracy."""
LEVEL_PILOT = LevelQuadrature(replicates=4, fibres=128, wide=4)
"""The same on levels of equal value."""
NOISE = Quadrature(replicates=8, fibres=32, types=1024, rows=16, bins=256)
"""What tells whether a rule to compare them with leaves less noise than the first best."""
ESTIMATES = {2: (10_000, 21_000, 66_000, 160_000), 3: (1_000, 6_000, 12_000)}
"""States of the midpoint grids that the estimate extrapolates, by the number of buyers (3: or more)."""
RIGOROUS_STATES = (3e6, 3e7, 3e8, 2e9, 8e9)
"""Pairs of cells that the rigorous upper side compares, ever more."""
RIGOROUS_BOXES = (1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18)
"""Boxes of the others' levels on which the rigorous lower side bounds strikes, ever more."""
MOST_CELLS = 512
"""Cells per level of the shadow prices on the rigorous upper side, at most; of own types 8 times as many, and boxes of
the lower side 4 times."""


def cell_sizes(space: QuantileSpace, states: float) -> CellSizes:
    """The cells of the rigorous upper side: about so many ``states`` of corners by own cells, half of them (in powers)
    for the others' levels; with two buyers less, for what own cells won in part leave open falls more slowly
    (``jmmz``: 64 by 128 cells 0.8495 in 12 processor seconds, 32 by 256 cells 0.8461 in 9)."""
    levels = most_levels(space)
    own, ends = max(space.dims), 2 if space.sequential else 1
    each = states / (space.n * ends * 2**levels)
    mesh = 1 << int(math.log2(max(each ** (0.435 if space.n == 2 and levels > 1 else 0.5), 1.0)) / levels)
    mesh = min(max(mesh, 2), MOST_CELLS)
    per = max(1, min(round((each / mesh**levels) ** (1.0 / own) / mesh), 8 * MOST_CELLS // mesh))
    return CellSizes(mesh, per * mesh, min(4 * per * mesh, 2048) if not space.sequential else 512)


def floor_sizes(space: QuantileSpace, boxes: float) -> FloorSizes:
    """The boxes of the rigorous lower side, about so many, and half as many own cells per level."""
    levels = most_levels(space)
    each = max(2, min(round(boxes ** (1.0 / levels)), 4 * MOST_CELLS))
    return FloorSizes(each, max(each // 2, 8))


CELLS_LOWER = {2: 24, 3: 10, 4: 8, 5: 5, 6: 3}
"""Cells per level of the rigorous lower bound, by the number of signals."""
GRID_LOWER = {2: 330_000, 3: 46_656}
"""States of the grid optimum that a completion starts from, by the number of buyers (3: or more)."""


def grid_points(space: QuantileSpace, states: int) -> int:
    """Points per continuous signal of a grid with about so many states, two at least."""
    counts = [count for own in space.atoms for count in own]
    atoms = math.prod(count for count in counts if count is not None)
    free = sum(count is None for count in counts)
    return max(2, int((states / atoms) ** (1.0 / max(free, 1)) + 1e-9))
