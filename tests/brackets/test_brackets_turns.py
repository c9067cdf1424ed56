from dataclasses import replace
from types import SimpleNamespace

import pytest

from expost.brackets import effort, search
from expost.brackets.clock import Clock
from expost.brackets.records import LOWER, UPPER
from expost.brackets.turns import Turns
from expost.instances.catalogue import load
from expost.runs.bracket import bracket


def order(gains, seconds=(1.0, 1.0), errors=(0.0, 0.0), limit=100.0):
    """Whose turns come when stages gain so much (upper side, lower side) and take so long."""
    account = SimpleNamespace(
        upper=SimpleNamespace(value=1.0, error=errors[0]),
        lower=SimpleNamespace(value=0.0, error=errors[1]),
        seconds=0.0,
        clock=Clock(limit),
    )
    turns = []
    for side, number in Turns(account, len(gains[0])):
        k = (UPPER, LOWER).index(side)
        bound = account.lower if k else account.upper
        bound.value += gains[k][number] * (1.0 if k else -1.0)
        account.seconds += seconds[k]
        turns.append(f"{side[0]}{number}")
    return " ".join(turns)


def test_both_sides_begin_and_a_side_that_gains_nothing_waits_for_the_other():
    assert order([(0.0, 0.0, 0.0), (0.3, 0.1, 0.0)]) == "u0 l0 l1 l2 u1 u2"
    assert order([(0.3, 0.1, 0.0), (0.0, 0.0, 0.0)]) == "u0 l0 u1 u2 l1 l2"


def test_sides_that_gain_nothing_take_turns():
    assert order([(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]) == "u0 l0 u1 l1 u2 l2"


def test_the_side_goes_on_that_gains_more_in_a_second():
    gains = [(0.3, 0.25, 0.1), (0.2, 0.15, 0.05)]
    assert order(gains) == "u0 l0 u1 u2 l1 l2"
    assert order(gains, seconds=(4.0, 1.0)) == "u0 l0 l1 l2 u1 u2"


def test_without_a_limit_no_clock_decides():
    gains = [(0.3, 0.25, 0.1), (0.2, 0.15, 0.05)]
    assert order(gains, seconds=(4.0, 1.0), limit=float("inf")) == order(gains, limit=float("inf"))


def test_a_bound_of_a_large_error_is_worth_another_evaluation():
    gains = [(0.3, 0.02, 0.01), (0.2, 0.0, 0.0)]
    assert order(gains) == "u0 l0 u1 l1 u2 l2"
    assert order(gains, errors=(0.0, 0.05)) == "u0 l0 u1 l1 l2 u2"


def test_no_stage_is_expected_to_bring_more_than_the_width():
    gains = [(0.15, 0.01), (0.8, 0.01)]  # what is left after the first stages is 0.05
    assert order(gains, seconds=(1.0, 4.0)) == "u0 l0 u1 l1"


@pytest.mark.parametrize("gaining", [UPPER, LOWER])
def test_a_search_spends_its_turns_where_the_width_falls(monkeypatch, gaining):
    turns = []

    def stage(side):
        def done(self, *_, **__):
            turns.append(side)
            if side == gaining:
                bound = getattr(self.account, side)
                setattr(
                    self.account, side, replace(bound, value=bound.value * (0.99 if side == UPPER else 1.01))
                )

        return done

    monkeypatch.setattr(search.UpperSide, "stage", stage(UPPER))
    monkeypatch.setattr(search.LowerSide, "stage", stage(LOWER))
    monkeypatch.setattr(search.UpperSide, "estimate", lambda _: None)
    monkeypatch.setattr(search._Rigorous, "run", lambda *_: None)
    bracket(load("jmmz"), 1e-3, seed=4)
    number = len(effort.TWO_BUYERS)
    waiting = LOWER if gaining == UPPER else UPPER
    assert turns == [UPPER, LOWER] + (number - 1) * [gaining] + (number - 1) * [waiting]


def test_the_upper_side_is_told_when_the_lower_one_wants_no_more_time(monkeypatch):
    told = []

    def lower(self, *_):
        self.stated = True

    def upper(self, effort, *, alone, later):
        told.append((alone, len(later)))

    monkeypatch.setattr(search.UpperSide, "stage", upper)
    monkeypatch.setattr(search.LowerSide, "stage", lower)
    monkeypatch.setattr(search.UpperSide, "estimate", lambda _: None)
    monkeypatch.setattr(search._Rigorous, "run", lambda *_: None)
    bracket(load("jmmz"), 1e-3, seed=4)
    number = len(effort.TWO_BUYERS)
    assert told == [(k > 0, number - 1 - k) for k in range(number)]
