"""The economics: environment, signals and priors, valuations, assumption checks, catalogue, files."""

from expost.instances.environment import Buyer, Instance, check_instance, non_finite_witness
from expost.instances.priors import UNIFORM, Prior
from expost.instances.valuations import Valuation, as_valuation

__all__ = [
    "UNIFORM",
    "Buyer",
    "Instance",
    "Prior",
    "Valuation",
    "as_valuation",
    "check_instance",
    "non_finite_witness",
]
