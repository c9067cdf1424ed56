"""Tables on a terminal: at 60 and at 80 columns every name and every figure is there whole."""

import io

import pytest
from rich.console import Console

import expost as ex
from expost._shown import apart, percent
from expost.show import console


@pytest.fixture(scope="module")
def compared():
    return ex.compare("jmmz", 2)


def printed(monkeypatch, width, draw):
    out = io.StringIO()
    monkeypatch.setattr(
        console, "console", lambda: Console(file=out, width=width, highlight=False, markup=False)
    )
    draw()
    text = out.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    return text


@pytest.mark.parametrize("width", [60, 80])
def test_a_comparison_is_readable(compared, width, monkeypatch):
    lines = [
        line.split()
        for line in printed(monkeypatch, width, lambda: console.comparison_table(compared)).splitlines()
    ]
    for row in (*compared.rows, *compared.constructions):
        name = console.short_name(row.name).split()
        line = next(words for words in lines if words[: len(name)] == name)
        digits = 4 if width < console.NARROW else 6
        assert (
            line[len(name)] == f"{row.welfare:.{digits}f}"
            and line[len(name) + 1] == f"{row.share:.{digits // 2 - 1}%}"
        )


@pytest.mark.parametrize("width", [60, 80])
def test_a_solved_run_is_readable(width, monkeypatch):
    run = ex.solve("jmmz", 3)
    text = printed(monkeypatch, width, lambda: console.result_table(run.record, None))
    for name, value in (
        ("first best", run.first_best),
        ("second best", run.welfare),
        ("revenue", run.revenue),
    ):
        line = next(
            line
            for line in text.splitlines()
            if line.split("  ")[1:2] == [name] or line.strip().startswith(name)
        )
        assert f"{value:.6f}" in line


def test_a_symmetric_run_says_what_symmetry_costs(monkeypatch):
    free = ex.solve("jmmz", 3).record
    alike = ex.solve("jmmz", 3, symmetric=True).record
    assert alike.welfare < free.welfare
    text = printed(monkeypatch, 80, lambda: console.result_table(alike, None))
    line = next(line for line in text.splitlines() if "unrestricted bound" in line)
    assert f"{free.upper_bound:.6f}" in line
    assert f"{free.upper_bound - alike.welfare:.6f}" in line
    assert "unrestricted" not in printed(monkeypatch, 80, lambda: console.result_table(free, None))


def test_what_was_refused_is_said_below(monkeypatch):
    found = ex.compare("one-dimensional", 3, firsts=[("s1", None)], constructions=False)
    text = printed(monkeypatch, 60, lambda: console.comparison_table(found))
    assert "refused" in text and "s1 first: " in text


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        ({}, "buyer & p1 & c1 & p2 & c2 & price & buys"),
        (
            {"timing": "sequential", "first": ["c1", "c2"]},
            "buyer & p1 & c1 & p2 & c2 & from & to & strike & fee & buys",
        ),
    ],
)
def test_terms_in_latex_fit_a_page(asked, columns):
    text = ex.solve("jmmz", 2, **asked).to_latex(digits=3)
    assert rf"{columns} \\" in text.splitlines()
    assert r"strike\_lower" in ex.solve("jmmz", 2, **asked).to_latex(digits=None)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.00%"), (0.0233, "2.33%"), (1e-4, "0.01%"), (4.8e-6, "0.0005%"), (-1.0, "-100.00%")],
)
def test_a_small_share_is_not_hidden(share, text):
    assert percent(share) == text


@pytest.mark.parametrize("width", [0.3, 1e-6, 3.1e-7, 1e-8, 9.99e-10, 4e-13])
def test_close_numbers_are_told_apart(width):
    decimals = apart(width)
    assert f"{0.0646589:.{decimals}f}" != f"{0.0646589 + width:.{decimals}f}"
    assert decimals >= 6
