"""What only grids can carry is refused by name where the continuum is asked for."""

from __future__ import annotations

from expost.errors import InputError
from expost.instances.environment import Instance


def require_plain(instance: Instance, what: str) -> None:
    """Raise InputError, naming ``what``, for an instance with a joint density or several units."""
    if instance.joint is not None:
        raise InputError(
            f"{what} under a joint density",
            where="joint: density",
            expected="independent signals",
            remedy="ask for a grid: solve, compare and dominate take any density under static timing",
        )
    if instance.units > 1:
        raise InputError(
            f"{what} with {instance.units} units",
            where="units",
            expected="one unit",
            remedy="ask for a grid: solve and compare take any number of units",
        )
