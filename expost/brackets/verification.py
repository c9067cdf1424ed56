"""Check a saved bracket without any search: files, arithmetic, repeated replicates, and both sides on fresh samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from expost.brackets.effort import EXACT
from expost.brackets.evidence import Sizeless
from expost.brackets.records import LOWER, RIGOROUS, UPPER, Bounds, Control, Proof
from expost.brackets.saved import digests, read_bracket
from expost.brackets.statistics import Limit, allowed, control_confidence, one_sided
from expost.brackets.upper.dual import efficient, first_best
from expost.brackets.workers import Workers
from expost.instances.environment import Instance
from expost.mechanisms.continuum.functions import unsaved
from expost.spaces.quantile_space import QuantileSpace
from expost.tolerances import WELFARE, allowance

REPEATED = 2
"""Replicates that are computed again, of each proof."""
FINER = 8
"""Replicates by which a quadrature is compared with a finer one."""
LITTLE = 0.1
"""Of a bound's error: what a quadrature may be wrong by in any case."""
FRESH = 0.9999
"""Confidence of a comparison with a fresh sample: a right bracket fails it once in some thousand times."""
STATES = 4096
"""At which the mechanism is audited."""


@dataclass(frozen=True)
class Check:
    """One check: what was checked, whether it held, and what was seen. proved: False where nothing could be computed
    again."""

    name: str
    passed: bool
    detail: str
    proved: bool = True


def verify_bracket(
    folder: Path | str, *, seed: int | None = None, jobs: int | None = None, instance: Instance | None = None
) -> tuple[Check, ...]:
    """All checks of the bracket in ``folder``. seed: of the fresh samples; None: one that nobody chose.

    Rigorous bounds are computed again. Of statistical ones the arithmetic is done again, a few replicates are repeated
    from their seeds, and the shadow prices or the mechanism are evaluated on fresh samples, whose limits must not
    contradict the record. instance: the same one, where values are Python functions; without it everything is checked
    that needs no value. Raises InputError when the folder cannot be read as a bracket, or not as one of the instance.
    """
    return tuple(bracket_checks(folder, seed=seed, jobs=jobs, instance=instance))


def bracket_checks(
    folder: Path | str, *, seed: int | None = None, jobs: int | None = None, instance: Instance | None = None
) -> Iterator[Check]:
    """The checks of ``verify_bracket``, one after the other."""
    bracket, stated = read_bracket(folder, instance)
    yield from _checks(bracket, stated, Path(folder), np.random.SeedSequence(seed), Workers(jobs))


def _checks(
    bracket: Bounds, stated: dict[str, str], folder: Path, fresh: np.random.SeedSequence, workers: Workers
) -> Iterator[Check]:
    yield _files(stated, digests(folder))
    yield _statement(bracket)
    yield _confidence(bracket)
    mechanism, control = bracket.mechanism, bracket.control
    assert mechanism is not None and control is not None
    space = mechanism.space
    yield _own(bracket, space)
    best, kept = (one_sided(list(values), control.confidence) for values in (control.best, control.kept))
    size = _size(control.best, control.kept)
    exact = EXACT * min(bracket.accuracy * abs(bracket.upper.value), bracket.width)
    missing = unsaved(space.stated)
    if missing:
        for proof in bracket.proofs:
            if proof.bound.kind != RIGOROUS:
                yield _arithmetic(proof, best, kept, space.normalization.error, size)
        detail = f"{', '.join(missing)}: Python functions; with the instance given all is computed again"
        yield Check("values", True, detail, proved=False)
        return
    audit = mechanism.audit(STATES, seed=int(fresh.generate_state(1)[0]))
    yield Check("mechanism", audit.passed, audit.explain())
    yield _control(bracket, control, space, fresh.spawn(1)[0], workers)
    for proof in bracket.proofs:
        if proof.bound.kind == RIGOROUS:
            yield _rigorous(proof, space, kept, size, workers)
        else:
            yield _arithmetic(proof, best, kept, space.normalization.error, size)
            if proof.replicates:
                yield _repeated(proof, bracket.seed, space, size, fresh.spawn(1)[0], workers)
                yield from _quadrature(proof, exact, space, size, fresh.spawn(1)[0], workers)
                yield _fresh(proof, space, size, fresh.spawn(1)[0], workers)


def _files(stated: dict[str, str], found: dict[str, str]) -> Check:
    wrong = sorted(name for name in stated.keys() | found.keys() if stated.get(name) != found.get(name))
    detail = f"{len(found)} files as recorded" if not wrong else f"not as recorded: {', '.join(wrong)[:200]}"
    return Check("files", not wrong, detail)


def _statement(bracket: Bounds) -> Check:
    """The bounds stated are those proved, the best of the history, and width and verdict follow from them."""
    broken = []
    for side, stated in (("lower", bracket.lower), ("upper", bracket.upper)):
        proved = [proof.bound for proof in bracket.proofs if proof.bound.side == side]
        if stated not in proved or any(bound.better(stated) for bound in proved):
            broken.append(f"the {side} bound is not the best that is proved")
        if stated not in bracket.history or any(
            bound.side == side and bound.better(stated) for bound in bracket.history
        ):
            broken.append(f"the {side} bound is not the best of the history")
    if bracket.reached != (bracket.width <= bracket.accuracy * abs(bracket.upper.value)):
        broken.append("reached does not follow from the width")
    if not bracket.lower.value <= bracket.upper.value:
        broken.append("the bounds cross")
    text = f"{bracket.lower.value:.6g} <= W* <= {bracket.upper.value:.6g}"
    return Check("statement", not broken, "; ".join(broken) or text)


CONTROLS = ("first best", "never sell")
"""Bounds that are known as well as the control."""


def _confidence(bracket: Bounds) -> Check:
    """No bound may fail more often than its place in the history and the confidence of the whole allow. What ran out of
    time has no place there: later ones may then fail less often than is asked of them here."""
    assert bracket.control is not None
    first = control_confidence(bracket.confidence)
    passed = 0.0 < bracket.confidence < 1.0 and first <= bracket.control.confidence < 1.0
    shares = allowed(bracket.confidence)
    for bound in bracket.history:
        if bound.kind != RIGOROUS:
            least = first if bound.method in CONTROLS else shares.next(bound.side)
            passed = passed and least <= bound.confidence < 1.0
    return Check("confidence", passed, f"{bracket.confidence:.9g}, shared by {len(bracket.history)} bounds")


def _own(bracket: Bounds, space: QuantileSpace) -> Check:
    """The instance and the timing of the record are those of the mechanism."""
    words = ["static" if place is None else "sequential" for place in space.first]
    timing = words[0] if len(set(words)) == 1 else ",".join(words)
    first = tuple(
        space.instance.buyers[i].signals[place] for i, place in enumerate(space.first) if place is not None
    )
    same = (bracket.instance, bracket.timing, bracket.first) == (space.instance.name, timing, first)
    return Check("instance", same, f"{space.instance.name}, {timing}" + (f", {first} first" if first else ""))


def _control(
    bracket: Bounds, control: Control, space: QuantileSpace, fresh: np.random.SeedSequence, workers: Workers
) -> Check:
    """First best and E[V_0]: a few replicates repeated, and both against a fresh sample."""
    count = len(control.best)
    at = _chosen(fresh, control.best)
    seeds = _children(bracket.seed, control.spawn_key, count)
    again = workers.map(partial(efficient, space=space, points=control.points), [seeds[k] for k in at])
    size = _size(*zip(*again, strict=True))
    same = all(
        _close(pair, (control.best[k], control.kept[k]), size) for k, pair in zip(at, again, strict=True)
    )
    best, kept, _ = first_best(space, FRESH, fresh, points=min(control.points, 1 << 14), workers=workers)
    limits = [one_sided(list(values), FRESH) for values in (control.best, control.kept)]
    near = all(
        abs(old.mean - new.mean) <= _slack(old, new, size)
        for old, new in zip(limits, (best, kept), strict=True)
    )
    detail = f"first best {limits[0].mean + limits[1].mean:.6g}, fresh {best.mean + kept.mean:.6g}"
    return Check("first best", same and near and count > 1, detail)


def _rigorous(proof: Proof, space: QuantileSpace, kept: Limit, size: float, workers: Workers) -> Check:
    """The bound, computed again: the same, or of an earlier version, which had other cells, no looser. It needs a
    seller's value that does not vary."""
    value = proof.evidence.value(space, workers=workers) + kept.mean
    bound = proof.bound
    again = (
        value
        if proof.repeatable
        else min(value, bound.value)
        if bound.side == LOWER
        else max(value, bound.value)
    )
    passed = (
        _close((again, bound.value), (bound.value, bound.estimate), size) and bound.error == kept.error == 0.0
    )
    return Check(f"{bound.side}, {bound.method}", passed, f"rigorous: {bound.value:.9g}, again {value:.9g}")


def _arithmetic(proof: Proof, best: Limit, kept: Limit, looseness: float, size: float) -> Check:
    """Estimate, error and value from the replicates that are listed; looseness: of a density's normalization."""
    bound = proof.bound
    limit = _listed(proof, best)
    estimate = limit.mean + kept.mean
    error = limit.error + best.error * proof.evidence.compared + kept.error + abs(estimate) * looseness
    value = estimate - error if bound.side == LOWER else estimate + error
    passed = 0.0 < bound.confidence < 1.0 and _close(
        (estimate, error, value), (bound.estimate, bound.error, bound.value), size
    )
    return Check(f"{bound.side}, {bound.method}", passed, f"from its replicates {value:.9g}")


def _listed(proof: Proof, best: Limit) -> Limit:
    """The limit of the replicates listed; without any, the first best itself or nothing."""
    bound = proof.bound
    if proof.replicates:
        control = best.mean if proof.evidence.compared else 0.0
        return one_sided(list(proof.replicates), bound.confidence).shifted(control)
    if not isinstance(proof.evidence, Sizeless):
        return Limit(math.nan, math.nan, bound.confidence)
    return Limit(0.0 if bound.side == LOWER else best.mean, 0.0, bound.confidence)


def _repeated(
    proof: Proof,
    seed: int,
    space: QuantileSpace,
    size: float,
    fresh: np.random.SeedSequence,
    workers: Workers,
) -> Check:
    """A few replicates from their seeds. Of finite sets with three buyers or more what comes out depends on the time
    that the search had: a bound must only not be below a better one by more than it gained."""
    bound, count = proof.bound, len(proof.replicates)
    at = _chosen(fresh, proof.replicates)
    seeds = _children(seed, proof.spawn_key, count)
    if not proof.evidence.exact and space.n > 2:
        return Check(f"{bound.side}, repeated", True, "depends on the time that a search had: not repeated")
    if not proof.repeatable:
        detail = "of a version that drew states otherwise: not repeated"
        return Check(f"{bound.side}, repeated", True, detail, proved=False)
    again = workers.map(partial(proof.evidence.replicate, space=space), [seeds[k] for k in at])
    same = bool(at) and _close(again, [proof.replicates[k] for k in at], size)
    return Check(f"{bound.side}, repeated", same, f"replicates {', '.join(str(k) for k in at)} of {count}")


def _quadrature(
    proof: Proof,
    exact: float,
    space: QuantileSpace,
    size: float,
    fresh: np.random.SeedSequence,
    workers: Workers,
) -> Iterator[Check]:
    """Where lines are integrated along: on the same ones, the bound is no tighter than by a finer quadrature, but for
    ``exact``, which a search lets it be wrong by, or little beside its own error."""
    bound, pair = proof.bound, proof.evidence.finer()
    if pair is None:
        return
    # seeds remember what was drawn from them: each its own copy
    coarse, fine = (
        np.array(workers.map(partial(one.replicate, space=space), deepcopy(fresh).spawn(FINER)))
        for one in pair
    )
    better = one_sided(list(fine - coarse if bound.side == UPPER else coarse - fine), FRESH)
    passed = better.mean - better.error <= max(exact, LITTLE * bound.error) + allowance(WELFARE, size)
    detail = f"better than a finer one of the same lines by {better.mean:.2g}, +- {better.error:.2g}"
    yield Check(f"{bound.side}, quadrature", passed, detail)


def _fresh(
    proof: Proof, space: QuantileSpace, size: float, fresh: np.random.SeedSequence, workers: Workers
) -> Check:
    """The same evidence on fresh samples: the means agree within their errors."""
    bound, count = proof.bound, len(proof.replicates)
    one = partial(proof.evidence.replicate, space=space)
    new = one_sided(workers.map(one, fresh.spawn(max(4, count // 2))), FRESH)
    old = one_sided(list(proof.replicates), FRESH)
    passed = abs(old.mean - new.mean) <= _slack(old, new, size)
    detail = f"less the first best {old.mean:.6g}, on fresh samples {new.mean:.6g} +- {new.error:.2g}"
    return Check(f"{bound.side}, fresh samples", passed, detail)


def _size(*figures: Sequence[float | None]) -> float:
    """Of an instance's welfare, for what rounding is relative to: that of the first best less E[V_0], and of E[V_0]. Of
    several replicates a middle one, which a few wrong ones do not make large."""
    found = [sorted(abs(value) for value in values if value is not None) for values in figures]
    return sum(values[len(values) // 2] for values in found if values)


def _slack(old: Limit, new: Limit, size: float) -> float:
    """How far two means may lie apart: both errors, and rounding."""
    return old.error + new.error + allowance(WELFARE, size, old.mean)


def _chosen(fresh: np.random.SeedSequence, values: Sequence[float | None]) -> list[int]:
    there = [k for k, value in enumerate(values) if value is not None]
    rng = np.random.default_rng(fresh)
    return sorted(int(k) for k in rng.choice(there, min(REPEATED, len(there)), replace=False))


def _children(seed: int, key: tuple[int, ...], count: int) -> list[np.random.SeedSequence]:
    """The seeds of a proof's replicates."""
    return np.random.SeedSequence(seed, spawn_key=key).spawn(count)


def _close(found: Sequence[float], stated: Sequence[float | None], size: float) -> bool:
    """Whether figures agree up to rounding of a welfare of this size."""
    return all(
        other is not None and abs(one - other) <= allowance(WELFARE, size, one, other)
        for one, other in zip(found, stated, strict=True)
    )
