"""The mechanism of a rule under any mix of timings, and its audit: one place that knows both kinds of terms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from expost.formulations.assemble import Formulation
from expost.mechanisms.audit import Audit
from expost.mechanisms.mechanism import Mechanism, audit_static, static_mechanism
from expost.mechanisms.prices import Choice


def mechanism_of(formulation: Formulation, allocation: NDArray[np.bool_], choice: Choice) -> Mechanism:
    """The mechanism that implements ``allocation``."""
    return static_mechanism(formulation.space.values, allocation, choice)


def audit(formulation: Formulation, mechanism: Mechanism) -> Audit:
    """The audit by definition of a mechanism on the formulation's type space."""
    return audit_static(formulation.space.values, mechanism)
