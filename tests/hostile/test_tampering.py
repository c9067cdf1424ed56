"""Saved runs of every kind, tampered with, digests forged: nothing that says anything else passes."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import expost as ex
from expost.cli import run_command
from expost.runs.folder import digest

KINDS = {
    "static": ("jmmz", 3, {}),
    "sequential": ("jmmz", 2, {"timing": "sequential"}),
    "one-buyer": (ex.Instance("one", [ex.Buyer("1", ["a", "b"], "a + b")], seller="0.4"), 3, {}),
    "three-buyers": ("three-buyers", 2, {}),
    "revenue": ("jmmz", 3, {"objective": "revenue"}),
    "conditional": ("jmmz", 2, {"restrict": "conditional"}),
    "time-limit": ("three-buyers", {}, {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("saved")
    for kind, (instance, grid, settings) in KINDS.items():
        if kind != "time-limit":  # which instant a limit cuts is the machine's affair
            ex.solve(instance, grid, **settings).save(place / kind)
    shutil.copytree(
        Path(__file__).parents[1] / "runs" / "data" / "schema1" / "time-limit", place / "time-limit"
    )
    return place


@pytest.fixture
def folder(saved, tmp_path, request):
    return shutil.copytree(saved / request.param, tmp_path / "run")


def forge(folder, **changes):
    """Change the record, and its digests to what is there."""
    path = folder / "result.json"
    data = json.loads(path.read_text()) | changes
    data["files"] = {p.name: digest(p) for p in folder.iterdir() if p.name != "result.json" and p.is_file()}
    path.write_text(json.dumps(data))


def caught(folder):
    """Whether checking, opening and showing all end in one line, and checking does not pass."""
    try:
        return not ex.verify(folder).passed
    except ex.InputError as error:
        return "\n" not in str(error)


def record(folder):
    return json.loads((folder / "result.json").read_text())


def kinds(*always):
    """Every kind of run; those not named only among the long validations."""
    return [pytest.param(k, marks=() if k in always else pytest.mark.slow) for k in KINDS]


NUMBERS = (
    "value", "welfare", "upper_bound", "gap", "first_best", "no_sale", "revenue", "sold", "states", "binaries",
    "variables", "arcs", "audit_allowed_gain", "certified_upper_bound", "scale_exponent", "rounding",
)  # fmt: skip
WORDS = {
    "instance": "another",
    "timing": "later",
    "first": ["c1"],
    "grid": 60,
    "points": "endpoint",
    "objective": 0.25,
    "restrict": "foo",
    "status": "infeasible",
    "schema": 7,
    "sampled": ["seller"],
}


@pytest.mark.parametrize("folder", kinds("sequential", "revenue", "time-limit"), indirect=True)
@pytest.mark.parametrize("key", NUMBERS)
def test_every_number_of_the_record(folder, key):
    old = record(folder)[key]
    old = 2 if old is None else old
    forge(folder, **{key: old + 1 if isinstance(old, int) else old + 1e-3 * max(1.0, abs(old))})
    assert caught(folder)


@pytest.mark.parametrize("folder", kinds("one-buyer", "conditional", "three-buyers"), indirect=True)
@pytest.mark.parametrize("key", WORDS)
def test_every_word_of_the_record(folder, key):
    forge(folder, **{key: WORDS[key]})
    assert caught(folder)


def test_a_bound_that_is_raised_together_with_its_gap(saved, tmp_path):
    for kind in KINDS:
        folder = shutil.copytree(saved / kind, tmp_path / kind)
        old = record(folder)
        forge(folder, upper_bound=old["upper_bound"] + 0.1, gap=old["gap"] + 0.1)
        assert caught(folder), kind


def rewrite(path, **changes):
    with np.load(path) as archive:
        arrays = {name: array for name, array in (dict(archive) | changes).items() if array is not None}
    np.savez_compressed(path, **arrays)


def arrays_of(path):
    with np.load(path) as archive:
        return dict(archive)


def huge(path, name, shape, dtype="|u1"):
    """An archive whose array says that it is huge, and which has as many zeros, deflated."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w") as file,
    ):
        file.write(header.getvalue())
        for _ in range(64):
            file.write(bytes(1 << 20))


def _flip(folder):
    winner = arrays_of(folder / "allocation.npz")["winner"]
    winner.flat[-1] = 0 if winner.flat[-1] else 1
    rewrite(folder / "allocation.npz", winner=winner)


def _certificate(folder, name, change):
    arrays = arrays_of(folder / "certificate.npz")
    rewrite(folder / "certificate.npz", **{name: change(arrays[name])})


def _line(folder, change):
    path = next(folder.glob("*.csv"))
    lines = path.read_text().splitlines()
    start = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    path.write_text("\n".join(change(lines[:start], lines[start:])) + "\n")


def _replace(folder, name, make):
    path = folder / name
    path.unlink()
    make(path)


ACTS = {
    "a winner flipped": _flip,
    "a winner nobody knows": lambda f: rewrite(
        f / "allocation.npz", winner=np.full_like(arrays_of(f / "allocation.npz")["winner"], 9)
    ),
    "a rule of floats": lambda f: rewrite(
        f / "allocation.npz", winner=arrays_of(f / "allocation.npz")["winner"].astype(float)
    ),
    "no rule": lambda f: rewrite(f / "allocation.npz", winner=None, other=np.zeros(3, np.uint8)),
    "a foreign array": lambda f: rewrite(f / "allocation.npz", extra=np.zeros(3, np.uint8)),
    "a bare array": lambda f: np.save((f / "allocation.npz").open("wb"), np.zeros(3)),
    "a bomb": lambda f: huge(f / "allocation.npz", "winner", (8192, 8192)),
    "a bomb that lies": lambda f: huge(f / "allocation.npz", "winner", (2, 2)),
    "a bomb of proofs": lambda f: huge(f / "certificate.npz", "arcs", (8388608,), "<i8"),
    "a fractional exponent": lambda f: _certificate(f, "scale_exponent", lambda old: old + 0.5),
    "an infinite exponent": lambda f: _certificate(f, "scale_exponent", lambda old: np.array(np.inf)),
    "an exponent of 10**18": lambda f: _certificate(f, "scale_exponent", lambda old: np.array(10**18)),
    "a negative multiplier": lambda f: _certificate(f, "arcs", lambda old: old - 1),
    "multipliers of floats": lambda f: _certificate(f, "arcs", lambda old: old.astype(float)),
    "too few multipliers": lambda f: _certificate(f, "arcs", lambda old: old[:-1]),
    "certificate pickled": lambda f: np.save(
        (f / "certificate.npz").open("wb"), np.array([{}], dtype=object), allow_pickle=True
    ),
    "no header": lambda f: _line(f, lambda notes, rows: notes + rows[1:]),
    "a column twice": lambda f: _line(f, lambda notes, rows: [f"{r},{r.split(',')[-1]}" for r in rows]),
    "a row less": lambda f: _line(f, lambda notes, rows: notes + rows[:-1]),
    "a row more": lambda f: _line(f, lambda notes, rows: notes + rows + rows[-1:]),
    "a number changed": lambda f: _line(
        f, lambda notes, rows: [*notes, *rows[:-1], rows[-1].rpartition(",")[0] + ",123.5"]
    ),
    "rows swapped": lambda f: _line(f, lambda notes, rows: [*notes, rows[0], rows[-1], *rows[2:-1], rows[1]]),
    "a foreign table": lambda f: shutil.copy(
        next(f.glob("*.csv")), f / ("menu.csv" if (f / "prices.csv").exists() else "prices.csv")
    ),
    "a foreign file": lambda f: (f / "README").write_text("trust me"),
    "a foreign folder": lambda f: (f / "more").mkdir(),
    "sampled values that nobody asked for": lambda f: np.savez(f / "sampled.npz", seller=np.zeros(3)),
    "a pipe for the record": lambda f: _replace(f, "result.json", os.mkfifo),
    "a pipe for the instance": lambda f: _replace(f, "instance.toml", os.mkfifo),
    "a pipe for the rule": lambda f: _replace(f, "allocation.npz", os.mkfifo),
    "an endless rule": lambda f: _replace(f, "allocation.npz", lambda p: p.symlink_to("/dev/zero")),
    "an endless record": lambda f: _replace(f, "result.json", lambda p: p.symlink_to("/dev/zero")),
    "an endless table": lambda f: _replace(f, next(f.glob("*.csv")).name, lambda p: p.symlink_to("/dev/zero")),
    "no table": lambda f: [p.unlink() for p in [*f.glob("*.csv"), *f.glob("*.parquet")]],
    "another parquet": lambda f: next(f.glob("*.parquet")).write_bytes(b"PAR1 nothing PAR1"),
    "another value": lambda f: (f / "instance.toml").write_text(
        (f / "instance.toml").read_text().replace("value = \"", "value = \"1 + ")
    ),
    "a hostile instance": lambda f: (f / "instance.toml").write_text("name = 3"),
}  # fmt: skip


def tampered(folder, act):
    if "certificate" in act or "exponent" in act or "proofs" in act or "multiplier" in act:
        assert (folder / "certificate.npz").exists()
    ACTS[act](folder)
    if (folder / "result.json").is_file():
        forge(folder)


@pytest.mark.parametrize("folder", kinds("sequential", "three-buyers"), indirect=True)
@pytest.mark.parametrize("act", ACTS)
def test_every_file(folder, act):
    tampered(folder, act)
    assert caught(folder)


@pytest.mark.parametrize("act", ACTS)
def test_no_command_has_a_traceback_for_it(saved, tmp_path, act, capsys):
    folder = shutil.copytree(saved / "static", tmp_path / "run")
    tampered(folder, act)
    for command in (["verify", folder], ["menu", folder], ["dominate", "--run", folder]):
        code = run_command([str(word) for word in command])
        errors = capsys.readouterr().err
        assert code in ((1, 2) if command[0] == "verify" else (0, 1, 2))
        assert errors.count("\n") == (1 if code == 2 else min(errors.count("\n"), 1))


def test_swapped_extremes(saved, tmp_path):
    swapped = 0
    for kind in ("static", "revenue"):
        folder = shutil.copytree(saved / kind, tmp_path / kind)
        arrays = arrays_of(folder / "allocation.npz")
        if "smallest" not in arrays or (arrays["smallest"] == arrays["largest"]).all():
            continue
        rewrite(folder / "allocation.npz", smallest=arrays["largest"], largest=arrays["smallest"])
        forge(folder)
        assert caught(folder)
        swapped += 1
    assert swapped


def test_untouched_they_pass(saved):
    for kind in KINDS:
        assert ex.verify(saved / kind).passed, kind
