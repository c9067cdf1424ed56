"""Memory: what a step may take of what is free."""

from __future__ import annotations

import psutil

SHARE = 0.25
"""Of the free memory that one step may fill."""


def room(size: float) -> bool:
    """Whether ``size`` bytes are within the share."""
    return size <= SHARE * psutil.virtual_memory().available
