"""Programs with tiny weights, brought to ordinary size by a power of two, and their answers brought back.

Solvers work in float64 and in scaled integers; weights near the lower end of float64 leave them no room. Multiplying by
a power of two is exact upwards, denormal weights included, so the integers of a certificate are the same ones: only its
exponent moves. Large weights need nothing of the kind: a coarser integer scale serves them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from expost.solver.program import Program
from expost.solver.progress import Progress, ProgressCallback
from expost.solver.result import Certificate, Solution

ORDINARY = -256
"""Weights are tiny when the largest is below ``2**ORDINARY``."""

VALUES = ("linear_bound", "linear_value")
"""What solvers report among their details in the unit of the objective."""

CORES = ("allowance", "bound")
"""Likewise for each core: of these the first is a difference."""


@dataclass(frozen=True)
class Magnified:
    """A program times ``2**shift`` without its constant, and the way back. shift: 0 for ordinary programs."""

    original: Program
    program: Program
    shift: int

    def back(self, value: float, *, constant: bool = True) -> float:
        """A value of the magnified program in the original's unit, never rounded downwards."""
        if not self.shift or not math.isfinite(value):
            return value
        small = math.ldexp(value, -self.shift)
        if math.ldexp(small, self.shift) < value:
            small = math.nextafter(small, math.inf)
        if not constant or self.original.constant == 0.0:
            return small
        return math.nextafter(self.original.constant + small, math.inf)

    def solution(self, solution: Solution) -> Solution:
        """The answer to the original program."""
        if not self.shift:
            return solution
        certificate = solution.certificate
        if isinstance(certificate, Certificate):
            grain = certificate.grain
            certificate = replace(
                certificate,
                scale_exponent=certificate.scale_exponent + self.shift,
                grain=None if grain is None else replace(grain, exponent=grain.exponent + self.shift),
            )
        return replace(
            solution,
            bound=self.back(solution.bound),
            certificate=certificate,
            details=self._details(solution.details),
        )

    def progress(self, tell: ProgressCallback | None) -> ProgressCallback | None:
        """A callback for the magnified program that tells of the original."""
        if tell is None or not self.shift:
            return tell

        def told(seen: Progress) -> None:
            tell(replace(seen, bound=self.back(seen.bound), incumbent=self.back(seen.incumbent)))

        return told

    def _details(self, details: dict[str, Any]) -> dict[str, Any]:
        """Details with values in the original's unit."""
        moved = dict(details)
        for name in VALUES:
            if isinstance(moved.get(name), float):
                moved[name] = self.back(moved[name])
        if "scale_exponent" in moved:
            moved["scale_exponent"] += self.shift
        if "cores" in moved:
            allowance, bound = CORES
            moved["cores"] = [
                core | {bound: self.back(core[bound]), allowance: self.back(core[allowance], constant=False)}
                for core in moved["cores"]
            ]
        return moved


def magnified(program: Program) -> Magnified:
    """The program at ordinary size: itself, unless all its weights are tiny."""
    largest = float(np.abs(program.weights).max(initial=0.0))
    exponent = math.frexp(largest)[1]
    if largest == 0.0 or exponent >= ORDINARY:
        return Magnified(program, program, 0)
    return Magnified(
        program, replace(program, weights=np.ldexp(program.weights, -exponent), constant=0.0), -exponent
    )
