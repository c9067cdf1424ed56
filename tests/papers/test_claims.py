"""One walk over all claims of the papers: every verdict good, every mutant caught, every claim tried where it fails."""

import json

import numpy as np
import pytest

import expost as ex
from expost.papers.bikhchandani.example1 import ExampleOnePrices
from expost.papers.claims import CLAIMS, is_claim, select, validate
from expost.papers.verdict import Hypothesis, Outcome, Relation, Verdict
from expost.papers.zik.claims_incentives import cycle_gap
from expost.papers.zik.claims_randomization import linear_value
from expost.show.verdicts import details_of, verdict_table
from expost.spaces.type_space import discretize

WITHOUT_VIOLATION = {"B-Examples-1-2", "B-Example-3", "B-Lemma-1", "Z-Claim-1", "Z-Section-3.4"}
"""Claims on one example or without hypotheses that an instance could violate."""
SLOW = {
    "B-Theorem-1", "B-Theorem-2", "B-Theorem-3", "B-Lemma-3", "Z-Theorem-8", "Z-Section-3.2", "Z-Section-3.4",
    "Z-Theorem-7-lotteries", "Z-Section-3.3", "Z-Corollaries-3-4-11",
}  # fmt: skip
"""Claims whose quick cases take more than a few seconds: their mutants run by default, all cases in the slow walk."""
RIGHT = {}
"""What the right subject gives on a mutant's case: several mutants share one."""
LONG = {"Z-Section-3.4"}
"""Claims whose mutants too are computed in the slow walk alone: brackets of the continuum, refined twice."""
FIRST = {"B-Theorem-2", "B-Theorem-3", "Z-Section-3.3", "Z-Theorem-7-lotteries", "Z-Theorem-8"}
"""Claims whose mutants take seconds each: the first by default, the others in the slow walk."""
MUTANTS = [
    pytest.param(
        claim.id,
        mutant.name,
        marks=[pytest.mark.slow] if claim.id in LONG or (k and claim.id in FIRST) else [],
    )
    for claim in CLAIMS.values()
    for k, mutant in enumerate(claim.mutants)
]


@pytest.mark.parametrize(("claim", "name"), MUTANTS)
def test_the_verdict_turns_on_every_mutant(claim, name):
    found = CLAIMS[claim]
    mutant = next(mutant for mutant in found.mutants if mutant.name == name)
    case = mutant.case()
    key = (claim, case.instance.name, case.size, case.variant)
    right = RIGHT[key] = RIGHT.get(key) or found.compute(case, found.subject)
    wrong = found.compute(case, mutant.subject)
    assert {verdict.outcome for verdict in right} == {mutant.turns_from}, [details_of(v) for v in right]
    turned = [verdict for verdict in wrong if verdict.outcome is mutant.turns_to]
    assert turned and not any(verdict.conclusion_holds for verdict in turned)


def test_every_claim_has_a_mutant():
    assert [claim.id for claim in CLAIMS.values() if not claim.mutants] == []


@pytest.mark.parametrize(
    "claim", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in CLAIMS]
)
def test_every_verdict_is_good_and_a_violation_is_among_them(claim):
    verdicts = validate(claim, quick=True)
    assert any(verdict.outcome is Outcome.CONFIRMED for verdict in verdicts)
    for verdict in verdicts:
        assert verdict.claim == claim
        assert verdict.good, details_of(verdict)
        assert verdict.citation.startswith(("Bikhchandani", "Zik", "ours"))
    violated = [verdict for verdict in verdicts if verdict.outcome is Outcome.NOT_CLAIMED]
    assert bool(violated) == (claim not in WITHOUT_VIOLATION)


def test_the_quick_walk_holds_its_verdicts_together():
    found = ex.validate("Z-Claim-1", "B-Example-3", "Z-Theorem-2", quick=True)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["good"] is True and data["instance"] is None
    assert {entry["claim"] for entry in data["verdicts"]} == {"Z-Claim-1", "B-Example-3", "Z-Theorem-2"}
    assert all(entry["applied"] == "applies and holds" for entry in data["verdicts"] if entry["applies"])
    assert verdict_table(found.verdicts).row_count == len(found.verdicts)
    assert len(verdict_table(found.verdicts, details=True).columns) == 7


@pytest.mark.slow
def test_jobs_and_seeds_change_nothing_that_they_should_not():
    alone, together = (validate("B-Lemma-1", quick=True, jobs=jobs) for jobs in (1, 2))
    assert alone == together
    assert validate("B-Lemma-1", quick=True, seed=3)[1].instance == "random-ties-3"


# ---- on an instance of the user's


def test_theorem_7_does_not_apply_to_two_buyers_and_says_what_happens():
    jmmz = ex.load("jmmz")
    buyers = [ex.Buyer(b.name, b.signals[::-1], b.value) for b in jmmz.buyers]
    late = ex.Instance("common first", buyers, priors=jmmz.priors, parameters=jmmz.parameters)
    (verdict,) = ex.validate("Z-Theorem-7", late, quick=True).verdicts
    assert verdict.outcome.applied == "does not apply" and not verdict.conclusion_holds
    one, steep = verdict.hypotheses
    assert one.residual == 1.0 and not one.holds and "2 buyers" in one.where
    assert steep.holds
    assert verdict.computed > 0.01


def test_theorem_7_on_one_buyer_in_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[[buyers]]\nname = "1"\nsignals = ["a", "b"]\nvalue = "2*a + b"\n'
                    'externality = "0.05*a + b - 0.5 - 2*a - b"\n')  # fmt: skip
    found = ex.validate("Z-Theorem-7", path, quick=True)
    assert found.instance == "mine" and found.good
    assert [verdict.outcome.applied for verdict in found] == ["applies and holds"]


@pytest.mark.slow
def test_all_claims_on_an_instance_that_few_speak_of():
    """Three signals, one buyer, nothing of the papers' forms: every claim answers, none crashes."""
    odd = ex.Instance("odd", [ex.Buyer("x", ["a", "b", "c"], "a + b*c", externality="-0.4")])
    verdicts = ex.validate(odd, quick=True).verdicts
    assert {verdict.claim for verdict in verdicts} == {c.id for c in CLAIMS.values() if c.on is not None}
    assert all(verdict.good for verdict in verdicts)
    undefined = [v for v in verdicts if v.claim == "Z-Section-3.2"]
    assert "two buyers with two signals" in details_of(undefined[0])
    json.dumps(ex.validate("Z-Section-3.2", odd).to_dict(), allow_nan=False)


def test_words_that_are_neither_claims_nor_one_instance():
    assert is_claim("z-theorem-7") and is_claim("B") and not is_claim("jmmz")
    with pytest.raises(ex.InputError, match="neither of which is a claim"):
        ex.validate("jmmz", "linear")
    with pytest.raises(ex.InputError, match=r"unknown claim 'B-Theorem-9'.*B-Theorem-1"):
        ex.validate("B-Theorem-9")
    with pytest.raises(ex.InputError, match="about an example of the paper"):
        ex.validate("B-Example-3", "jmmz")


# ---- verdicts


def verdict(computed, relation, theoretical, *, residual=0.0, violation="", decisive=True):
    return Verdict(
        "X", "nobody", "nothing", (Hypothesis("h", residual),), "q", computed, relation, theoretical, 0.1, violation,
        decisive=decisive,
    )  # fmt: skip


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


def test_a_failed_conclusion_is_refuted_only_under_its_hypotheses_and_by_what_decides():
    bad = verdict(2.0, Relation.EQUAL, 1.0)
    assert bad.outcome is Outcome.REFUTED and not bad.good
    assert verdict(2.0, Relation.EQUAL, 1.0, residual=1.0).outcome is Outcome.NOT_CLAIMED
    assert verdict(1.0, Relation.EQUAL, 1.0, violation="at s").outcome is Outcome.REFUTED
    assert verdict(2.0, Relation.EQUAL, 1.0, decisive=False).outcome is Outcome.UNDECIDED


def test_selecting_claims():
    assert [claim.id for claim in select(["b-theorem-1"])] == ["B-Theorem-1"]
    assert {claim.id[0] for claim in select("Z")} == {"Z"}
    assert len(select(["B", "B-Theorem-1"])) == len(select(["B"]))


def test_the_closed_form_of_example_1_is_the_construction():
    from expost.papers.bikhchandani.pivotal_prices import PivotalPrices

    instance = ex.load("jmmz")
    space = discretize(instance, 5)
    numerical = PivotalPrices(instance)
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
