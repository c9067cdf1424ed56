"""The independent checker of certificates: integers only, one pass, no code shared with any solver.

A certificate (see ``expost.solver.result.Certificate``) is a vector of non-negative integers, one for
each row of a program, and perhaps for inequalities that follow from its rows. By weak duality it proves an
upper bound on every feasible rule; the checker recomputes that bound, and the value of a rule, from the program alone.
Nothing here raises on a bad
certificate: what is wrong with it is reported in words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from expost._typing import Bool, Float, Int32, Int64
from expost.solver.cases import tree_bound
from expost.solver.half_sums import Derived, derive, malformed
from expost.solver.multiples import multiple_below
from expost.solver.program import FREE, Program
from expost.solver.result import Certificate

if TYPE_CHECKING:
    from expost.solver.rows import Rows

SAFE = 1 << 62
"""Half of what int64 holds."""

OVERFLOW = "reduced weights that may not fit into int64"

LARGEST_EXPONENT = 1200
"""The smallest float64 is 2**-1074: scales beyond 2**1200 either way leave nothing of int64 or of the weights."""


@dataclass(frozen=True)
class CertificateReport:
    """What a certificate proves about a program, and about a rule if one was given.

    valid: the multipliers have the right shapes and signs, and the arithmetic stayed in range.
    integer_bound, integer_value: in units of ``2**-scale_exponent``, without the program's constant.
    violations: rows and fixings that the rule breaks (None without a rule).
    proves_optimal: the rule is feasible and its integer value equals the integer bound.
    upper_bound: on the optimum of the program as stated, in the unit of the weights, the constant and
    everything that rounding to integers can hide included (infinite when not valid).
    reasons: one line for each thing that is wrong.
    """

    valid: bool
    integer_bound: int | None
    integer_value: int | None
    violations: int | None
    proves_optimal: bool
    upper_bound: float
    reasons: tuple[str, ...]


def check(
    program: Program,
    certificate: Certificate,
    x: NDArray[np.generic] | None = None,
    rows: Rows | None = None,
) -> CertificateReport:
    """Recompute the bound that ``certificate`` proves, and whether the rule ``x`` attains it.

    x: 0/1 vector of shape (variables,), or None to check the bound alone. rows: ``Rows(program)``, where many
    certificates of programs with the same rows are checked. Never raises on wrong shapes, types, signs or sizes: those
    make the report invalid, with reasons.
    """
    reasons = _malformed(program, certificate)
    scaled = None if reasons else _scaled(program, certificate.scale_exponent, reasons)
    weights = None if scaled is None else scaled.weights
    bound = None if rows is None or weights is None else rows.bound(certificate, weights)
    if bound is None and weights is not None:
        cuts = None if certificate.cuts is None else derive(program, certificate.cuts)
        reduced = _reduced(program, certificate, weights, cuts, reasons)
        bound = None if reduced is None else _bound(program, certificate, cuts, reduced)
    value, violations = _rule(program, weights, x, rows, reasons)
    upper = math.inf if bound is None or scaled is None else _upper(program, bound, scaled)
    if bound is not None and certificate.tree is not None:
        upper = min(upper, tree_bound(program, certificate.tree, check, reasons))
    if bound is not None and certificate.grain is not None:
        upper = multiple_below(program, certificate.grain, upper, reasons)
    if bound is not None and violations == 0 and value is not None and value > bound:
        reasons.append(f"the rule is worth {value}, more than the bound {bound}")
    proved = bound is not None and violations == 0 and value == bound
    return CertificateReport(bound is not None, bound, value, violations, proved, upper, tuple(reasons))


def _malformed(program: Program, certificate: Certificate) -> list[str]:
    """What is wrong with the certificate before any arithmetic."""
    exponent = certificate.scale_exponent
    reasons = []
    if isinstance(exponent, bool) or not isinstance(exponent, (int, np.integer)):
        reasons.append(f"scale exponent {exponent!r}: expected an integer")
    elif abs(int(exponent)) > LARGEST_EXPONENT:
        reasons.append(f"scale exponent {exponent}: expected at most {LARGEST_EXPONENT} either way")
    rows = {"arcs": program.arcs, "packing": len(program.packing), "covering": len(program.covering)}
    for name, count in rows.items():
        reasons += _malformed_part(name, getattr(certificate, name), count)
    if certificate.cuts is not None:
        reasons += malformed(program, certificate.cuts)
    return reasons


def _malformed_part(name: str, multipliers: object, count: int) -> list[str]:
    """What is wrong with the multipliers of one kind of row."""
    if not isinstance(multipliers, np.ndarray) or multipliers.dtype != np.int64:
        kind = getattr(multipliers, "dtype", type(multipliers).__name__)
        return [f"{name} multipliers of type {kind}: expected int64"]
    if multipliers.shape != (count,):
        return [f"{name} multipliers of shape {multipliers.shape}: expected {(count,)}"]
    if count and int(multipliers.min()) < 0:
        return [f"a negative {name} multiplier ({int(multipliers.min())})"]
    return []


class _Scaled(NamedTuple):
    """The weights in units of ``2**-exponent``: as integers, int64, and what rounding took from each, float64."""

    weights: Int64
    lost: Float
    exponent: int


def _scaled(program: Program, exponent: int, reasons: list[str]) -> _Scaled | None:
    """The weights times ``2**exponent``, or None (with a reason) where that does not fit into int64."""
    with np.errstate(over="ignore", under="ignore"):
        lost = _times_power(program.weights, int(exponent))
        whole = np.rint(lost)
    if not np.abs(whole).max(initial=0.0) < float(SAFE):
        reasons.append(f"weights scaled by 2**{exponent} do not fit into int64")
        return None
    lost -= whole
    return _Scaled(whole.astype(np.int64), lost, int(exponent))


def _times_power(weights: Float, exponent: int) -> Float:
    """``weights * 2**exponent``, rounded once; multiplying is faster, where the factor is a float64."""
    return weights * math.ldexp(1.0, exponent) if abs(exponent) <= 1000 else np.ldexp(weights, exponent)


def _reduced(
    program: Program, certificate: Certificate, weights: Int64, cuts: Derived | None, reasons: list[str]
) -> Int64 | None:
    """The reduced weights, int64 of shape (variables,), or None (with a reason) where they might overflow."""
    if not _fits(program, certificate, weights, cuts):
        reasons.append(OVERFLOW)
        return None
    reduced = weights.copy()
    np.subtract.at(reduced, program.tails, certificate.arcs)
    np.add.at(reduced, program.heads, certificate.arcs)
    for column in program.packing.T:
        np.subtract.at(reduced, column, certificate.packing)
    for column in program.covering.T:
        np.add.at(reduced, column, certificate.covering)
    if cuts is not None and certificate.cuts is not None:
        np.subtract.at(reduced, cuts.variable, cuts.coefficient * certificate.cuts.multiplier[cuts.cut])
    return reduced


def _fits(program: Program, certificate: Certificate, weights: Int64, cuts: Derived | None) -> bool:
    """Whether no reduced weight can leave int64: first over all rows at once, then variable by variable."""
    parts: list[tuple[NDArray[np.integer], NDArray[np.float64]]] = [
        (program.tails[:, None], certificate.arcs.astype(np.float64)),
        (program.heads[:, None], certificate.arcs.astype(np.float64)),
        (program.packing, certificate.packing.astype(np.float64)),
        (program.covering, certificate.covering.astype(np.float64)),
    ]
    if cuts is not None and certificate.cuts is not None:
        large = np.abs(cuts.coefficient) * certificate.cuts.multiplier[cuts.cut].astype(np.float64)
        parts.append((cuts.variable[:, None], large))
    largest = float(np.abs(weights).max()) if len(weights) else 0.0
    if (largest + sum(float(multipliers.sum()) for _, multipliers in parts)) < 0.999 * SAFE:
        return True
    magnitude = np.abs(weights).astype(np.float64)
    for rows, multipliers in parts:
        for column in rows.T:
            magnitude += np.bincount(column, multipliers, minlength=len(magnitude))
    # Each of these float64 sums of positive terms is accurate to far better than one part in 1000; what
    # stays below 2**63 in magnitude is right whatever wraps around on the way to it.
    return bool((magnitude < 2 * SAFE * 0.999).all())


def _bound(program: Program, certificate: Certificate, cuts: Derived | None, reduced: Int64) -> int:
    """The dual bound as a Python integer, whatever its size."""
    best = np.maximum(reduced, 0)
    held = program.fixings != FREE
    if held.any():
        best[held] = np.where(program.fixings[held] == 1, reduced[held], 0)
    rows = program.capacity * _total(certificate.packing) - _total(certificate.covering)
    if cuts is not None and certificate.cuts is not None:
        pairs = zip(cuts.limit.tolist(), certificate.cuts.multiplier.tolist(), strict=True)
        rows += sum(limit * multiplier for limit, multiplier in pairs)
    return rows + _total(best)


def _total(values: Int64) -> int:
    """The exact sum of int64 values as a Python integer: high and low halves cannot overflow apart."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def _rule(
    program: Program,
    weights: Int64 | None,
    x: NDArray[np.generic] | None,
    rows: Rows | None,
    reasons: list[str],
) -> tuple[int | None, int | None]:
    """The integer value of the rule and the rows that it breaks."""
    if x is None:
        return None, None
    if not isinstance(x, np.ndarray) or x.shape != (program.variables,):
        reasons.append(f"a rule of shape {getattr(x, 'shape', None)}: expected {(program.variables,)}")
        return None, None
    if x.dtype.kind not in "biuf" or not ((x == 0) | (x == 1)).all():
        reasons.append("a rule with entries other than 0 and 1")
        return None, None
    won = x.astype(bool)
    if rows is None:
        value, violations = None if weights is None else _total(weights[won]), _broken(program, won)
    else:
        value, violations = rows.value(weights, won)
    if violations:
        reasons.append(f"the rule breaks {violations} rows or fixings")
    return value, violations


def _broken(program: Program, won: Bool) -> int:
    """How many rows and fixings the rule breaks."""
    broken = np.count_nonzero(won[program.tails] > won[program.heads])
    broken += np.count_nonzero(_taken(program.packing, won) > program.capacity)
    broken += np.count_nonzero(_taken(program.covering, won) < 1)
    return int(broken) + _unfixed(program, won)


def _unfixed(program: Program, won: Bool) -> int:
    """How many fixings the rule breaks."""
    held = program.fixings != FREE
    return int(np.count_nonzero(program.fixings[held] != won[held])) if held.any() else 0


def _taken(rows: Int32, won: Bool) -> Int32:
    """How many variables of each row the rule has, int32 (rows,)."""
    taken = np.zeros(len(rows), dtype=np.int32)
    for column in rows.T:
        taken += won[column]
    return taken


def _upper(program: Program, bound: int, scaled: _Scaled) -> float:
    """The bound in the unit of the weights, rounded upwards, with all that the scaling rounded away."""
    lost, exponent = np.maximum(scaled.lost, 0.0), scaled.exponent
    if (program.fixings == 0).any():
        lost[program.fixings == 0] = 0.0
    hidden = math.ceil(float(lost.sum()) * (1.0 + 1e-6)) + (1 if exponent < 0 else 0)
    total, unit = bound + hidden, 1 << abs(exponent)
    try:
        value = total / unit if exponent >= 0 else float(total * unit)
    except OverflowError:
        return math.inf
    return math.nextafter(program.constant + math.nextafter(value, math.inf), math.inf)
