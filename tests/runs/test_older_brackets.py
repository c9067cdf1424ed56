"""A bracket that an earlier version saved opens and verifies; what it cannot repeat it does not call proved."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import expost as ex

FOLDER = Path(__file__).parent / "data" / "brackets" / "static"
KINDS = {"mechanism": True, "mechanism on cells": True, "shadow prices": False}


def test_replicates_that_do_not_come_again_are_known_and_stay_so_when_saved_again(tmp_path):
    found = ex.open(FOLDER)
    assert {proof.evidence.kind: proof.repeatable for proof in found.proofs} == KINDS
    upper = next(proof for proof in found.proofs if not proof.repeatable)
    first = np.random.SeedSequence(found.seed, spawn_key=upper.spawn_key).spawn(1)[0]
    again = upper.evidence.replicate(first, found.mechanism.space)
    assert 1e-4 < abs(again - upper.replicates[0]) < 1e-2  # or there would be nothing to know
    found.save(tmp_path / "again")
    record = json.loads((tmp_path / "again" / "bracket.json").read_text())
    assert {proof["evidence"]: proof["repeatable"] for proof in record["proofs"]} == KINDS


@pytest.mark.slow
def test_a_bracket_of_an_earlier_version_verifies():
    found = ex.verify(FOLDER)
    assert found.passed, found.summary()
    assert [check.name for check in found.checks if not check.proved] == ["upper, repeated"]
    assert any(check.name == "upper, fresh samples" and check.proved for check in found.checks)


@pytest.mark.slow
def test_replicates_that_are_said_to_come_again_have_to(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "lie")
    record = json.loads((folder / "bracket.json").read_text())
    for proof in record["proofs"]:
        proof["repeatable"] = True
    (folder / "bracket.json").write_text(json.dumps(record))
    assert [check.name for check in ex.verify(folder).checks if not check.passed] == ["upper, repeated"]
