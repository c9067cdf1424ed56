"""What a bracket says: each bound with its method, kind, error and confidence; estimates kept apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from expost._shown import Shown, apart
from expost._typing import Array
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.spaces.quantile_space import QuantileSpace

if TYPE_CHECKING:
    import pandas as pd

RIGOROUS = "rigorous"
STATISTICAL = "statistical"
LOWER, UPPER = "lower", "upper"


@dataclass(frozen=True)
class Bound:
    """One bound on the continuum second best (unit: expected welfare).

    value: the bound itself, with ``error`` already taken off (lower) or put on (upper).
    kind: ``rigorous``, or ``statistical``: it fails with probability at most 1 - ``confidence`` (Student's t over
    independent replicates).
    estimate: what ``value`` would be without the error. method: in words. seconds: when it was known.
    """

    side: str
    value: float
    method: str
    kind: str
    estimate: float
    error: float
    confidence: float
    seconds: float

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "value": self.value,
            "method": self.method,
            "kind": self.kind,
            "estimate": self.estimate,
            "error": self.error,
            "confidence": self.confidence,
            "seconds": self.seconds,
        }

    def better(self, other: Bound | None) -> bool:
        """Whether this bound is tighter than another of the same side."""
        return other is None or (self.value > other.value if self.side == LOWER else self.value < other.value)


@dataclass(frozen=True)
class Estimate:
    """An estimate of the continuum value, never a bound. ``points``: the grids that it rests on."""

    value: float
    method: str
    points: tuple[tuple[int, float], ...]

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "value": self.value,
            "method": self.method,
            "kind": "estimate, not a bound",
            "grids": [{"points": points, "welfare": welfare} for points, welfare in self.points],
        }


class Evidence(ABC):
    """What a bound rests on, so that anybody can evaluate it again without searching for it.

    Statistical evidence has replicates: one number for each seed, about welfare less the first best of the same sample
    (less E[V_0] where it is not ``compared`` with that).
    Rigorous evidence has a value. exact: whether a replicate of the same seed comes out the same on any machine."""

    kind: ClassVar[str]
    compared: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """One replicate (statistical evidence)."""
        raise NotImplementedError

    def value(self, space: QuantileSpace, clock: Clock = ENDLESS, workers: Workers | None = None) -> float:
        """The bound less E[V_0] (rigorous evidence). Raises OutOfTime."""
        raise NotImplementedError

    def finer(self) -> tuple[Evidence, Evidence] | None:
        """The same on few lines, and on these a finer quadrature: what replicates of one seed differ by is its error.
        None where nothing is integrated by one."""
        return None

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Sizes, as JSON values."""

    def arrays(self) -> dict[str, Array]:
        """What was found."""
        return {}


@dataclass(frozen=True, eq=False)
class Proof:
    """The best bound of one side and kind, and what it rests on. spawn_key: of the seed (of the bracket) whose children
    gave the replicates, in their order; None is one that ran out of time. repeatable: whether they come again from
    these; those of an earlier version's shadow prices do not, whose states were compared with another rule."""

    bound: Bound
    evidence: Evidence
    spawn_key: tuple[int, ...] = ()
    replicates: tuple[float | None, ...] = ()
    repeatable: bool = True


@dataclass(frozen=True)
class Control:
    """The first best less E[V_0], and E[V_0]: what all statistical bounds are measured against. best, kept: one pair a
    replicate, each from ``points`` states."""

    points: int
    spawn_key: tuple[int, ...]
    confidence: float
    best: tuple[float | None, ...]
    kept: tuple[float | None, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Bounds(Shown):
    """``lower <= W* <= upper`` for the continuum second best W* of an instance.

    history: every bound in the order in which it was found. left_out: which bounds were left out and why.
    mechanism: what attains the lower bound, evaluable at any signals. confidence: with which both statistical sides
    hold together, over all bounds of the history. reached: whether width <= accuracy x upper. proofs: the best bound of
    each side and kind with what it rests on; control: what statistical ones are measured against.
    """

    instance: str
    timing: str
    lower: Bound
    upper: Bound
    accuracy: float
    reached: bool
    confidence: float
    seed: int
    seconds: float
    peak_memory_mb: float
    first: tuple[str, ...] = ()
    history: tuple[Bound, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    left_out: tuple[str, ...] = ()
    mechanism: ContinuumMechanism | None = field(default=None, repr=False)
    proofs: tuple[Proof, ...] = field(default=(), repr=False)
    control: Control | None = field(default=None, repr=False)

    @property
    def width(self) -> float:
        """upper - lower (unit: expected welfare)."""
        return self.upper.value - self.lower.value

    @property
    def estimate(self) -> float | None:
        """What extrapolated grids say, apart from the bounds and without an error bar; None where there is none."""
        return self.estimates[-1].value if self.estimates else None

    @property
    def relative_width(self) -> float:
        """The width as a share of the upper bound's size."""
        return self.width / max(abs(self.upper.value), 1e-300)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what ``expost bracket --json`` prints."""
        return {
            "instance": self.instance,
            "timing": self.timing,
            "first": list(self.first),
            "lower": self.lower.to_dict(),
            "upper": self.upper.to_dict(),
            "width": self.width,
            "relative_width": self.relative_width,
            "accuracy": self.accuracy,
            "reached": self.reached,
            "confidence": self.confidence,
            "seed": self.seed,
            "seconds": self.seconds,
            "peak_memory_mb": self.peak_memory_mb,
            "estimates": [estimate.to_dict() for estimate in self.estimates],
            "left_out": list(self.left_out),
            "history": [{"side": bound.side, **bound.to_dict()} for bound in self.history],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a side."""
        import pandas as pd

        return pd.DataFrame([{"side": bound.side, **bound.to_dict()} for bound in (self.lower, self.upper)])

    def row(self) -> dict[str, str]:
        """One line of a text table: the continuum second best beside grid values."""
        return {
            "mechanism": "second best (continuum)",
            "timing": self.timing,
            "welfare": f"{self.lower.value:.5f} .. {self.upper.value:.5f}",
            "width": f"{100 * self.relative_width:.2g}%",
            "lower": f"{self.lower.method} ({self.lower.kind})",
            "upper": f"{self.upper.method} ({self.upper.kind})",
        }

    def summary(self) -> str:
        """A few lines of text: both sides, what they rest on, what was left out."""
        digits = apart(self.width)
        lines = [
            f"{self.instance}, {self.timing}: {self.lower.value:.{digits}f} <= W* <= {self.upper.value:.{digits}f} "
            f"(width {100 * self.relative_width:.3g}% in {self.seconds:.3g} s)"
        ]
        for bound in (self.lower, self.upper):
            certainty = (
                bound.kind
                if bound.kind == RIGOROUS
                else f"{bound.kind}, error {bound.error:.2g}, confidence {bound.confidence:.4g}"
            )
            lines.append(f"  {bound.side}: {bound.method} ({certainty})")
        lines += [f"  estimate, not a bound: {e.value:.6f} ({e.method})" for e in self.estimates]
        return "\n".join(lines + [f"  left out: {reason}" for reason in self.left_out])
