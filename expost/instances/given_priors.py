"""What may stand for a prior: our own, a table of a file, a distribution of scipy.stats."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from expost.errors import InputError
from expost.instances.data_priors import (
    MOST_ATOMS,
    Discrete,
    Empirical,
    discrete,
    numbers,
    read_column,
    warn_of_extrapolation,
)
from expost.instances.priors import Prior
from expost.instances.words import nearest

AnyPrior: TypeAlias = Prior | Discrete | Empirical


def as_prior(given: Any, *, where: str, folder: Path | None = None) -> AnyPrior:
    """The prior that ``given`` stands for: a prior, the table of a file, or a frozen distribution of scipy.stats.

    folder: where relative paths of data files start. Raises InputError for anything else.
    """
    if isinstance(given, Prior | Discrete | Empirical):
        return given
    if isinstance(given, Mapping):
        return _from_table(dict(given), where, folder)
    if getattr(type(given), "__module__", "").startswith("scipy.stats"):
        return _from_scipy(given, where)
    raise InputError(
        f"a prior of type {type(given).__name__}",
        where=where,
        expected="a frozen distribution such as scipy.stats.beta(2, 3), discrete(values, weights) "
        "or empirical(sample)",
    )


def _from_table(table: dict[str, Any], where: str, folder: Path | None) -> AnyPrior:
    distribution = table.pop("distribution", "uniform")
    if distribution == "discrete":
        _only(table, ("values", "weights"), "discrete", where)
        values = numbers(table.get("values", ()), f"{where}.values")
        weights = (
            numbers(table["weights"], f"{where}.weights") if "weights" in table else (1.0,) * len(values)
        )
        if len(values) != len(weights):
            return Discrete(values, weights)  # whose check says so
        pairs = sorted(zip(values, weights, strict=True))
        return Discrete(tuple(v for v, _ in pairs), tuple(w for _, w in pairs))
    if distribution == "empirical":
        return _sample(table, where, folder)
    return Prior(distribution, table)


def _sample(table: dict[str, Any], where: str, folder: Path | None) -> Empirical:
    _only(table, ("sample", "file", "column"), "empirical", where)
    if ("sample" in table) == ("file" in table):
        raise InputError(
            "both a sample and a file" if "sample" in table else "no sample",
            where=where,
            expected='sample = [...], or file = "bids.csv" and column = "value"',
        )
    if "sample" in table:
        return Empirical(tuple(sorted(numbers(table["sample"], f"{where}.sample"))))
    prior = Empirical(
        tuple(sorted(read_column((folder or Path()) / table["file"], table.get("column"), where)))
    )
    prior.check(where=where)
    warn_of_extrapolation(prior, where)
    return prior


def _only(table: Mapping[str, Any], allowed: tuple[str, ...], distribution: str, where: str) -> None:
    for key in table:
        if key not in allowed:
            raise InputError(
                f"unknown key {key!r} of a prior that is {distribution}",
                where=where,
                expected=f"only distribution, {', '.join(allowed)}",
                remedy=nearest(key, list(allowed)),
            )


def _from_scipy(given: Any, where: str) -> AnyPrior:
    import scipy.stats

    kinds = scipy.stats.rv_continuous | scipy.stats.rv_discrete
    law = given if isinstance(given, kinds) else getattr(given, "dist", None)
    if isinstance(given, kinds) and given.shapes:
        raise InputError(
            f"scipy.stats.{given.name} without its parameters",
            where=where,
            expected=f"a frozen distribution: scipy.stats.{given.name}({given.shapes})",
        )
    if isinstance(law, scipy.stats.rv_discrete):
        return _atoms_of(given, law.name, where)
    name = getattr(law, "name", None)
    if not isinstance(law, scipy.stats.rv_continuous) or type(law) is not type(
        getattr(scipy.stats, str(name), None)
    ):
        raise InputError(
            f"{type(given).__name__}, which is no distribution that scipy.stats knows by name",
            where=where,
            expected="a frozen distribution such as scipy.stats.beta(2, 3)",
            remedy="draw from it and use empirical(sample)",
        )
    return Prior(str(name), _named(law, getattr(given, "args", ()), getattr(given, "kwds", {}), where))


def _named(law: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any], where: str) -> dict[str, float]:
    """The parameters of a frozen distribution under their names. Raises InputError for arrays of parameters."""
    names = [*(shape.strip() for shape in (law.shapes or "").split(",") if shape.strip()), "loc", "scale"]
    named = dict(zip(names, arguments, strict=False)) | dict(keywords)
    for name, value in named.items():
        if np.ndim(value) != 0:
            raise InputError(f"{name} = {value!r:.40}", where=where, expected="one number a parameter")
    return {name: float(value) for name, value in named.items()}


def _atoms_of(law: Any, name: str, where: str) -> Discrete:
    """The atoms of a discrete distribution of scipy.stats on finitely many integers."""
    low, high = (float(end) for end in law.support())
    if not (np.isfinite(low) and np.isfinite(high)) or high - low >= MOST_ATOMS:
        raise InputError(
            f"scipy.stats.{name}, which takes infinitely many values (or more than {MOST_ATOMS})",
            where=where,
            expected="a continuous distribution, or finitely many atoms",
            remedy="cut it off: discrete(values, weights)",
        )
    values = np.arange(low, high + 1.0)
    weights = np.asarray(law.pmf(values), dtype=np.float64)
    logging.getLogger("expost").debug("%s: scipy.stats.%s as %d atoms", where, name, len(values))
    return discrete(values[weights > 0.0].tolist(), weights[weights > 0.0].tolist())
