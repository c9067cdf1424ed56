"""expost: the best mechanism that ex post incentives allow, computed and proved.

    import expost as ex

    run = ex.solve("jmmz", grid=8)
    print(run.share, run.prices["1"])

Everything public is here, loaded when first used (PEP 562).
"""

from __future__ import annotations

from expost._version import __version__

TYPE_CHECKING = False  # typing's own: loading it takes as long as all else before the command hears Ctrl-C
if TYPE_CHECKING:
    from typing import Any

_HOMES = {
    "expost._typing": ("Objective", "Timing"),
    "expost.brackets.bracket": ("Bracket",),
    "expost.brackets.records": ("Bound",),
    "expost.errors": (
        "AuditError",
        "CheckFailed",
        "ExpostError",
        "InputError",
        "LimitReached",
        "SolverError",
    ),
    "expost.instances.assumptions": ("check_assumptions",),
    "expost.instances.catalogue": ("describe",),
    "expost.instances.buyer": ("Buyer",),
    "expost.instances.data_priors": ("discrete", "empirical"),
    "expost.instances.environment": ("Instance",),
    "expost.instances.load": ("load",),
    "expost.instances.priors": ("Prior",),
    "expost.instances.random_instances": ("random_instance",),
    "expost.instances.toml_file": ("instance_to_toml", "write_instance"),
    "expost.papers.constructions": ("constructions",),
    "expost.mechanisms.own": ("Prices", "Strikes"),
    "expost.runs.bayesian": ("Bayesian", "bayesian"),
    "expost.papers.zik.orders": ("implementability",),
    "expost.runs.bracket": ("bracket",),
    "expost.runs.check": ("CheckReport", "check"),
    "expost.runs.fit": ("Fit", "fit"),
    "expost.runs.compare": ("Comparison", "compare"),
    "expost.runs.dominate": ("Dominance", "dominate"),
    "expost.runs.epsilon": ("EpsilonFrontier", "epsilon"),
    "expost.runs.explain": ("Explanation",),
    "expost.runs.items": ("ItemsRun", "items"),
    "expost.runs.items_check": ("ItemsCheck", "items_check"),
    "expost.runs.lotteries": ("LotteryRun",),
    "expost.runs.lottery_bracket": ("LotteryBracket", "lottery_bracket"),
    "expost.runs.frontier": ("Frontier", "frontier"),
    "expost.runs.opening": ("open",),
    "expost.runs.run": ("Run",),
    "expost.runs.simplify": ("Simplification", "simplify"),
    "expost.runs.solve": ("solve",),
    "expost.runs.sweep": ("sweep",),
    "expost.runs.validate": ("Validation", "validate"),
    "expost.runs.checks": ("Verification",),
    "expost.runs.verify": ("verify",),
    "expost.show.plots.sweeps": ("plot_sweep",),
    "expost.spaces.grid": ("Grid",),
}
"""Where each public name lives."""

_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AuditError",
    "Bayesian",
    "Bound",
    "Bracket",
    "Buyer",
    "CheckFailed",
    "CheckReport",
    "Comparison",
    "Dominance",
    "EpsilonFrontier",
    "Explanation",
    "ExpostError",
    "Fit",
    "Frontier",
    "Grid",
    "InputError",
    "Instance",
    "ItemsCheck",
    "ItemsRun",
    "LimitReached",
    "LotteryBracket",
    "LotteryRun",
    "Objective",
    "Prices",
    "Prior",
    "Run",
    "Simplification",
    "SolverError",
    "Strikes",
    "Timing",
    "Validation",
    "Verification",
    "__version__",
    "bayesian",
    "bracket",
    "check",
    "check_assumptions",
    "compare",
    "constructions",
    "describe",
    "discrete",
    "dominate",
    "empirical",
    "epsilon",
    "fit",
    "frontier",
    "implementability",
    "instance_to_toml",
    "items",
    "items_check",
    "load",
    "lottery_bracket",
    "open",
    "plot_sweep",
    "random_instance",
    "simplify",
    "solve",
    "sweep",
    "validate",
    "verify",
    "write_instance",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'expost' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from expost._typing import Objective, Timing
    from expost.brackets import Bracket
    from expost.brackets.records import Bound
    from expost.errors import (
        AuditError,
        CheckFailed,
        ExpostError,
        InputError,
        LimitReached,
        SolverError,
    )
    from expost.instances.assumptions import check_assumptions
    from expost.instances.buyer import Buyer
    from expost.instances.catalogue import describe
    from expost.instances.data_priors import discrete, empirical
    from expost.instances.environment import Instance
    from expost.instances.load import load
    from expost.instances.priors import Prior
    from expost.instances.random_instances import random_instance
    from expost.instances.toml_file import instance_to_toml, write_instance
    from expost.mechanisms.own import Prices, Strikes
    from expost.papers.constructions import constructions
    from expost.papers.zik.orders import implementability
    from expost.runs.bayesian import Bayesian, bayesian
    from expost.runs.bracket import bracket
    from expost.runs.check import CheckReport, check
    from expost.runs.checks import Verification
    from expost.runs.compare import Comparison, compare
    from expost.runs.dominate import Dominance, dominate
    from expost.runs.epsilon import EpsilonFrontier, epsilon
    from expost.runs.explain import Explanation
    from expost.runs.fit import Fit, fit
    from expost.runs.frontier import Frontier, frontier
    from expost.runs.items import ItemsRun, items
    from expost.runs.items_check import ItemsCheck, items_check
    from expost.runs.lotteries import LotteryRun
    from expost.runs.lottery_bracket import LotteryBracket, lottery_bracket
    from expost.runs.opening import open  # noqa: A004
    from expost.runs.run import Run
    from expost.runs.simplify import Simplification, simplify
    from expost.runs.solve import solve
    from expost.runs.sweep import sweep
    from expost.runs.validate import Validation, validate
    from expost.runs.verify import verify
    from expost.show.plots.sweeps import plot_sweep
    from expost.spaces.grid import Grid
