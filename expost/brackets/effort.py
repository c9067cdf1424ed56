"""How hard each stage of a search works: sizes of samples, meshes and evaluations, growing stage by stage."""

from __future__ import annotations

from dataclasses import dataclass

from expost.brackets.lower.polish import PolishPlan
from expost.brackets.upper.dual import Quadrature
from expost.brackets.upper.fit import FitPlan


@dataclass(frozen=True)
class Effort:
    """One stage. mesh: the most nodes of the shadow prices' mesh. points: a completion's evaluation, per
    replicate."""

    mesh: int
    fit: FitPlan
    quadrature: Quadrature
    polish: PolishPlan
    points: int
    replicates: int


TWO_BUYERS = (
    Effort(
        700,
        FitPlan(256, 256, 16, 4, 200),
        Quadrature(10, 256, 2048, 32, 512),
        PolishPlan(256, 250, (8e-3, 2e-4)),
        256,
        10,
    ),
    Effort(
        7_000,
        FitPlan(512, 1024, 24, 6, 400),
        Quadrature(16, 512, 8192, 64, 1024),
        PolishPlan(384, 600, (1.6e-2, 2e-4)),
        512,
        12,
    ),
    Effort(
        90_000,
        FitPlan(512, 2048, 32, 8, 700),
        Quadrature(20, 1024, 16384, 96, 2048),
        PolishPlan(512, 800, (8e-3, 1e-4), (6e-3, 2e-3)),
        1024,
        16,
    ),
    Effort(
        90_000,
        FitPlan(512, 4096, 48, 8, 1200, (0.05, 5e-4)),
        Quadrature(24, 1024, 32768, 128, 4096),
        PolishPlan(768, 1000, (4e-3, 1e-4), (4e-3, 1.5e-3)),
        2048,
        16,
    ),
    Effort(
        600_000,
        FitPlan(1024, 4096, 64, 6, 2500, (0.05, 3e-4)),
        Quadrature(32, 2048, 32768, 128, 4096),
        PolishPlan(1024, 2000, (4e-3, 5e-5), (3e-3, 1e-3)),
        2048,
        24,
    ),
)

MORE_BUYERS = (
    Effort(
        20_000,
        FitPlan(512, 256, 16, 16, 800),
        Quadrature(10, 256, 2048, 32, 512),
        PolishPlan(256, 250, (1.6e-2, 2e-4), nodes=5),
        128,
        10,
    ),
    Effort(
        20_000,
        FitPlan(768, 256, 16, 24, 1500, (0.05, 5e-4)),
        Quadrature(16, 512, 2048, 32, 512),
        PolishPlan(256, 600, (1.6e-2, 2e-4), nodes=9),
        256,
        12,
    ),
    Effort(
        90_000,
        FitPlan(1024, 512, 16, 24, 2000, (0.03, 3e-4)),
        Quadrature(16, 512, 4096, 64, 512),
        PolishPlan(384, 800, (8e-3, 1e-4), (6e-3, 2e-3), nodes=9),
        512,
        16,
    ),
    Effort(
        90_000,
        FitPlan(1024, 1024, 24, 24, 3000, (0.02, 2e-4)),
        Quadrature(24, 1024, 4096, 64, 1024),
        PolishPlan(512, 1500, (8e-3, 1e-4), (4e-3, 1.5e-3)),
        1024,
        16,
    ),
)


def stages(n: int) -> tuple[Effort, ...]:
    """The stages of a search with ``n`` buyers: with more than two, meshes have more axes and fewer nodes on each, and
    take more samples."""
    return TWO_BUYERS if n < 3 else MORE_BUYERS


def scaled(size: Quadrature, share: float) -> Quadrature:
    """The same quadrature with about ``share`` of its fibres (a power of two, at least 128)."""
    fibres = size.fibres
    while share < 0.7 and fibres > 128:
        fibres //= 2
        share *= 2.0
    return Quadrature(size.replicates, fibres, size.types, size.rows, size.bins, size.jobs)
