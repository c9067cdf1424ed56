"""A saved bracket is opened and checked without any search; whatever is changed in it is noticed."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.once import once

import expost as ex
from expost.brackets import bracket_checks, open_bracket, save_bracket, verify_bracket
from expost.brackets.evidence import DualLines
from expost.brackets.records import Bound, Proof
from expost.brackets.saved import DIGESTS, digests
from expost.brackets.statistics import one_sided
from expost.brackets.upper.basis import constant_prices
from expost.brackets.upper.fibre_lines import LineQuadrature
from expost.brackets.verification import _quadrature
from expost.brackets.workers import Workers
from expost.errors import ExpostError
from expost.instances.catalogue import load
from expost.mechanisms.continuum.saved import load_mechanism
from expost.spaces.quantile_space import quantile_space

COMPLETION = Path(__file__).parent.parent / "runs" / "data" / "brackets" / "static"

KINDS = {
    "one buyer": ("public-rival", 1e-2, "sequential"),
    "two buyers": ("one-dimensional", 0.1, "static"),
    "three buyers": ("three-buyers", 0.3, "static"),
}


@pytest.fixture(scope="module", params=KINDS)
def saved(request, tmp_path_factory):
    name, accuracy, timing = KINDS[request.param]
    found = ex.bracket(name, accuracy, timing=timing, seed=3)
    return found, save_bracket(found, tmp_path_factory.mktemp("saved") / "bracket")


@pytest.fixture(scope="module")
def bracketed(tmp_path_factory):
    """Two buyers, a dual function along lines and one buyer alone: the bracket, and the folder it was saved in."""

    def make(folder):
        found = ex.bracket("jmmz", 0.115, seed=3, jobs=1)
        save_bracket(found, folder / "bracket")
        return found

    folder, found = once(tmp_path_factory, "two-buyers", make)
    return found, folder / "bracket"


@pytest.fixture(scope="module")
def two(bracketed):
    return bracketed[1]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A mechanism with strikes of its own."""
    made = once(
        tmp_path_factory,
        "one-buyer",
        lambda folder: save_bracket(ex.bracket("public-rival", 0.03, seed=3), folder / "bracket").name,
    )
    return made[0] / made[1]


def failed(folder, seed=1):
    """The first check that does not hold, or that it cannot be read at all."""
    try:
        wrong = (check.name for check in bracket_checks(folder, seed=seed) if not check.passed)
        return list(itertools.islice(wrong, 1))
    except ExpostError as error:
        assert "\n" not in str(error)
        return ["unreadable"]


def test_a_bracket_comes_back_as_it_was(saved):
    found, folder = saved
    again = open_bracket(folder)
    assert again.to_dict() == found.to_dict() and again.control == found.control
    assert [proof.bound for proof in again.proofs] == [proof.bound for proof in found.proofs]
    states = [np.random.default_rng(0).random((40, dims)) for dims in found.mechanism.space.dims]
    assert np.array_equal(again.mechanism.strikes(states), found.mechanism.strikes(states))


def test_a_saved_bracket_repeats_its_lines(bracketed):
    found, folder = bracketed
    assert found.relative_width < 0.115 and found.lower.value < 0.8275
    proof = next(p for p in found.proofs if p.bound == found.upper)
    assert isinstance(proof.evidence, DualLines) and "along lines" in found.upper.method
    assert 0.8196 < found.upper.value < 0.834
    assert all(check.passed for check in verify_bracket(folder, seed=1, jobs=1))
    again = next(p for p in ex.open(folder).proofs if p.bound == found.upper)
    assert again.evidence.size == proof.evidence.size


def test_a_bracket_is_verified_without_a_search(saved, monkeypatch):
    for name in ("fit_prices", "polish"):
        for module in ("expost.brackets.upper.side", "expost.brackets.lower.side"):
            monkeypatch.setattr(f"{module}.{name}", None, raising=False)
    found, folder = saved
    checks = verify_bracket(folder, seed=1)
    assert [check.name for check in checks if not check.passed] == []
    sides = [check.name for check in checks]
    assert any(name.startswith("upper") for name in sides) and any(name.startswith("lower") for name in sides)
    assert float(found.lower) <= float(found.upper)


def edit(folder, change, redigest=True):
    """The record changed by ``change``, and the digests made to fit."""
    record = json.loads((folder / "bracket.json").read_text())
    change(record)
    if redigest:
        record[DIGESTS] = digests(folder)
    (folder / "bracket.json").write_text(json.dumps(record))


def shifted(side, by):
    """Value and estimate of one side's best bound moved together, wherever they are stated."""

    def change(record):
        old = record[side]["value"]
        proofs = [p["bound"] for p in record["proofs"] if p["side"] == side]
        for bound in [record[side], *proofs, *(b for b in record["history"] if b["side"] == side)]:
            if bound["value"] == old:
                bound["value"] += by
                bound["estimate"] += by

    return change


def forged(side, by):
    """The same, and the replicates with it: only a repeated or a fresh sample can tell."""

    def change(record):
        old = record[side]["value"]
        shifted(side, by)(record)
        for proof in record["proofs"]:
            if proof["side"] == side and proof["bound"]["value"] == old + by:
                proof["values"] = [value + by for value in proof["values"]]

    return change


def poorer(record):
    best = next(p for p in record["proofs"] if p["values"])
    best["spawn_key"] = [best["spawn_key"][0] + 1]


CHANGES = {
    "lower": lambda r: r["lower"].update(value=r["lower"]["value"] + 1e-4),
    "upper": lambda r: r["upper"].update(value=r["upper"]["value"] - 1e-4),
    "error": lambda r: r["proofs"][-1]["bound"].update(error=r["proofs"][-1]["bound"]["error"] / 2),
    "reached": lambda r: r.update(reached=not r["reached"]),
    "timing": lambda r: r.update(timing="sequential"),
    "name": lambda r: r.update(instance="other"),
    "kind": lambda r: r["lower"].update(kind="rigorous"),
    "proof dropped": lambda r: r["proofs"].pop(),
    "evidence": lambda r: r["proofs"][0].update(evidence="oracle"),
    "sizes": lambda r: [p.update(points=10**9) for p in r["proofs"]],
    "nan": lambda r: r["upper"].update(value=float("nan")),
    "schema": lambda r: r.update(schema=99),
    "spawn key": poorer,
    "control": lambda r: r["control"].update(best=[b + 1e-3 for b in r["control"]["best"]]),
    "shifted lower": shifted("lower", 1e-3),
    "shifted upper": shifted("upper", -1e-3),
    "forged lower": forged("lower", 2e-3),
    "forged upper": forged("upper", -2e-3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_figure_is_noticed(two, tmp_path, change):
    folder = shutil.copytree(two, tmp_path / "b")
    edit(folder, CHANGES[change])
    assert failed(folder) != []


def arrays_of(path):
    with np.load(path) as data:
        return {name: data[name] for name in data.files}


FILES = ["mechanism.npz", "proofs.npz"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["numbers", "shape", "name", "negative", "object", "truncated", "gone"])
def test_a_changed_array_is_noticed_also_where_its_digest_fits(one, two, tmp_path, name, how):
    folder = shutil.copytree(one if name == "mechanism.npz" else two, tmp_path / "b")
    path = folder / name
    arrays = arrays_of(path)
    key = next(iter(arrays))
    if how == "numbers":
        arrays[key] = arrays[key] * 0.97
    elif how == "shape":
        arrays[key] = arrays[key].reshape(-1)[:-1]
    elif how == "name":
        arrays["other"] = arrays.pop(key)
    elif how == "negative":
        arrays[key] = np.full_like(arrays[key], np.nan if name == "mechanism.npz" else -1.0)
    elif how == "object":
        arrays[key] = arrays[key].astype(object)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    elif how == "gone":
        path.unlink()
    else:
        np.savez(path, allow_pickle=True, **arrays)
    edit(folder, lambda record: None)
    assert failed(folder) != []


def test_confidences_are_those_that_the_whole_leaves_to_each_bound(two, tmp_path):
    folder = shutil.copytree(two, tmp_path / "b")
    edit(folder, lambda record: record.update(confidence=0.999999))
    assert failed(folder) == ["confidence"]
    folder = shutil.copytree(two, tmp_path / "c")
    edit(folder, unsure)
    assert failed(folder) == ["confidence"]


def unsure(record):
    """The upper bound at a confidence of a half, its figures made to fit."""
    proof = next(p for p in record["proofs"] if p["side"] == "upper" and p["values"])
    bound, old = proof["bound"], dict(proof["bound"])
    control = [
        one_sided(record["control"][name], record["control"]["confidence"]) for name in ("best", "kept")
    ]
    error = one_sided(proof["values"], 0.5001).error + control[0].error + control[1].error
    bound.update(confidence=0.5001, error=error, value=bound["estimate"] + error)
    for other in (record["upper"], *record["history"]):
        if other["value"] == old["value"]:
            other.update(bound)


def test_figures_are_as_exact_as_the_welfare_is_small(tmp_path):
    values = "1e-11*(x + 0.3*y)", "1e-11*(y + 0.2*x)"
    small = ex.Instance(
        "small", (ex.Buyer("1", ("x",), values[0]), ex.Buyer("2", ("y",), values[1])), seller=2e-12
    )
    folder = save_bracket(ex.bracket(small, 0.5, seed=3), tmp_path / "b")
    assert failed(folder) == []
    edit(folder, shifted("upper", -1e-14))
    assert failed(folder) == ["upper, first best"]


def test_replicates_that_all_ran_out_of_time_are_no_proof(two, tmp_path, recwarn):
    folder = shutil.copytree(two, tmp_path / "b")
    edit(folder, lambda record: [p.update(values=[None] * len(p["values"])) for p in record["proofs"]])
    assert failed(folder) != [] and not recwarn.list


@pytest.mark.parametrize("precision", [-1.0, 0.0, float("nan"), float("inf")])
def test_a_precision_that_is_none_is_not_read(tmp_path, precision):
    shutil.copytree(COMPLETION, tmp_path / "b")
    record = json.loads((tmp_path / "b" / "mechanism.json").read_text())
    assert record["kind"] == "completion" and load_mechanism(tmp_path / "b")
    (tmp_path / "b" / "mechanism.json").write_text(json.dumps({**record, "precision": precision}))
    with pytest.raises(ex.InputError, match="not a positive number"):
        load_mechanism(tmp_path / "b")


@pytest.mark.parametrize(("panels", "prices", "fine"), [(16, 512, True), (16, 2, False), (2, 512, False)])
def test_a_quadrature_that_is_too_coarse_is_noticed(panels, prices, fine):
    space = quantile_space(load("jmmz"), "static", ())
    even = constant_prices(space.dims, 5, 0.0, 0.8)
    u = replace(even, mesh=np.random.default_rng(0).uniform(0.0, 1.6, even.mesh.shape))
    evidence = DualLines(u, LineQuadrature(4, 64, 16, panels, prices))
    bound = Bound("upper", 0.85, "", "statistical", 0.85, 1e-5, 0.99, 0.0)
    seed, workers = np.random.SeedSequence(1), Workers(1)
    check = next(_quadrature(Proof(bound, evidence), 1e-4, space, 0.9, seed, workers))
    assert check.name == "upper, quadrature" and check.passed == fine, check.detail


def test_too_few_pieces_of_a_line_are_noticed_on_either_side_of_one_buyer():
    # what he takes from others swings ten times along a line: two pieces are 0.02 too high, four as much too low
    taken = "0 - 0.8 + 0.3*cos(60*x) + 0.3*cos(60*y)"
    wavy = ex.Instance("wavy", (ex.Buyer("1", ("x", "y"), "x + y", taken),))
    found, verdicts = ex.bracket(wavy, 0.05), {}
    for proof in found.proofs:
        if proof.evidence.finer() is not None:
            for pieces in (64, 2, 4):
                sizes = replace(proof.evidence.sizes, pieces=pieces, lines=32, evaluated=1024)
                rough = replace(proof, evidence=replace(proof.evidence, sizes=sizes))
                seed = np.random.SeedSequence(1)
                check = next(_quadrature(rough, 1e-5, found.mechanism.space, 0.3, seed, Workers(1)))
                verdicts[proof.bound.side, pieces] = check.passed
    fine = {("lower", 64): True, ("upper", 64): True}
    assert verdicts == {
        **fine,
        ("lower", 2): False,
        ("lower", 4): True,
        ("upper", 2): True,
        ("upper", 4): False,
    }


def test_a_foreign_file_and_a_changed_one_are_noticed(two, tmp_path):
    folder = shutil.copytree(two, tmp_path / "b")
    (folder / "menu.csv").write_text("price\n1\n")
    assert failed(folder) == ["files"]
    folder = shutil.copytree(two, tmp_path / "c")
    (folder / "instance.toml").write_text(
        (folder / "instance.toml").read_text().replace("0.", "0.0", 1) + "\n"
    )
    assert "files" in failed(folder)


def test_an_archive_that_unpacks_into_gigabytes_is_not_unpacked(two, tmp_path):
    folder = shutil.copytree(two, tmp_path / "b")
    arrays = arrays_of(folder / "proofs.npz")
    np.savez_compressed(folder / "proofs.npz", **dict.fromkeys(arrays, np.zeros(1 << 24)))
    edit(folder, lambda record: None)
    assert failed(folder) == ["unreadable"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": 1}', "[" * 50_000])
def test_what_is_no_record_is_one_line(two, tmp_path, content):
    folder = shutil.copytree(two, tmp_path / "b")
    (folder / "bracket.json").write_text(content)
    assert failed(folder) == ["unreadable"]


def test_a_bracket_is_saved_whole_or_not_at_all(two, tmp_path):
    found = open_bracket(two)
    with pytest.raises(ex.InputError):
        save_bracket(found, two)  # taken
    inst = ex.Instance("f", [ex.Buyer("1", ["x", "y"], "x + y")], joint=lambda x, y: 1.0 + 0.0 * x)
    with pytest.raises(ex.InputError, match=r"joint: density: a Python callable"):
        save_bracket(ex.bracket(inst, 0.2), tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
