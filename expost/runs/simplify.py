"""``simplify``: price formulas of few terms, read off an optimum.

The prices of an optimum (of a grid, or of the mechanism that attains a bracket's lower end) are regressed on a library
of terms in the others' signals: of every set of so many terms the ones of least squares are kept. Among these the one
of highest welfare is taken, its coefficients are fitted again to welfare in the continuum, and the result is checked.
The last buyer is completed, so that each formula is an admissible mechanism.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost._typing import Float
from expost.brackets import Bracket
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.formula import Formula
from expost.mechanisms.own import Prices
from expost.mechanisms.prices import PriceTable
from expost.runs.arguments import seed_of
from expost.runs.check import CheckReport, check
from expost.runs.fit import best_start, polished
from expost.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

STATES = 4096
"""States at which the prices of a bracket's mechanism are read."""
MOST = 4
KEPT, MOST_FAMILIES = 6, 36
"""Sets of terms of each buyer, and combinations of them, whose welfare is compared."""


@dataclass(frozen=True)
class SimpleMechanism:
    """Prices of so many terms a buyer, with their check."""

    terms: int
    prices: Prices
    report: CheckReport = field(repr=False)

    @property
    def welfare(self) -> float:
        """Expected welfare in the continuum."""
        return float("nan") if self.report.welfare is None else self.report.welfare

    def formulas(self) -> dict[str, str]:
        """The formulas with their coefficients in place, by buyer."""
        found = {}
        numbers = sorted(self.prices.parameters.items(), key=lambda pair: -len(pair[0]))
        for buyer, text in self.prices.formulas().items():
            found[buyer] = reduce(lambda now, pair: now.replace(pair[0], f"{pair[1]:.6g}"), numbers, text)
        return found


@dataclass(frozen=True, repr=False)
class Simplification(Shown):
    """Simple mechanisms by number of terms. welfare: of what they simplify, in the continuum where it is a bracket's
    lower end, on its grid where it is a run."""

    instance: str
    welfare: float
    of: str
    mechanisms: tuple[SimpleMechanism, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row a mechanism: terms, formulas, welfare with its error, what share of ``welfare`` it keeps."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "terms": one.terms,
                    "prices": "; ".join(f"{buyer}: {text}" for buyer, text in one.formulas().items()),
                    "welfare": one.welfare,
                    "error": one.report.error,
                    "kept": one.welfare / self.welfare,
                    "admissible": one.report.admissible,
                }
                for one in self.mechanisms
            ]
        )

    def to_frame(self) -> pd.DataFrame:
        """The same as ``table``."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what ``expost simplify --json`` prints."""
        return {
            "instance": self.instance,
            "welfare": self.welfare,
            "of": self.of,
            "mechanisms": [
                {
                    "terms": one.terms,
                    "prices": one.formulas(),
                    "welfare": one.report.welfare,
                    "error": one.report.error,
                    "kept": one.welfare / self.welfare,
                    "admissible": one.report.admissible,
                }
                for one in self.mechanisms
            ],
        }

    def lines(self) -> list[tuple[str, str, str]]:
        """Rows of a table: terms, welfare with what it keeps, formulas."""
        return [
            (
                f"{one.terms} term{'s' if one.terms > 1 else ''}",
                f"{one.welfare:.6f}",
                f"keeps {one.welfare / self.welfare:.2%}: "
                + "; ".join(f"{buyer}: {text}" for buyer, text in one.formulas().items()),
            )
            for one in self.mechanisms
        ]

    def best(self, terms: int) -> SimpleMechanism:
        """The mechanism with so many terms. Raises KeyError when there is none."""
        return {one.terms: one for one in self.mechanisms}[terms]

    def summary(self) -> str:
        """A line for each number of terms."""
        head = f"{self.instance}: {self.of}, welfare {self.welfare:.6f}"
        lines = [
            f"{one.terms} term{'s keep' if one.terms > 1 else ' keeps'} {one.welfare / self.welfare:.2%}: "
            + "; ".join(f"{buyer}: {text}" for buyer, text in one.formulas().items())
            for one in self.mechanisms
        ]
        return "\n".join([head, *lines])


def simplify(
    optimum: Run | Bracket, most: int = MOST, *, terms: Sequence[str] = (), seed: int = 0
) -> Simplification:
    """Price formulas of one to ``most`` terms that come close to an optimum, each an admissible mechanism.

    optimum: a static run, or a static bracket. terms: formulas in signals to consider beside the library (constants,
    signals, their squares, cubes and roots, products, maxima and minima of two); a buyer may use those of the others'
    signals alone. seed: of all random numbers.

    Raises InputError for sequential timing, one buyer, and terms that are refused.
    """
    instance, welfare, of = _what(optimum)
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError(f"{most!r}", where="most", expected="a whole number of terms, at least 1")
    if (
        isinstance(terms, str)
        or not isinstance(terms, Sequence)
        or not all(isinstance(x, str) for x in terms)
    ):
        raise InputError(
            f"{terms!r}",
            where="terms",
            expected="formulas to consider, in a list",
            remedy='for example terms=["p2*c2"]; the number of terms is most',
        )
    leaders = range(instance.n - 1)
    _check_terms(instance, leaders, terms)
    samples = {i: _sample(instance, i, *_prices(optimum, i, seed_of(seed)), terms) for i in leaders}
    found = []
    for count in range(1, most + 1):
        sets = {i: _best_sets(sample, count) for i, sample in samples.items()}
        if not all(sets.values()):
            break
        start, stated = best_start(instance, _families(instance, samples, sets), seed)
        chosen = polished(instance, stated, start, seed)
        report = check(instance, chosen, grid=3, seed=seed + 1)
        found.append(SimpleMechanism(count, chosen, report))
    return Simplification(instance.name, welfare, of, tuple(found))


def _check_terms(instance: Instance, leaders: Sequence[int], terms: Sequence[str]) -> None:
    """Raise InputError for a term that no buyer with a formula may use."""
    others = [
        [s for k, buyer in enumerate(instance.buyers) if k != i for s in buyer.signals] for i in leaders
    ]
    for text in terms:
        names = set(Formula(text, where="terms").signals)
        if not any(names <= set(signals) for signals in others):
            raise InputError(
                f"{text!r:.60}",
                where="terms",
                expected="a formula in " + ", or in ".join(", ".join(signals) for signals in others),
                remedy="a buyer's prices depend on the others' signals alone; the last buyer's are completed",
            )


def _what(optimum: Run | Bracket) -> tuple[Instance, float, str]:
    if isinstance(optimum, Run):
        instance, welfare, of = optimum.instance, optimum.welfare, f"optimum of grid {optimum.record.grid}"
        static = optimum.record.timing == "static"
    elif isinstance(optimum, Bracket) and optimum.mechanism is not None:
        instance, welfare, of = (
            optimum.mechanism.space.stated,
            float(optimum.lower),
            "lower end of the bracket",
        )
        static = optimum.timing == "static"
    else:
        raise InputError(f"a {type(optimum).__name__}", where="optimum", expected="a run or a bracket")
    if not static or instance.n < 2:
        raise InputError(
            "sequential timing" if instance.n > 1 else "one buyer",
            where="optimum",
            expected="prices of two buyers or more, all static",
        )
    return instance, welfare, of


def _prices(optimum: Run | Bracket, i: int, seed: int) -> tuple[dict[str, Float], Float]:
    """The others' signals and buyer ``i``'s finite prices there, (states,) each."""
    if isinstance(optimum, Run):
        terms = optimum.mechanism.terms[i]
        assert isinstance(terms, PriceTable)
        price = terms.price
        others = [own for k, own in enumerate(optimum.space.types) if k != i]
        signals = {
            name: np.broadcast_to(
                column.reshape((1,) * k + (-1,) + (1,) * (len(others) - k - 1)), price.shape
            ).ravel()
            for k, own in enumerate(others)
            for name, column in own.items()
        }
        flat = price.ravel()
    else:
        assert optimum.mechanism is not None
        space, rng = optimum.mechanism.space, np.random.default_rng(seed)
        levels = [rng.random((STATES, width)) for width in space.dims]
        flat = optimum.mechanism.strikes(levels)[i]
        own = space.instance.buyers[i].signals
        signals = {name: column for name, column in space.signals(levels).items() if name not in own}
    finite = np.isfinite(flat)
    return {name: column[finite] for name, column in signals.items()}, flat[finite]


def _library(names: Sequence[str], extra: Sequence[str]) -> list[str]:
    found = ["1", *names]
    for name in names:
        found += [f"{name}**2", f"{name}**3", f"sqrt(max(0, {name}))"]
    for one, two in combinations(names, 2):
        found += [f"{one}*{two}", f"max({one}, {two})", f"min({one}, {two})"]
    known = set(names)
    return found + [text for text in extra if set(Formula(text, where="terms").signals) <= known]


@dataclass(frozen=True, eq=False)
class _Sample:
    """Terms of one buyer's library, their values at the states looked at (states, terms), and his prices there."""

    texts: tuple[str, ...]
    columns: Float
    price: Float


def _sample(
    instance: Instance, i: int, signals: dict[str, Float], price: Float, extra: Sequence[str]
) -> _Sample:
    own = instance.buyers[i].signals
    texts = _library([name for name in instance.signals if name not in own], extra)
    columns = np.stack(
        [np.broadcast_to(Formula(text, where="terms")(signals), price.shape) for text in texts], axis=1
    )
    usable = np.isfinite(columns).all(axis=0)
    return _Sample(tuple(np.array(texts)[usable].tolist()), columns[:, usable], price)


def _best_sets(sample: _Sample, count: int) -> list[tuple[int, ...]]:
    """The sets of so many terms that leave the least of the prices unexplained, best first."""
    gram, moment = sample.columns.T @ sample.columns, sample.columns.T @ sample.price
    scored = []
    for chosen in combinations(range(len(sample.texts)), count):
        at = np.array(chosen)
        solved = np.linalg.lstsq(gram[np.ix_(at, at)], moment[at], rcond=None)[0]
        scored.append((-float(moment[at] @ solved), chosen))
    return [chosen for _, chosen in sorted(scored)[:KEPT]]


def _families(
    instance: Instance, samples: dict[int, _Sample], sets: dict[int, list[tuple[int, ...]]]
) -> list[tuple[dict[str, float], Prices]]:
    """Every combination of the leading buyers' sets, with least-squares coefficients."""
    found = []
    for combination in product(*sets.values()):
        start: dict[str, float] = {}
        formulas: dict[str, Any] = {}
        for i, chosen in zip(sets, combination, strict=True):
            sample = samples[i]
            solved = np.linalg.lstsq(sample.columns[:, list(chosen)], sample.price, rcond=None)[0]
            names = [f"b{i + 1}_{k + 1}_" for k in range(len(chosen))]
            start |= dict(zip(names, map(float, solved), strict=True))
            formulas[instance.buyers[i].name] = " + ".join(
                name if sample.texts[k] == "1" else f"{name}*{sample.texts[k]}"
                for name, k in zip(names, chosen, strict=True)
            )
        formulas[instance.buyers[-1].name] = "complete"
        count = len(combination[0])
        found.append((start, Prices(formulas, name=f"{count} terms", **start)))
    return found[:MOST_FAMILIES]
