"""Hostile arguments for the front door: each call has to end in an InputError."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import expost as ex

NAN, INF = float("nan"), float("inf")
LONG = "k" * 100_000


class Strange:
    """Nothing that anybody expects; its text is the same in every process."""

    def __repr__(self) -> str:
        return "strange"


STRANGE = Strange()
FREE = ex.Prices({"1": "1 + a", "2": "9"}, a=0.5)
THINGS = (
    None,
    3,
    2.5,
    True,
    b"jmmz",
    [],
    {},
    ["jmmz"],
    STRANGE,
    "",
    "\0",
    LONG,
    "nonsense",
    Path("none.toml"),
    "/dev/zero",
)
"""None of these is an instance."""

BAD: dict[str, tuple[Any, ...]] = {
    "grid": (None, "4", 2.5, 0, -1, True, [], {}, {"q": 2}, {"p1": 2}, {"p1": 2.5}, NAN, STRANGE, 10**12, b"2"),
    "timing": (3, "later", ["static"] * 3, None, [3], LONG, b"static", {"1": "static"}),
    "first": (3, "q", ["p1", "c1"], [3], {"p1": 1}, LONG, b"p1"),
    "objective": (2, -1, NAN, INF, "profit", None, True, [1], LONG),
    "restrict": ("foo", 3, True, LONG, []),
    "points": ("middle", 2, -1, NAN, True, [0.5], {"q": 0.5}, {"p1": 2}, None, LONG),
    "backend": ("nonsense", 3, None, "pulp:", LONG, []),
    "symmetric": (3, "yes", None),
    "time_limit": (0, -1, NAN, INF, "1", True, [1]),
    "gap": (-1, NAN, "x", True, []),
    "accuracy": (0, -1, 1.5, NAN, INF, "x", None, True, []),
    "brackets": (-1, NAN, INF, "x", None, True, []),
    "seed": (-1, 1.5, "x", None, True, NAN),
    "jobs": (0, -2, 1.5, "x", None, True, 10**12),
    "participation": ("ex ante", 3, None),
    "epsilon": ("x", -1, NAN, INF, [], None, ["x"], [-1]),
    "between": ("welfare", ["1", "9"], 3, None, ["welfare"] * 2),
}  # fmt: skip
CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[str, ...]]] = {
    "solve": (ex.solve, ("jmmz", 2), ("timing", "first", "objective", "restrict", "points", "backend", "symmetric",
                                      "time_limit", "gap")),
    "bracket": (ex.bracket, ("one-dimensional",), ("accuracy", "timing", "first", "time_limit", "seed", "jobs")),
    "compare": (ex.compare, ("one-dimensional", 2), ("backend", "time_limit", "brackets", "jobs")),
    "dominate": (ex.dominate, ("jmmz", "t*"), ("grid", "time_limit")),
    "check": (ex.check, ("jmmz", FREE), ("grid", "first", "brackets", "time_limit", "seed")),
    "fit": (ex.fit, ("jmmz", FREE, {"a": (0.5, 0.6)}), ("objective", "brackets", "time_limit", "jobs", "seed")),
    "sweep": (ex.sweep, ("jmmz",), ("grid", "jobs")),
    "frontier": (ex.frontier, ("jmmz", 2), ("between", "timing", "first", "restrict", "backend", "time_limit")),
    "bayesian": (ex.bayesian, ("jmmz",), ("grid", "participation", "time_limit")),
    "epsilon": (ex.epsilon, ("jmmz", 2), ("epsilon", "time_limit")),
    "items": (ex.items, ("example3-unit-demand",), ("grid", "time_limit")),
}  # fmt: skip
"""A call that works, and the keywords that are tried with what they cannot be."""
OWN: dict[tuple[str, str], tuple[Any, ...]] = {
    ("compare", "backend"): ("nonsense", "pulp:", LONG),
    ("frontier", "restrict"): ("foo", 3, True),
    ("items", "grid"): (None, "4", 2.5, 0, -1, True, [], {}, NAN, 10**6),
    ("sweep", "grid"): (None, "4", 2.5, 0, -1, True, [], {}, {"q": 2}, {"p1": 2}, NAN, b"2"),
    ("solve", "first"): (3, "q", ["c1", "p1"], [3], {"p1": 1}, LONG, b"p1"),
}
"""Where values mean something else than in ``BAD``."""

SINGLE: dict[str, Callable[[], Any]] = {
    "Buyer without signals": lambda: ex.Instance("x", [ex.Buyer("1", [], "1")]),
    "Buyer of a number": lambda: ex.Instance("x", [3]),  # type: ignore[list-item]
    "no buyers": lambda: ex.Instance("x", []),
    "buyers of nothing": lambda: ex.Instance("x", None),  # type: ignore[arg-type]
    "a name that is none": lambda: ex.Instance(3, [ex.Buyer("1", ["a"], "a")]),  # type: ignore[arg-type]
    "a value of a list": lambda: ex.Instance("x", [ex.Buyer("1", ["a"], [1])]),  # type: ignore[arg-type]
    "a value of a class": lambda: ex.solve(ex.Instance("x", [ex.Buyer("1", ["a"], dict)]), 2),
    "a function of another shape": lambda: ex.solve(ex.Instance("x", [ex.Buyer("1", ["a"], lambda a: [1, 2, 3])]), 2),
    "a function of text": lambda: ex.solve(ex.Instance("x", [ex.Buyer("1", ["a"], lambda a: "x")]), 2),
    "a function of complex numbers": lambda: ex.solve(ex.Instance("x", [ex.Buyer("1", ["a"], lambda a: a * 1j)]), 2),
    "a function of nothing": lambda: ex.solve(ex.Instance("x", [ex.Buyer("1", ["a"], lambda a: None)]), 2),
    "a function of strangers": lambda: ex.solve(ex.Instance("x", [ex.Buyer("1", ["a"], lambda q: q)]), 2),
    "a function of no number": lambda: ex.solve(ex.Instance("x", [ex.Buyer("1", ["a"], lambda a: a * NAN)]), 2),
    "priors of nothing": lambda: ex.Instance("x", [ex.Buyer("1", ["a"], "a")], priors={"a": 3}),
    "priors a list": lambda: ex.Instance("x", [ex.Buyer("1", ["a"], "a")], priors=[1]),  # type: ignore[arg-type]
    "parameters of text": lambda: ex.Instance("x", [ex.Buyer("1", ["a"], "a")], parameters={"k": "x"}),
    "units of text": lambda: ex.Instance("x", [ex.Buyer("1", ["a"], "a")], units="2"),  # type: ignore[arg-type]
    "units of half": lambda: ex.Instance("x", [ex.Buyer("1", ["a"], "a")], units=0.5),  # type: ignore[arg-type]
    "a seller of a list": lambda: ex.Instance("x", [ex.Buyer("1", ["a"], "a")], seller=[]),  # type: ignore[arg-type]
    "discrete of nothing": lambda: ex.discrete([]),
    "discrete of text": lambda: ex.discrete(["x"]),
    "discrete without weights": lambda: ex.discrete([1, 2], [0, 0]),
    "discrete of nan": lambda: ex.discrete([NAN]),
    "discrete of two axes": lambda: ex.discrete([[1, 2], [3, 4]]),
    "empirical of nothing": lambda: ex.empirical([]),
    "empirical of text": lambda: ex.empirical("bids"),
    "empirical of inf": lambda: ex.empirical([1, INF]),
    "Prior unknown": lambda: ex.Prior("nonsense", {}).check(where="x"),
    "Grid of nothing": lambda: ex.Grid(0),
    "Grid of text": lambda: ex.Grid("x"),  # type: ignore[arg-type]
    "Grid off": lambda: ex.Grid(2, 3.0),
    "parameters that are none": lambda: ex.load("jmmz", q=1),
    "parameters of no number": lambda: ex.load("linear", alpha11=NAN),
    "parameters of words": lambda: ex.load("linear", alpha11="x"),  # type: ignore[arg-type]
    "Prices of nothing": lambda: ex.check("jmmz", ex.Prices({}), 2),
    "Prices of a list": lambda: ex.check("jmmz", ex.Prices([1, 2]), 2),  # type: ignore[arg-type]
    "Prices of nobody": lambda: ex.check("jmmz", ex.Prices({"9": "1"}), 2),
    "Prices of no number": lambda: ex.check("jmmz", ex.Prices({"1": lambda p2: p2 * NAN, "2": "9"}), 2),
    "Prices of a wrong parameter": lambda: ex.Prices({"1": "a", "2": "9"}, a="x"),  # type: ignore[arg-type]
    "Strikes of a second signal": lambda: ex.check("jmmz", ex.Strikes({"1": "c1 + q", "2": "9"}), 2),
    "a mechanism that is none": lambda: ex.check("jmmz", 3, 2),  # type: ignore[arg-type]
    "dominate of nothing": lambda: ex.dominate(None, None),  # type: ignore[arg-type]
    "dominate without an instance": lambda: ex.dominate(None, "t*"),
    "fit of nothing": lambda: ex.fit("jmmz", FREE, {}),
    "fit of a list": lambda: ex.fit("jmmz", FREE, [1]),  # type: ignore[arg-type]
    "fit of an unknown": lambda: ex.fit("jmmz", FREE, {"q": (0, 1)}),
    "fit of one number": lambda: ex.fit("jmmz", FREE, {"a": 1}),  # type: ignore[dict-item]
    "fit of an empty range": lambda: ex.fit("jmmz", FREE, {"a": (1, 0)}),
    "fit of nan": lambda: ex.fit("jmmz", FREE, {"a": (NAN, 1)}),
    "fit of a construction": lambda: ex.fit("jmmz", "t*", {"a": (0, 1)}),
    "sweep of nothing": lambda: ex.sweep("jmmz", grid=2, timing=[]),
    "sweep of an unknown": lambda: ex.sweep("jmmz", grid=2, colour=1),
    "sweep of rows that are none": lambda: ex.sweep("jmmz", rows="none.csv"),
    "sweep of rows of nothing": lambda: ex.sweep("jmmz", rows=3),  # type: ignore[arg-type]
    "validate of nobody": lambda: ex.validate("B-Theorem-99"),
    "validate of nothing": lambda: ex.validate(""),
    "validate of a number": lambda: ex.validate(3),  # type: ignore[arg-type]
    "validate of None": lambda: ex.validate(None),  # type: ignore[arg-type]
    "validate with jobs": lambda: ex.validate("Z-Claim-1", jobs=0),
    "validate with a seed": lambda: ex.validate("Z-Claim-1", seed=-1),
    "open of nothing": lambda: ex.open("none"),
    "open of a null byte": lambda: ex.open("\0"),
    "open of a long name": lambda: ex.open(LONG),
    "open of a device": lambda: ex.open("/dev/zero"),
    "open of None": lambda: ex.open(None),  # type: ignore[arg-type]
    "verify of nothing": lambda: ex.verify("none"),
    "verify of None": lambda: ex.verify(None),  # type: ignore[arg-type]
    "simplify of nothing": lambda: ex.simplify(None),  # type: ignore[arg-type]
    "constructions of nothing": lambda: ex.constructions("nonsense"),
    "implementability of nothing": lambda: ex.implementability("nonsense"),
    "text of nothing": lambda: ex.instance_to_toml("nonsense"),
    "random of nothing": lambda: ex.random_instance(0, buyers=0),
    "random of a negative seed": lambda: ex.random_instance(-1),
    "random of a family": lambda: ex.random_instance(0, family="none"),
    "write to nowhere": lambda: ex.write_instance(ex.load("jmmz"), "/proc/none/x.toml"),
    "write to a full disk": lambda: ex.write_instance(ex.load("jmmz"), "/dev/full"),
    "a function to a file": lambda: ex.instance_to_toml(ex.Instance("x", [ex.Buyer("1", ["a"], lambda a: a)])),
}  # fmt: skip


def all_calls() -> dict[str, Callable[[], Any]]:
    """Every call by name."""
    found: dict[str, Callable[[], Any]] = {}
    for name, (function, arguments, keywords) in CALLS.items():
        for keyword in keywords:
            for value in OWN.get((name, keyword), BAD[keyword]):
                found[f"{name} {keyword} {ascii(value)[:40]}"] = _bound(function, arguments, keyword, value)
    instances = itertools.product(
        ((ex.load, ()), (ex.solve, (2,)), (ex.bracket, ()), (ex.check_assumptions, ())), THINGS
    )
    for (function, rest), thing in instances:
        found[f"{function.__name__} of {ascii(thing)[:40]}"] = _bound(function, (thing, *rest))
    return {**found, **SINGLE}


def _bound(
    function: Any, arguments: tuple[Any, ...], keyword: str = "", value: Any = None
) -> Callable[[], Any]:
    if keyword == "grid" and function in (ex.items, ex.bayesian, ex.sweep):
        arguments = arguments[:1]
    return lambda: function(*arguments, **({keyword: value} if keyword else {}))
