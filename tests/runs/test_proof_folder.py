"""Proofs of three buyers' optima in a folder: cases and grains are read back, checked without a solver, and watched."""

import json

import numpy as np
import pytest

import expost as ex
from expost.instances.random_instances import unstructured_instance
from expost.runs.folder import digest
from expost.solver.nbuyers import efforts


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A run whose optimum only a proof by cases shows."""
    monkeypatch.setattr(efforts, "CUTS_LIMIT", 1e-4)
    run = ex.solve(unstructured_instance(27, buyers=3, types=6), 6)
    assert run.record.status == "optimal" and run.record.details["leaves"] > 1
    return run.save(tmp_path / "run")


def optimal(folder) -> tuple[bool, bool]:
    """Whether the folder passes, and whether its optimum is proved."""
    seen = ex.verify(folder)
    found = [check for check in seen.checks if check.name == "optimal"]
    return seen.passed, bool(found) and found[0].passed and found[0].proved


def forge(folder, **changes):
    """Change arrays of the certificate, and the digests to what is there."""
    path = folder / "certificate.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez_compressed(path, **arrays | changes)
    record = folder / "result.json"
    data = json.loads(record.read_text())
    data["files"] = {p.name: digest(p) for p in folder.iterdir() if p != record}
    record.write_text(json.dumps(data))
    return arrays


def test_a_proof_by_cases_is_verified_from_its_folder(folder):
    assert optimal(folder) == (True, True)


def test_a_damaged_proof_by_cases_does_not_pass(folder):
    arrays = forge(folder)
    assert optimal(folder) == (True, True)
    child = arrays["tree_child"].copy()
    child[0, 0] = -1
    for change in (
        {"tree_child": child},
        {"tree_arcs": arrays["tree_arcs"] * 0},
        {"tree_packing": arrays["tree_packing"] * 0},
        {"tree_leaf": np.where(arrays["tree_leaf"] >= 0, 0, -1)},
        {"tree_exponent": arrays["tree_exponent"] - 3},
    ):
        forge(folder, **change)
        assert optimal(folder) == (False, False), change
        forge(folder, **arrays)
    assert optimal(folder) == (True, True)


def test_a_false_grain_proves_nothing(folder):
    """Whatever the grain says, the bound stays the one that is proved; what is no grain is refused in words."""
    forge(folder, grain=np.array([1 << 60, 61], dtype=np.int64))
    assert optimal(folder) == (True, True)
    forge(folder, grain=np.array([-1, 61], dtype=np.int64))
    assert optimal(folder) == (True, True)
    forge(folder, grain=np.array([1, 2, 3], dtype=np.int64))
    assert not ex.verify(folder).passed
