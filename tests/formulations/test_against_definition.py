"""A thousand random instances of every kind against all mechanisms that the definition admits; a hundred thousand by
``python benchmarks/against_definition.py``."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from support.against_definition import best, draw, falls, fibre_rules, judged, tally

import expost as ex

PART = 250


@pytest.mark.parametrize("part", range(4))
def test_a_thousand_random_instances(part):
    compared, wrong = tally(range(part * PART, (part + 1) * PART))
    assert wrong == {}
    assert compared > 0.85 * PART


def test_they_are_of_every_kind():
    drawn = [draw(seed) for seed in range(300)]
    kinds = Counter(
        kind
        for one in drawn
        for kind, there in {
            f"{len(one.values)} buyers": True,
            "sequential": "sequential" in one.timing,
            "both timings": len(set(one.timing)) > 1,
            f"objective {one.alpha}": True,
            "negative gains": bool((one.gains < 0).any()),
            "seller values": bool(one.kept.any()),
            "unequal chances": len(np.unique(one.chances.round(12))) > 1,
            "falls in a rival's signal": bool((np.diff(one.values[0], axis=-1) < 0).any()),
            "falls in his own": bool((np.diff(one.values[0], axis=0) < 0).any()),
            "equal types": any(len(np.unique(v, axis=i)) < v.shape[i] for i, v in enumerate(one.values)),
            "falls and is refused": falls(one),
        }.items()
        if there
    )
    assert len(kinds) >= 15 and min(kinds.values()) >= 5, kinds


def test_rules_of_a_fibre():
    assert fibre_rules((0, 1), 1).tolist() == [[False, False], [False, True], [True, True]]
    assert len(fibre_rules((0, 0), 1)) == 4
    at_two_levels = {tuple(rule) for rule in fibre_rules((0, 1, 0, 1), 2).tolist()}
    assert (True, True, False, False) not in at_two_levels  # a strike that rises
    assert (False, True, True, True) in at_two_levels


def test_what_is_wrong_is_said():
    for seed in range(40):
        drawn = draw(seed)
        expected = best(drawn)
        if expected is None or drawn.timing != ("static", "static") or drawn.alpha < 1.0:
            continue
        run = ex.solve(drawn.instance, 1)
        assert judged(drawn, run, expected) == ""
        assert "is best" in judged(drawn, run, expected + 0.01)
        nobody = np.zeros_like(run.mechanism.allocation)
        if run.welfare > run.record.no_sale + 1e-9:
            lost = replace(run, mechanism=replace(run.mechanism, allocation=nobody))
            assert "is best" in judged(drawn, lost, expected)
        both = replace(run, mechanism=replace(run.mechanism, allocation=nobody | True))
        assert judged(drawn, both, expected) == "two buyers win"
        record = replace(run.record, certified_upper_bound=expected - 0.01)
        assert "bound" in judged(drawn, replace(run, record=record), expected)
