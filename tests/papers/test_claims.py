"""One walk over all claims of the papers: every verdict good, every claim also tried where it is not claimed."""

import json

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import catalogue
from expost.papers import constructions
from expost.papers.claims import CLAIMS, select, validate
from expost.papers.tools import ExampleOnePrices
from expost.papers.verdict import Hypothesis, Outcome, Relation, Verdict
from expost.papers.zik.claims_several import linear_value
from expost.papers.zik.claims_single import cycle_gap
from expost.runs.validate import Validation
from expost.show.verdicts import details_of, verdict_table
from expost.spaces.type_space import discretize

WITHOUT_VIOLATION = {
    "B-Examples-1-2",
    "B-Example-3",
    "Z-Claim-1",
    "Z-Corollaries-3-4-11",
    "Z-Appendix-A",
    "Z-Section-3.4",
}
"""Claims on one instance or without hypotheses that an instance could violate."""


@pytest.fixture(scope="module")
def verdicts():
    return validate(quick=True)


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_verdict_is_good(verdicts, claim):
    found = [verdict for verdict in verdicts if verdict.claim == claim]
    assert any(verdict.outcome is Outcome.CONFIRMED for verdict in found)
    for verdict in found:
        assert verdict.good, details_of(verdict)
        assert verdict.citation.startswith("Bikhchandani" if claim[0] == "B" else "Zik")


@pytest.mark.parametrize("claim", sorted(set(CLAIMS) - WITHOUT_VIOLATION))
def test_every_claim_is_tried_where_a_hypothesis_fails(verdicts, claim):
    found = [v for v in verdicts if v.claim == claim and v.outcome is Outcome.NOT_CLAIMED]
    assert found
    for verdict in found:
        assert any(not hypothesis.holds for hypothesis in verdict.hypotheses)


def test_where_conclusions_must_fail_they_do(verdicts):
    """A violated hypothesis that matters shows: these conclusions are seen to fail."""
    for claim in (
        "B-Theorem-1",
        "B-Theorem-2",
        "B-Theorem-3",
        "B-Lemma-3",
        "B-Equation-15",
        "Z-Theorem-2",
        "Z-Theorem-7",
        "Z-Theorem-8",
        "Z-Section-3.3",
    ):
        refused = [v for v in verdicts if v.claim == claim and v.outcome is Outcome.NOT_CLAIMED]
        assert any(not v.conclusion_holds for v in refused), claim


def test_records_are_plain_data(verdicts):
    data = json.loads(json.dumps(Validation(tuple(verdicts)).to_dict(), allow_nan=False))
    assert data["good"] is True
    assert data["summary"] == Validation(tuple(verdicts)).counts
    assert {entry["claim"] for entry in data["verdicts"]} == set(CLAIMS)


def test_the_table_has_a_row_per_verdict(verdicts):
    assert verdict_table(verdicts).row_count == len(verdicts)
    assert len(verdict_table(verdicts, details=True).columns) == 7


def verdict(computed, relation, theoretical, *, residual=0.0, violation=""):
    return Verdict(
        "X",
        "nobody",
        "nothing",
        (Hypothesis("h", residual),),
        "q",
        computed,
        relation,
        theoretical,
        0.1,
        violation,
    )


@pytest.mark.parametrize(
    ("relation", "holds"),
    [
        (Relation.EQUAL, (False, True, False)),
        (Relation.AT_MOST, (True, True, False)),
        (Relation.AT_LEAST, (False, True, True)),
        (Relation.LESS, (True, False, False)),
        (Relation.MORE, (False, False, True)),
    ],
)
def test_relations(relation, holds):
    assert tuple(verdict(x, relation, 1.0).conclusion_holds for x in (0.0, 1.05, 2.0)) == holds


def test_a_failed_conclusion_is_refuted_only_under_its_hypotheses():
    bad = verdict(2.0, Relation.EQUAL, 1.0)
    assert bad.outcome is Outcome.REFUTED
    assert not bad.good
    assert not Validation((bad,)).good
    assert verdict(2.0, Relation.EQUAL, 1.0, residual=1.0).outcome is Outcome.NOT_CLAIMED
    assert verdict(1.0, Relation.EQUAL, 1.0, violation="at s").outcome is Outcome.REFUTED


def test_selecting_claims():
    assert [claim.id for claim in select(["b-theorem-1"])] == ["B-Theorem-1"]
    assert {claim.id[0] for claim in select(["Z"])} == {"Z"}
    assert len(select(["B", "B-Theorem-1"])) == len(select(["B"]))
    with pytest.raises(InputError, match=r"unknown claim 'B-Theorem-9'.*B-Theorem-1"):
        select(["B-Theorem-9"])


def test_the_closed_form_of_example_1_is_the_construction():
    instance = catalogue.load("jmmz")
    space = discretize(instance, 5)
    numerical = constructions.get("t*", instance).prices
    signals = {name: column for own in space.types for name, column in own.items()}
    for i in range(2):
        assert ExampleOnePrices().price(i, signals) == pytest.approx(numerical.price(i, signals), abs=1e-9)


def test_a_pair_of_types_that_swaps_when_strikes_rise():
    values = np.add.outer([0.0, 0.5], [0.1, 0.3, 0.5, 0.7])
    assert cycle_gap(values, values > np.array([[0.2], [0.9]])) > 0.0
    assert cycle_gap(values, values > np.array([[0.6], [0.6]])) == -np.inf


def test_the_linear_value_of_a_small_program():
    from expost.solver.program import Program

    program = Program(
        weights=np.array([1.0, 2.0, 2.5]),
        blocks=np.array([0, 2, 3]),
        tails=np.array([0], dtype=np.int32),
        heads=np.array([1], dtype=np.int32),
        packing=np.array([[0, 2]], dtype=np.int32),
        constant=0.5,
    )
    assert linear_value(program) == pytest.approx(5.0)


@pytest.mark.slow
def test_all_claims_in_full():
    assert all(verdict.good for verdict in validate())
