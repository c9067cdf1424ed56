"""Brackets: two-sided bounds on the continuum second best, each labelled rigorous or statistical."""

from expost.brackets.bracket import Bracket, open_bracket
from expost.brackets.records import Bound, Estimate
from expost.brackets.saved import save_bracket
from expost.brackets.search import bracket
from expost.brackets.verification import Check, bracket_checks, verify_bracket

__all__ = [
    "Bound",
    "Bracket",
    "Check",
    "Estimate",
    "bracket",
    "bracket_checks",
    "open_bracket",
    "save_bracket",
    "verify_bracket",
]
