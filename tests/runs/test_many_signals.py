"""Instances with more signals than any grid or mesh can bear: one line, or an answer, within the limit."""

import json
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

import expost as ex
from expost._limits import Carried, within
from expost.brackets.forecast import Forecast
from expost.brackets.search import MOST_CELL_SIGNALS
from expost.brackets.upper.reference import reference_rule
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.papers.levels import highest
from expost.papers.zik.static_second_best import StaticSecondBest, gain_at_value
from expost.runs import compare
from expost.spaces.quantile_space import quantile_space


def many(buyers, signals):
    """Buyers who sum up their signals, and a little of somebody else's."""
    names = [[f"s{b}x{k}" for k in range(signals)] for b in range(buyers)]
    values = [
        " + ".join(own) + (f" + 0.1*{names[b - 1][0]}" if buyers > 1 else "") for b, own in enumerate(names)
    ]
    return ex.Instance("many", [ex.Buyer(str(b), own, values[b]) for b, own in enumerate(names)])


@pytest.mark.parametrize(("buyers", "signals"), [(1, 32), (32, 1), (2, 40)])
def test_an_array_has_an_axis_for_every_signal_of_a_grid(buyers, signals):
    with pytest.raises(ex.InputError, match="at most 31 on a grid"):
        ex.solve(many(buyers, signals), 1)


@pytest.mark.parametrize(("buyers", "signals"), [(1, 31), (31, 1)])
def test_as_many_signals_as_an_array_has_axes(buyers, signals, tmp_path):
    ex.solve(many(buyers, signals), 1).save(tmp_path / "run")
    assert ex.verify(tmp_path / "run").passed


def test_searches_over_types_say_where_these_are_too_many():
    def constraint(points, _):
        return points.sum(axis=0) - 1.0

    with pytest.raises(ex.InputError, match="14 signals of one buyer"):
        highest(constraint, constraint, 14, 1)
    with pytest.raises(ex.InputError, match="at most 21"):
        gain_at_value(many(1, 22), 5.0)


def test_searches_over_types_end_at_the_limit_of_the_thread():
    def falling(points, _):
        return points.sum(axis=0) - 1.0

    assert highest(falling, falling, 2, 1) == pytest.approx(0.0)
    with within(0.0), pytest.raises(ex.LimitReached):
        highest(falling, falling, 2, 1)
    with within(0.0), pytest.raises(ex.LimitReached):
        StaticSecondBest(many(1, 5)).gain(1.0)


def test_a_comparison_has_a_row_for_a_construction_that_the_limit_came_before():
    with within(0.0):
        late = [made for made in compare._defined(many(1, 5)) if isinstance(made, str)]
    assert late == ["theorem8"]
    row = compare._construction(None, "theorem8", None)
    assert (row.name, row.status, row.welfare) == ("theorem8", "time limit", None)


def test_cases_of_a_comparison_know_the_limit_wherever_they_are_computed(monkeypatch):
    seen = []
    monkeypatch.setattr(compare, "in_turn", lambda function, cases, jobs: seen.append(function) or ())
    ex.compare("one-dimensional", 2, time_limit=5.0)
    assert len(seen) == 2 and all(isinstance(function, Carried) for function in seen)


def test_what_a_bracket_tabulates_is_left_out_where_it_would_not_fit():
    space = quantile_space(many(2, 15), ("static", "static"), (None, None))
    assert reference_rule(SoloMechanism(space, "1 alone", (0,), np.empty(0), 64)) is None
    account = SimpleNamespace(space=space, workers=Workers(1))
    assert Forecast._pace(SimpleNamespace(account=account)) > 0.0
    with pytest.raises(ex.InputError, match="at most 9 signals of each buyer"):
        ex.bracket(many(2, MOST_CELL_SIGNALS + 1), 0.5, rigorous=True)


COMMANDS = {
    "bracket": ("bracket", "--accuracy", "0.0001"),
    "sequential": ("bracket", "--timing", "sequential", "--accuracy", "0.0001"),
    "rigorous": ("bracket", "--rigorous", "--accuracy", "0.0001"),
    "compare": ("compare", "--grid", "1", "--brackets", "0"),
    "check": ("check", "--grid", "1", "--prices", "t*"),
    "dominate": ("dominate", "--grid", "1", "--prices", "t*"),
    "static-second-best": ("check", "--grid", "1", "--prices", "static-second-best"),
}
LIMIT = 4.0


@pytest.mark.slow
@pytest.mark.parametrize(("buyers", "signals"), [(1, 20), (1, 31), (2, 6), (2, 8), (2, 15), (3, 5), (3, 10)])
@pytest.mark.parametrize("command", COMMANDS)
def test_limits_hold_with_many_signals(command, buyers, signals, tmp_path):
    ex.write_instance(many(buyers, signals), tmp_path / "many.toml")
    name, *options = COMMANDS[command]
    line = [sys.executable, "-m", "expost", name, "many.toml", *options, "--time-limit", str(LIMIT), "--json"]
    began = time.monotonic()
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert time.monotonic() - began < 1.1 * LIMIT + 2.0
    assert done.returncode in (0, 2, 3) and "Traceback" not in done.stderr, done.stderr
    assert done.returncode or json.loads(done.stdout)
