"""Brackets: two-sided bounds on the continuum second best, each labelled rigorous or statistical."""

from expost.formulations.brackets.records import Bound, Bracket, Estimate
from expost.formulations.brackets.search import bracket

__all__ = ["Bound", "Bracket", "Estimate", "bracket"]
