"""The checks of something saved, one by one, and all of them together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from expost._shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Check:
    """One check of a run: what was checked, whether it held, and what was seen.

    proved: False where nothing contradicts the record and nothing proves it either.
    """

    name: str
    passed: bool
    detail: str
    proved: bool = True


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """All checks of a run, in order. ``of`` names the run or its folder."""

    of: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check held."""
        return all(check.passed for check in self.checks)

    def __bool__(self) -> bool:
        return self.passed

    def to_frame(self) -> pd.DataFrame:
        """One row a check."""
        import pandas as pd

        return pd.DataFrame([asdict(check) for check in self.checks])

    def summary(self) -> str:
        """Whether it passed, what failed, what rests on somebody's word."""
        failed = [check for check in self.checks if not check.passed]
        words = [check.name for check in self.checks if check.passed and not check.proved]
        lines = [f"{self.of}: {len(self.checks)} checks, {len(failed)} failed"]
        lines += [f"failed: {check.name}: {check.detail}" for check in failed[:3]]
        return "\n".join(lines + ([f"not proved: {', '.join(words)}"] if words else []))
