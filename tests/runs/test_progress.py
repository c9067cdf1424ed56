"""Bars for people who look, and silence for everybody else; what is not for them goes to the log."""

import io
import logging
import threading
import time

import pytest

import expost as ex
from expost import _progress
from expost.brackets.account import Account


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self):
        return True


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.delenv("EXPOST_PROGRESS", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    begun = threading.Timer

    def soon(after, function):
        return begun(after / 50.0, function)

    monkeypatch.setattr(_progress.threading, "Timer", soon)


def drawn(monkeypatch, call):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    call()
    return terminal.getvalue()


def slowly(*_):
    time.sleep(0.15)


def sweeping():
    ex.sweep("jmmz", grid=[2, 3], objective=["welfare", "revenue"], progress=slowly)


def fitting():
    family = ex.Prices({"1": "a + b*s2", "2": "a + b*s1"}, a=0, b=1)
    ex.fit("one-dimensional", family, {"a": (0, 1), "b": (0, 2)}, time_limit=1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (sweeping, ("sweep of jmmz", "/4")),
        (lambda: ex.compare("jmmz", 2), ("compare jmmz", "/")),
        (lambda: ex.solve("three-buyers", 4), ("three-buyers: static", "to")),
        (lambda: ex.bracket("one-dimensional", 0.02, 1), ("bracket of one-dimensional", "to")),
        (lambda: ex.validate("Z-Theorem-2", "B-Lemma-1", quick=True), ("validate", "/")),
        (fitting, ("fit mine to one-dimensional", "compared")),
    ],
    ids=["sweep", "compare", "solve", "bracket", "validate", "fit"],
)
def test_a_long_call_shows_a_bar_to_whoever_looks(call, words, at_once, monkeypatch, capsys):
    seen = drawn(monkeypatch, call)
    for word in words:
        assert word in seen
    assert capsys.readouterr().out == ""


def test_nobody_looks_nothing_is_drawn(at_once, monkeypatch, capfd):
    sweeping()
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""
    monkeypatch.setenv("EXPOST_PROGRESS", "0")
    assert drawn(monkeypatch, sweeping) == ""


def test_a_bar_waits_and_a_call_that_ends_before_it_shows_nothing(monkeypatch):
    waits = []

    class Never:
        """A timer whose time does not come before the call ends, however slow the machine is."""

        def __init__(self, after, function):
            waits.append(after)

        def start(self):
            pass

        cancel = join = start

    monkeypatch.delenv("EXPOST_PROGRESS", raising=False)
    monkeypatch.setattr(_progress.threading, "Timer", Never)
    assert drawn(monkeypatch, lambda: ex.solve("jmmz", 3)) == ""
    assert drawn(monkeypatch, sweeping) == ""
    assert waits == [_progress.SOLVE, _progress.CALL]
    assert min(waits) > 0.25, "a call that ends while one blinks needs no bar"


def test_threads_and_calls_inside_of_others_stay_silent(at_once, monkeypatch):
    def in_a_thread():
        thread = threading.Thread(target=sweeping)
        thread.start()
        thread.join()

    assert drawn(monkeypatch, in_a_thread) == ""
    assert "jmmz: static" not in drawn(monkeypatch, sweeping)
    assert not _progress._shown.locked()


def test_an_error_ends_the_bar(at_once, monkeypatch):
    def failing():
        with pytest.raises(ZeroDivisionError):
            ex.sweep("jmmz", grid=[2, 3], progress=lambda *_: 1 / 0)

    drawn(monkeypatch, failing)
    assert not _progress._shown.locked()
    assert "sweep of jmmz" in drawn(monkeypatch, sweeping)


def test_names_in_bars_are_text(at_once, monkeypatch):
    buyers = [ex.Buyer("1", ["x"], "x"), ex.Buyer("2", ["y"], "y")]
    hostile = ex.Instance("[red]x[/red] [/nothing]", buyers)
    seen = drawn(monkeypatch, lambda: ex.sweep(hostile, grid=[2, 3, 4], progress=slowly))
    assert "[red]x[/red] [/nothing]" in seen


def test_what_happened_is_in_the_log(caplog):
    with caplog.at_level(logging.INFO, logger="expost"):
        run = ex.solve("jmmz", 3)
        ex.sweep("jmmz", grid=[2, 3])
    said = [record.getMessage() for record in caplog.records]
    assert all(record.name.startswith("expost.") for record in caplog.records)
    assert any("81 states" in line for line in said)
    assert any("optimal by mincut" in line and f"{run.welfare:.9g}" in line for line in said)
    assert sum("case" in line for line in said) == 2


def test_a_bracket_logs_its_bounds(caplog):
    with caplog.at_level(logging.INFO, logger=Account.__module__):
        found = ex.bracket("one-dimensional", 0.05)
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert f"upper {found.upper.value:.9g}" in said and f"lower {found.lower.value:.9g}" in said
