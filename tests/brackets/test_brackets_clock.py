"""The pace of a run: what is done once does not count, and telling it takes next to nothing of the time."""

import types

import pytest

from expost.brackets import clock as module
from expost.brackets.clock import Clock


@pytest.fixture
def hours(monkeypatch):
    """A clock of our own, to which runs add what they take."""
    now = types.SimpleNamespace(seconds=0.0, runs=[])
    monkeypatch.setattr(module, "time", types.SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


def run_of(now, once, each):
    def run(count):
        now.runs.append(count)
        now.seconds += once + each * count

    return run


@pytest.mark.parametrize("once", [0.0, 0.2])
def test_what_is_done_once_does_not_count(hours, once):
    found = Clock(100.0).each(run_of(hours, once, 1e-6), 256, 1 << 16)
    assert 0.9e-6 < found < 2.5e-6  # half of a plain mean at least
    assert max(hours.runs) <= 1 << 16 and hours.seconds < 0.05 * 100.0


def test_slow_runs_stay_few(hours):
    assert Clock(10.0).each(run_of(hours, 0.0, 1e-3), 256, 1 << 16) == pytest.approx(1e-3)
    assert max(hours.runs) == 256


def test_a_disturbed_run_is_not_taken_for_a_fast_one(hours):
    disturbed = iter([1.0, 0.0])

    def run(count):
        hours.seconds += next(disturbed) + 1e-3 * count

    assert Clock(10.0).each(run, 256, 256) == pytest.approx(0.5e-3)
