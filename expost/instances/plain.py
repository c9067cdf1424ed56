"""What only grids can carry is refused by name where the continuum is asked for."""

from __future__ import annotations

from expost.errors import InputError
from expost.instances.environment import Instance


def require_continuous(instance: Instance, what: str) -> None:
    """Raise InputError, naming ``what``, for an instance with a joint density, several units or a discrete prior."""
    require_plain(instance, what)
    for signal in instance.signals:
        if instance.prior(signal).atoms is not None:
            raise InputError(
                f"{what} with a discrete prior",
                where=f"priors.{signal}",
                expected="continuous priors",
                remedy="ask for a grid: its points are the atoms themselves, and its figures no approximation in them",
            )


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
