"""``items_check``: a demand mechanism for several items, held against its definition in the continuum."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost._typing import Float
from expost.brackets.statistics import one_sided
from expost.errors import InputError
from expost.formulations.items import allocations
from expost.instances.items import ItemsInstance, load_items
from expost.mechanisms.export.csv_files import Columns
from expost.mechanisms.export.formats import SUFFIXES, export_table
from expost.mechanisms.given import tie_of
from expost.papers.bikhchandani.example3 import equation_15
from expost.papers.bikhchandani.several_items import (
    ItemPrices,
    bundle_prices,
    demand,
    pivotal_item_prices,
)
from expost.papers.bikhchandani.several_items_checks import (
    Feasibility,
    Finding,
    admissibility,
    feasibility,
    incentives,
    subadditivity,
)
from expost.runs.arguments import seed_of
from expost.spaces.quantile_space import scrambled

if TYPE_CHECKING:
    import pandas as pd

PRICES: dict[str, tuple[str, Callable[[ItemsInstance], ItemPrices]]] = {
    "t*": ("Bikhchandani (2006), equation (12)", pivotal_item_prices),
    "(15)": ("Bikhchandani (2006), equation (15), as printed", equation_15),
    "(15) repaired": (
        "Bikhchandani (2006), equation (15), with the rivals' own c",
        lambda instance: equation_15(instance, literal=False),
    ),
}
"""The constructions by name: where each comes from, and what makes its prices."""
REPLICATES = 8
CONFIDENCE = 0.995
NOTES = (
    "Personalized prices per item: one row for each buyer, item and grid of the others' signals.",
    "Columns named after signals: the others' reports that set the price (a buyer's own are empty).",
    "price: what the item costs him (units of value); a bundle costs the sum.",
)


@dataclass(frozen=True, eq=False, repr=False)
class ItemsCheck(Shown):
    """A demand mechanism in the continuum (uniform signals): every buyer gets a smallest bundle that is best for him.

    findings: subadditive values (14), admissible prices (13), incentives by definition (Lemma 3), each with its worst
    violation and where. feasibility: of random states, how many give an item to two buyers. welfare, revenue, error:
    means over scrambled Sobol' samples and their 99% error; None where the mechanism is none.
    """

    instance: ItemsInstance
    name: str
    citation: str
    prices: ItemPrices = field(repr=False)
    findings: tuple[Finding, ...]
    feasibility: Feasibility
    admissible: bool
    welfare: float | None
    revenue: float | None
    error: float | None
    first_best: float
    seconds: float

    @property
    def share(self) -> float | None:
        """Welfare as a part of the first best; None where there is no welfare."""
        return None if self.welfare is None or self.first_best <= 0.0 else self.welfare / self.first_best

    @property
    def table(self) -> pd.DataFrame:
        """One row a condition: the worst violation found and its witness."""
        import pandas as pd

        return pd.DataFrame([asdict(finding) for finding in self.findings])

    def to_frame(self) -> pd.DataFrame:
        """The same as ``table``."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance.name,
            "prices": self.name,
            "citation": self.citation,
            "admissible": self.admissible,
            "crowded": self.feasibility.crowded,
            "states": self.feasibility.states,
            "witness": self.feasibility.witness,
            "welfare": self.welfare,
            "revenue": self.revenue,
            "error": self.error,
            "first_best": self.first_best,
            "share": self.share,
            "findings": [asdict(finding) for finding in self.findings],
            "seconds": self.seconds,
        }

    def columns(self, points: int = 2) -> Columns:
        """Every buyer's prices on a grid of ``points`` points (midpoints) for each of the others' signals."""
        parts = []
        levels = (np.arange(points) + 0.5) / points
        for i, buyer in enumerate(self.instance.buyers):
            others = [name for name in self.instance.signals if name not in buyer.signals]
            mesh = np.meshgrid(*[levels] * len(others), indexing="ij")
            signals = {name: column.ravel() for name, column in zip(others, mesh, strict=True)}
            price = np.broadcast_to(
                self.prices.price(i, signals), (len(self.instance.items), points ** len(others))
            )
            for item, row in zip(self.instance.items, price, strict=True):
                empty = {name: np.full(len(row), np.nan) for name in self.instance.signals}
                labels = {"buyer": np.full(len(row), buyer.name), "item": np.full(len(row), item)}
                parts.append({**labels, **empty, **signals, "price": row})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def export(self, form: str = "csv", points: int = 2) -> bytes:
        """The prices as a file: ``csv``, ``json``, ``parquet`` or ``latex``."""
        return export_table(self.columns(points), NOTES, form)

    def save(self, out: str | Path, points: int = 2) -> Path:
        """Write the prices to the file ``out``, format by suffix. Raises InputError when it cannot."""
        from expost.files import write_whole

        path, forms = Path(out), {suffix: form for form, suffix in SUFFIXES.items()}
        if path.suffix not in forms:
            raise InputError(f"{path.name}", where="out", expected=f"a file that ends in {', '.join(forms)}")
        write_whole(path, self.export(forms[path.suffix], points), where="out")
        return path

    def summary(self) -> str:
        """What it is worth, whether it is a mechanism, and the conditions of the theory."""
        crowded = self.feasibility.crowded
        held = "no item to two buyers" if not crowded else f"an item to two buyers in {crowded}"
        lines = [
            f"{self.instance.name}: {self.name} ({self.citation}): {held} of {self.feasibility.states} states"
        ]
        if self.welfare is not None:
            lines.append(
                f"welfare {self.welfare:.5f} +- {self.error:.2g} of {self.first_best:.5f}, revenue {self.revenue:.5f}"
            )
        lines += [
            f"{f.condition}: worst {f.worst:.3g}" + (f" ({f.what})" if f.worst > 0.0 else "")
            for f in self.findings
        ]
        return "\n".join(lines)


def items_check(
    instance: Any, prices: str = "t*", *, samples: int = 512, seed: int = 0, **parameters: float
) -> ItemsCheck:
    """The demand mechanism at a paper's prices, checked and evaluated in the continuum (static, uniform signals).

    instance: as for ``items``. prices: ``t*`` (equation 12), ``(15)`` or ``(15) repaired``. samples: random states of
    each check, and Sobol' points of each of eight replicates of welfare (rounded up to a power of two).

    Raises InputError for unusable input, and where the prices are not defined.
    """
    started = time.perf_counter()
    stated, seed = load_items(instance, **parameters), seed_of(seed)
    if prices not in PRICES:
        raise InputError(f"{prices!r:.40}", where="prices", expected=f"of {', '.join(PRICES)}")
    if isinstance(samples, bool) or not isinstance(samples, int) or not 16 <= samples <= 1 << 20:
        raise InputError(f"{samples!r:.40}", where="samples", expected=f"a whole number from 16 to {1 << 20}")
    citation, make = PRICES[prices]
    made = make(stated)
    seen = feasibility(stated, made, states=samples, seed=seed)
    deviation = incentives(stated, made, fibres=16, types=32, seed=seed)
    findings = (
        subadditivity(stated, states=samples, seed=seed),
        admissibility(stated, made, states=samples, seed=seed),
        deviation,
    )
    allowed = 10.0 * float(tie_of(np.array([1.0]), made.accuracy))
    admissible = not seen.crowded and deviation.worst <= allowed
    rng = np.random.default_rng(seed)
    drawn = [_figures(stated, made, samples, rng) for _ in range(REPLICATES)]
    best, welfare, revenue = (one_sided([row[k] for row in drawn], CONFIDENCE) for k in range(3))
    return ItemsCheck(
        stated,
        prices,
        citation,
        made,
        findings,
        seen,
        admissible,
        welfare.mean if admissible else None,
        revenue.mean if admissible else None,
        welfare.error if admissible else None,
        best.mean,
        time.perf_counter() - started,
    )


def _figures(
    instance: ItemsInstance, prices: ItemPrices, states: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """First best, welfare and revenue of the demand mechanism over one scrambled Sobol' sample."""
    points = scrambled(1 << (states - 1).bit_length(), len(instance.signals), rng)
    signals = {
        name: np.ascontiguousarray(column) for name, column in zip(instance.signals, points.T, strict=True)
    }
    n = len(instance.buyers)
    worth = np.stack([instance.bundle_values(i, signals) for i in range(n)])
    totals = [sum(worth[i, row[i]] for i in range(n)) for row in allocations(instance)]
    best = np.max(np.stack([np.broadcast_to(total, len(points)) for total in totals]), axis=0)
    found = demand(instance, prices, signals)
    got, paid = np.zeros(len(points)), np.zeros(len(points))
    for i in range(n):
        bundle = found.bundles[i][None]
        got += np.take_along_axis(worth[i], bundle, axis=0)[0]
        paid += np.take_along_axis(bundle_prices(_full(found.prices[i], len(points))), bundle, axis=0)[0]
    return float(best.mean()), float(got.mean()), float(paid.mean())


def _full(price: Float, count: int) -> Float:
    return np.broadcast_to(price, (len(price), count))
