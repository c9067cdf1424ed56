"""The economics: environment, signals and priors, valuations, assumption checks, catalogue, files."""

from expost.instances.assumptions import AssumptionReport, check_assumptions
from expost.instances.buyer import Buyer
from expost.instances.data_priors import Discrete, Empirical, discrete, empirical
from expost.instances.environment import Instance, non_finite_witness
from expost.instances.load import load
from expost.instances.priors import UNIFORM, Prior
from expost.instances.random_instances import random_instance
from expost.instances.toml_file import (
    instance_from_toml,
    instance_to_toml,
    read_instance,
    write_instance,
)
from expost.instances.valuations import Valuation, as_valuation

__all__ = [
    "UNIFORM",
    "AssumptionReport",
    "Buyer",
    "Discrete",
    "Empirical",
    "Instance",
    "Prior",
    "Valuation",
    "as_valuation",
    "check_assumptions",
    "discrete",
    "empirical",
    "instance_from_toml",
    "instance_to_toml",
    "load",
    "non_finite_witness",
    "random_instance",
    "read_instance",
    "write_instance",
]
