"""A saved bracket is opened and checked without any search; whatever is changed in it is noticed."""

import itertools
import json
import shutil

import numpy as np
import pytest

import expost as ex
from expost.brackets import bracket_checks, open_bracket, save_bracket, verify_bracket
from expost.brackets.saved import DIGESTS, digests
from expost.errors import ExpostError

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
def two(tmp_path_factory):
    found = ex.bracket("jmmz", 0.115, seed=3)  # a dual function and one buyer alone
    assert found.relative_width < 0.115 and found.lower.value < 0.8275 and found.upper.value > 86 / 105
    return save_bracket(found, tmp_path_factory.mktemp("two") / "bracket")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A mechanism with strikes of its own."""
    return save_bracket(ex.bracket("public-rival", 0.03, seed=3), tmp_path_factory.mktemp("one") / "bracket")


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
