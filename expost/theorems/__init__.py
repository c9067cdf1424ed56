"""One function per claim of the papers: computed value, theoretical value, residual of each hypothesis."""

from expost.theorems.registry import CLAIMS, Claim, select, validate
from expost.theorems.verdict import Outcome, Verdict

__all__ = ["CLAIMS", "Claim", "Outcome", "Verdict", "select", "validate"]
