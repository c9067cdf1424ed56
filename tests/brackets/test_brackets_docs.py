"""The methods of docs/brackets.md are those of the code."""

from pathlib import Path

import pytest

from expost.instances.catalogue import load
from expost.runs.bracket import bracket

TEXT = (Path(__file__).parents[2] / "docs" / "brackets.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_method_of_a_search_is_explained():
    found = bracket(load("one-dimensional"), 1e-4, 10)
    known = (
        "first best",
        "random offsets",
        "random types",
        "dual function",
        "never sell",
        "alone",
        "cells",
        "completion",
    )
    for bound in found.history:
        assert any(word in bound.method for word in known), bound.method
        assert any(word in TEXT for word in known if word in bound.method)
