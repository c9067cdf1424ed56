"""The figures of docs/sequential.md, and of docs/findings.md, are what the package computes."""

import re
from pathlib import Path

import numpy as np
import pytest

from expost.formulations.sequential import sequential_block
from expost.formulations.sequential_strikes import strike_rule
from expost.instances.catalogue import load
from expost.runs.compare import compare
from expost.spaces.type_space import discretize

DOCS = Path(__file__).parents[2] / "docs"
TEXT = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("sequential.md", "findings.md"))


def rows(columns):
    found = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT.splitlines()
        if re.match(r"\| \d", line)
    ]
    return [row for row in found if len(row) == columns]


@pytest.mark.parametrize("points", [8, 16])
def test_arcs_per_state_are_as_stated(points):
    row = next(row for row in rows(6) if row[0] == str(points))
    cases = [
        ("jmmz", "p1"),
        ("jmmz", "c1"),
        ("privatization", "m"),
        ("privatization", "f"),
        ("common-value", "p1"),
    ]
    for cell, (name, first) in zip(row[1:], cases, strict=True):
        space = discretize(load(name), points)
        block = sequential_block(space, 0, first)
        assert cell == f"{len(block.tails) / space.states:.2f} ({block.size / space.states:.2f})"


@pytest.mark.parametrize("points", [4, 8, 12])
def test_the_comparison_is_as_stated(points):
    row = next(row for row in rows(5) if row[0] == str(points))
    comparison = compare(
        load("jmmz"),
        points,
        firsts=[("c1", "c2"), ("p1", "c2"), ("c1", "p2"), ("p1", "p2")],
        constructions=False,
    )
    static, common, mixed, turned, private = [f"{found.welfare:.5f}" for found in comparison.rows[1:]]
    assert row[1:] == [static, common, mixed, private] and turned == mixed
    assert private == f"{comparison.first_best:.5f}"


@pytest.mark.parametrize("points", [16, 32, 64, 128])
def test_what_breaking_ties_would_cost_is_as_stated(points):
    row = next(row for row in rows(3) if row[0] == str(points))
    space = discretize(load("privatization"), points)
    values = np.round(space.values[0], 12)
    listed = len(values) - 1 - np.argsort(values[::-1], kind="stable")
    best = np.append(np.cumsum(space.gains[0][listed][::-1]), 0.0).max() / len(values)
    excess = strike_rule(space, "f")[0] - space.seller - best
    assert row[1:] == [str(len(values) - len(np.unique(values))), f"{excess:.1e}"]
