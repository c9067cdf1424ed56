"""Brackets: two-sided bounds on the continuum second best, each labelled rigorous or statistical."""

from expost.brackets.records import Bound, Bracket, Estimate
from expost.brackets.search import bracket

__all__ = ["Bound", "Bracket", "Estimate", "bracket"]
