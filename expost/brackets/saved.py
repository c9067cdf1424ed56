"""A bracket as a folder: both sides with what proves them, re-opened and checked without any search.

bracket.json      figures, history, seeds, sizes and replicates of every proof, and the digest of every other file
proofs.npz        the meshes of shadow prices: ``proof_K_mesh``, ``proof_K_ridge``, and the strikes of the rule that
                  they are compared with: ``proof_K_strikes_I``
mechanism.json, mechanism.npz, instance.toml    what attains the lower bound (``mechanisms/continuum/saved.py``)
functions.npz     what values that are Python functions gave in some states, where there are any
proof_K/          the mechanism of another lower bound, less good or rigorous, where there is one
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Array, Float
from expost.brackets.atoms import AtomPrices, AtomRule
from expost.brackets.evidence import (
    CellsWelfare,
    Dual,
    DualCells,
    DualLevels,
    DualLines,
    Floor,
    LineBest,
    LineWelfare,
    Sets,
    Sizeless,
    Welfare,
)
from expost.brackets.lower.floor import FloorSizes
from expost.brackets.records import Bound, Bounds, Control, Estimate, Evidence, Proof
from expost.brackets.upper.basis import ShadowPrices
from expost.brackets.upper.dual import Quadrature
from expost.brackets.upper.dual_cells import CellSizes
from expost.brackets.upper.fibre_lines import LineQuadrature, fibre_signals
from expost.brackets.upper.finite import FiniteSets
from expost.brackets.upper.level_fibres import LevelQuadrature, private_levels
from expost.brackets.upper.lines import LineSizes, line_signal
from expost.brackets.upper.reference import Reference, table_shapes
from expost.brackets.upper.ridge import Ridge, mesh_shape
from expost.errors import InputError
from expost.files import new_folder
from expost.instances.environment import Instance
from expost.instances.functions import marked_toml
from expost.mechanisms.continuum.atoms import AtomMechanism, atom_counts
from expost.mechanisms.continuum.cells import CellMechanism
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.saved import MOST_BYTES, load_mechanism, read_arrays, read_record
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.quantile_space import QuantileSpace

RECORD, PROOFS = "bracket.json", "proofs.npz"
OWN = "own_mechanism"
SCHEMA = 1
DIGESTS = "files"
STATES = "states"
"""Of the others on which a completion was evaluated; other versions have none or others, and drew them otherwise."""
PRICED = (Dual.kind, DualLines.kind, DualLevels.kind, DualCells.kind)
"""Evidence that shadow prices on a mesh give."""


def save_bracket(bracket: Bounds, folder: Path | str) -> Path:
    """Write ``bracket`` into the new folder and return it: whole or not at all.

    Of values that are Python functions what they give in some states is written, by which they are known again.
    Raises InputError when it cannot be written.
    """
    out = Path(folder)
    assert bracket.mechanism is not None and bracket.control is not None
    with new_folder(out) as work:
        bracket.mechanism.save(work)
        arrays: dict[str, Any] = {}
        for k, proof in enumerate(bracket.proofs):
            arrays |= {f"proof_{k}_{name}": array for name, array in proof.evidence.arrays().items()}
            own = _own(proof, bracket)
            if own is not None:
                own.save(work / f"proof_{k}")
        np.savez(work / PROOFS, **arrays)
        record = {
            "schema": SCHEMA,
            **bracket.to_dict(),
            "control": asdict(bracket.control),
            "proofs": [{**_facts(proof), OWN: _own(proof, bracket) is not None} for proof in bracket.proofs],
            DIGESTS: digests(work),
        }
        (work / RECORD).write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return out


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below ``folder`` but the record, by its path there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name != RECORD and not path.is_dir():
            if not path.is_file() or path.is_symlink() or path.stat().st_size > MOST_BYTES:
                raise InputError(f"{name} is no regular file of a bracket", where=str(folder))
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _own(proof: Proof, bracket: Bounds) -> ContinuumMechanism | None:
    """The mechanism of a proof where it is not the bracket's."""
    evidence = proof.evidence
    if (
        not isinstance(evidence, Welfare | LineWelfare | CellsWelfare | Floor | AtomRule)
        or evidence.mechanism is bracket.mechanism
    ):
        return None
    return evidence.mechanism


def _facts(proof: Proof) -> dict[str, Any]:
    return {
        "side": proof.bound.side,
        "bound": proof.bound.to_dict(),
        "evidence": proof.evidence.kind,
        **proof.evidence.facts(),
        "spawn_key": list(proof.spawn_key),
        "values": list(proof.replicates),
        "repeatable": proof.repeatable,
    }


def read_bracket(folder: Path | str, given: Instance | None = None) -> tuple[Bounds, dict[str, str]]:
    """The bracket in ``folder`` and the digests that its record states; nothing is checked against them.

    given: its instance, for the sake of values that are Python functions; without it these have no values.
    Raises InputError when a file is missing, damaged or not one of ours, or the instance is another one.
    """
    path = Path(folder)
    record = read_record(path / RECORD)
    try:
        if record["schema"] != SCHEMA:
            raise ValueError(f"schema {record['schema']}")
        mechanism = load_mechanism(path, given)
        return _rebuilt(path, record, mechanism, given), {str(k): str(v) for k, v in record[DIGESTS].items()}
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}",
            where=str(folder),
            expected="a folder that a bracket was saved in",
        ) from None


def _rebuilt(
    path: Path, record: Mapping[str, Any], mechanism: ContinuumMechanism, given: Instance | None
) -> Bounds:
    space = mechanism.space
    meshes = {
        f"proof_{k}_mesh": _mesh_shape(space, int(facts["nodes"]))
        for k, facts in enumerate(record["proofs"])
        if facts["evidence"] in PRICED
    }
    meshes |= {
        f"proof_{k}_shadow": (math.prod(atom_counts(space)),)
        for k, facts in enumerate(record["proofs"])
        if facts["evidence"] == AtomPrices.kind
    }
    meshes |= {
        f"proof_{k}_ridge": mesh_shape(space.dims, _ridge(space, facts["ridge"])[2])
        for k, facts in enumerate(record["proofs"])
        if facts["evidence"] in PRICED and "ridge" in facts
    }
    meshes |= {
        f"proof_{k}_strikes_{i}": shape
        for k, facts in enumerate(record["proofs"])
        if facts["evidence"] == Dual.kind and "compared" in facts
        for i, shape in enumerate(_compared(space))
    }
    arrays = read_arrays(path / PROOFS, meshes)
    proofs = tuple(
        _proof(facts, _proving(path / f"proof_{k}", facts, mechanism, given), _stored(arrays, k))
        for k, facts in enumerate(record["proofs"])
    )
    control = record["control"]
    history = tuple(_bound(str(facts["side"]), facts) for facts in record["history"])
    return Bounds(
        instance=str(record["instance"]),
        timing=str(record["timing"]),
        lower=_bound("lower", record["lower"]),
        upper=_bound("upper", record["upper"]),
        accuracy=_number(record["accuracy"]),
        reached=bool(record["reached"]),
        confidence=_number(record["confidence"]),
        seed=int(record["seed"]),
        seconds=_number(record["seconds"]),
        peak_memory_mb=float(record["peak_memory_mb"]),
        first=tuple(str(name) for name in record["first"]),
        history=history,
        estimates=tuple(_estimate(facts) for facts in record["estimates"]),
        left_out=tuple(str(line) for line in record["left_out"]),
        mechanism=mechanism,
        proofs=proofs,
        control=Control(
            int(control["points"]),
            tuple(int(key) for key in control["spawn_key"]),
            _number(control["confidence"]),
            tuple(_number(value) for value in control["best"]),
            tuple(_number(value) for value in control["kept"]),
        ),
    )


def _stored(arrays: Mapping[str, Float], k: int) -> dict[str, Float]:
    """What a proof keeps in the archive, by the last word of its name."""
    own = f"proof_{k}_"
    return {name.removeprefix(own): array for name, array in arrays.items() if name.startswith(own)}


def _ridge(space: QuantileSpace, stated: Any) -> tuple[int, int, int]:
    """Both places and the nodes of a ridge. Raises ValueError for what no instance of two static buyers has."""
    if space.n != 2 or space.sequential or not isinstance(stated, list) or len(stated) != 3:
        raise ValueError(f"ridge = {stated!r}")
    for number, most in zip(stated, (space.dims[0] - 1, space.dims[1] - 1, 1 << 12), strict=True):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
            raise ValueError(f"ridge = {stated!r}")
    return stated[0], stated[1], stated[2]


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} among the figures")
    return number


def _bound(side: str, facts: Mapping[str, Any]) -> Bound:
    names = ("value", "estimate", "error", "confidence", "seconds")
    value, estimate, error, confidence, seconds = (_number(facts[name]) for name in names)
    return Bound(side, value, str(facts["method"]), str(facts["kind"]), estimate, error, confidence, seconds)


def _estimate(facts: Mapping[str, Any]) -> Estimate:
    grids = tuple((int(grid["points"]), _number(grid["welfare"])) for grid in facts["grids"])
    return Estimate(_number(facts["value"]), str(facts["method"]), grids)


def _proving(
    path: Path, facts: Mapping[str, Any], mechanism: ContinuumMechanism, given: Instance | None
) -> ContinuumMechanism:
    """The mechanism that a proof speaks of: the bracket's, or its own, of the same instance and timing."""
    if not facts[OWN]:
        return mechanism
    own = load_mechanism(path, given)
    if own.space.first != mechanism.space.first or marked_toml(own.space.stated) != marked_toml(
        mechanism.space.stated
    ):
        raise ValueError(f"{path.name} is about another instance")
    return own


def _proof(facts: Mapping[str, Any], mechanism: ContinuumMechanism, stored: Mapping[str, Float]) -> Proof:
    evidence = _evidence(facts, mechanism, stored)
    return Proof(
        _bound(str(facts["side"]), facts["bound"]),
        evidence,
        tuple(int(key) for key in facts["spawn_key"]),
        tuple(None if value is None else _number(value) for value in facts["values"]),
        bool(facts.get("repeatable", facts["evidence"] != Dual.kind))
        and "cells" not in facts
        and facts.get(STATES) == evidence.facts().get(STATES),
    )


def _evidence(
    facts: Mapping[str, Any], mechanism: ContinuumMechanism, stored: Mapping[str, Float]
) -> Evidence:
    """What the facts of a proof describe. Raises ValueError for an unknown kind and for sizes that are none."""
    kind = facts["evidence"]

    def size(name: str) -> int:
        count = facts[name]
        if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= 1 << 24:
            raise ValueError(f"{name} = {count!r}")
        return count

    if kind == Sizeless.kind:
        return Sizeless()
    if kind == Sets.kind:
        return Sets(FiniteSets(size("points"), size("replicates"), bool(facts["grid"])))
    if kind == AtomPrices.kind:
        return AtomPrices(_prices(stored["shadow"]))
    if kind in PRICED:
        return _dual(facts, mechanism.space, stored, size)
    return _of_mechanism(kind, mechanism, size)


def _of_mechanism(kind: str, mechanism: ContinuumMechanism, size: Callable[[str], int]) -> Evidence:
    """Evidence that a mechanism gives."""
    if kind == Welfare.kind:
        return Welfare(mechanism, size("points"))
    if kind in (LineWelfare.kind, LineBest.kind) and isinstance(mechanism, SoloMechanism):
        sizes = LineSizes(*(size(name) for name in ("rows", "lines", "pieces", "strikes", "evaluated")))
        _in_pairs(sizes.rows, sizes.lines, -(-sizes.evaluated // 16))
        if mechanism.theta.size == 0 or line_signal(mechanism.space, sizes.pieces) is None:
            raise ValueError("lines of an instance that has none")
        return (LineWelfare if kind == LineWelfare.kind else LineBest)(mechanism, sizes)
    if kind == CellsWelfare.kind and isinstance(mechanism, CellMechanism):
        return CellsWelfare(mechanism, size("parts"))
    if kind == Floor.kind and isinstance(mechanism, CompletedMechanism):
        return Floor(mechanism, FloorSizes(size("boxes"), size("own")))
    if kind == AtomRule.kind and isinstance(mechanism, AtomMechanism):
        return AtomRule(mechanism)
    raise ValueError(f"evidence {kind!r} of a mechanism of kind {mechanism.kind!r}")


def _dual(
    facts: Mapping[str, Any],
    space: QuantileSpace,
    stored: Mapping[str, Float],
    size: Callable[[str], int],
) -> Evidence:
    """Shadow prices, evaluated on samples, line by line, on levels of equal value or on cells."""
    ridge = None
    if "ridge" in stored:
        one, other, nodes = _ridge(space, facts["ridge"])
        ridge = Ridge(space.dims, (one, other), nodes, _prices(stored["ridge"]))
    blend = _number(facts.get("blend", 0.0))
    if not 0.0 <= blend <= 1.0 or (blend and facts["evidence"] in (Dual.kind, DualLines.kind)):
        raise ValueError(f"blend = {blend}")
    u = ShadowPrices(
        space.dims, int(facts["nodes"]), _number(facts["floor"]), _prices(stored["mesh"]), ridge, blend
    )
    if facts["evidence"] == DualCells.kind:
        if (
            "cells" in facts
        ):  # of a version that counted every cell at its most favourable corner: these are finer
            return DualCells(u, CellSizes(size("cells"), 4 * size("cells"), 512))
        return DualCells(u, CellSizes(size("mesh"), size("own"), size("bins")))
    if facts["evidence"] == DualLines.kind:
        if fibre_signals(space) is None:
            raise ValueError("lines of an instance that has none")
        lines = LineQuadrature(
            *(size(name) for name in ("replicates", "fibres", "lines", "panels", "prices"))
        )
        _in_pairs(lines.lines)
        if lines.prices < 2:
            raise ValueError(f"prices = {lines.prices}")
        return DualLines(u, lines)
    if facts["evidence"] == DualLevels.kind:
        if private_levels(space) is None or u.nodes < 2 or ridge is not None:
            raise ValueError("levels of equal value of an instance that has none")
        return DualLevels(
            u, LevelQuadrature(*(size(name) for name in ("replicates", "fibres", "lines", "types", "wide")))
        )
    names = ("replicates", "fibres", "types", "rows", "bins", *(["wide"] if "wide" in facts else []))
    rule = None
    if "strikes_0" in stored:
        rule = Reference((_finite(stored["strikes_0"]), _finite(stored["strikes_1"])))
    return Dual(u, Quadrature(**{name: size(name) for name in names}), rule)


def _in_pairs(*counts: int) -> None:
    """Raise ValueError for a number of lines that are not drawn in pairs: odd, and not one alone."""
    for count in counts:
        if count > 1 and count % 2:
            raise ValueError(f"{count} lines in pairs")


def _prices(mesh: Array) -> Float:
    """A mesh of shadow prices: finite and nowhere negative, or it would be no bound."""
    found = np.asarray(mesh, dtype=np.float64)
    if not (np.isfinite(found).all() and (found >= 0.0).all()):
        raise ValueError("shadow prices that are negative or not finite")
    return found


def _finite(strikes: Array) -> Float:
    """The strikes of a rule that shadow prices are compared with: any finite ones."""
    found = np.asarray(strikes, dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError("strikes that are not finite")
    return found


def _compared(space: QuantileSpace) -> list[tuple[int, int]]:
    """The shapes of the strikes of a rule. Raises ValueError where no bracket compares with one."""
    if (space.n, space.units) != (2, 1) or space.discrete:
        raise ValueError("a rule to compare with of other than two buyers, one unit and continuous priors")
    return table_shapes(space)


def _mesh_shape(space: QuantileSpace, nodes: int) -> tuple[int, ...]:
    if not 0 <= nodes <= 1 << 12:
        raise ValueError(f"nodes = {nodes}")
    return tuple(nodes**dims for dims in space.dims)
