import logging
from types import SimpleNamespace

import pytest

from expost.brackets.account import Account
from expost.brackets.clock import Clock
from expost.brackets.forecast import LEFT, Forecast, kind, spoken
from expost.brackets.workers import Workers
from expost.cli import run_command
from expost.instances.catalogue import load
from expost.spaces.quantile_space import quantile_space


def forecast(width, accuracy, seconds=(10.0, 40.0, 90.0)):
    found = object.__new__(Forecast)
    found.account = SimpleNamespace(
        lower=SimpleNamespace(value=1.0 - width), upper=SimpleNamespace(value=1.0), accuracy=accuracy
    )
    found.seconds, found.remains = list(seconds), LEFT["static"]
    return found


def test_a_narrower_bracket_takes_more_stages():
    assert forecast(0.2, 0.2001 * LEFT["static"][0]).left(0) == 10.0
    assert forecast(0.2, 0.2001 * LEFT["static"][1]).left(0) == 50.0
    assert forecast(0.2, 0.001).left(0) is None


def test_what_a_stage_has_reached_is_believed():
    slow = forecast(0.2, 0.2001 * LEFT["static"][1])
    slow.account.lower.value = (
        1.0 - 0.4 * LEFT["static"][0]
    )  # twice as wide as expected after the first stage
    assert slow.left(1) is None
    slow.account.lower.value = 1.0 - 0.2 * LEFT["static"][0]
    assert slow.left(1) == 40.0


def test_later_stages_are_as_slow_as_the_last_one_was():
    slow = forecast(0.2, 0.2001 * LEFT["static"][1])
    slow.learn(0, 30.0)  # it was expected to take 10
    assert slow.seconds[1:] == [120.0, 270.0]


@pytest.mark.parametrize(
    ("name", "timing", "expected"),
    [("jmmz", "static", "static"), ("jmmz", "sequential", "sequential"), ("three-buyers", "static", "more")],
)
def test_an_instance_is_compared_with_one_of_its_kind(name, timing, expected):
    instance = load(name)
    first = tuple(b.signals[1] if timing == "sequential" else None for b in instance.buyers)
    assert kind(quantile_space(instance, timing, first)) == expected


@pytest.mark.parametrize(("seconds", "text"), [(0.1, "1 s"), (34.0, "30 s"), (150.0, "2 minutes")])
def test_times_are_rough(seconds, text):
    assert spoken(seconds) == text


def test_what_is_told_is_logged_and_shown(caplog):
    shown = []
    space = quantile_space(load("jmmz"), "static", (None, None))
    account = Account(
        space, 0.05, Clock(), Workers(1), False, 0, 0.99, lambda standing: shown.append(standing.stage)
    )
    account.lower, account.upper = SimpleNamespace(value=0.75), SimpleNamespace(value=0.9)
    with caplog.at_level(logging.INFO, "expost.brackets.forecast"):
        Forecast(account).tell(0)
    assert caplog.messages[0].startswith("about ") and caplog.messages[0].endswith(" to a width of 5%")
    assert shown == [f"forecast: {caplog.messages[0]}"]


@pytest.mark.slow
def test_a_bracket_begins_with_a_forecast(capsys):
    run_command(["bracket", "jmmz", "--accuracy", "0.1", "--time-limit", "20"])
    assert capsys.readouterr().err.startswith("expost: about ")
