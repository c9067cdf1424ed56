"""What a run holds: what was asked, the best rule, its terms and its proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost._typing import Bool
from expost.formulations.assemble import Formulation
from expost.formulations.coarser import Known
from expost.formulations.settings import Settings
from expost.instances.environment import Instance
from expost.mechanisms.audit import Audit
from expost.mechanisms.export.menu_table import menu_columns
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.menu import Menu
from expost.mechanisms.prices import PriceTable
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.mechanisms.winners import winners
from expost.runs.labelled import labelled
from expost.runs.record import Record, share_of
from expost.solver.result import Certificate
from expost.spaces.type_space import TypeSpace

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, eq=False, repr=False)
class Solved(Shown):
    """The second best of an instance on a grid, solved or reopened.

    record: every figure, as ``result.json`` holds it. mechanism: the rule and each buyer's terms as plain arrays.
    certificate: integer multipliers that prove the bound, where there are any. extremes: the rules of the smallest and
    the largest optimal closure, bool (n, T_1, .., T_n), where the solver knows them. folder: where it was saved.
    """

    instance: Instance
    settings: Settings
    record: Record
    formulation: Formulation = field(repr=False)
    mechanism: Mechanism = field(repr=False)
    certificate: Certificate | None = field(default=None, repr=False)
    extremes: Mapping[str, Bool] = field(default_factory=dict, repr=False)
    folder: Path | None = None

    @property
    def space(self) -> TypeSpace:
        """The finite type space."""
        return self.formulation.space

    @property
    def welfare(self) -> float:
        """Expected welfare of the rule on this grid (unit: values), recomputed from the rule."""
        return self.record.welfare

    @property
    def upper_bound(self) -> float:
        """No rule on this grid has a larger objective; infinite where nothing was proved."""
        return np.inf if self.record.upper_bound is None else self.record.upper_bound

    @property
    def gap(self) -> float:
        """``upper_bound`` less the objective of the rule; 0 up to rounding when it is optimal."""
        return np.inf if self.record.gap is None else self.record.gap

    @property
    def value(self) -> float:
        """The objective of the rule: its welfare, unless another objective was asked for."""
        return self.record.value

    @property
    def first_best(self) -> float:
        """Expected welfare of the efficient rule on this grid."""
        return self.record.first_best

    @property
    def no_sale(self) -> float:
        """Expected welfare of never selling, E[V_0]."""
        return self.record.no_sale

    @property
    def share(self) -> float | None:
        """(welfare - no sale) / (first best - no sale); None where even the first best gains nothing."""
        return self.record.share

    @property
    def status(self) -> str:
        """Why the solver stopped: ``optimal``, ``feasible``, ``time limit``, ``interrupted``."""
        return self.record.status

    @property
    def revenue(self) -> float:
        """The seller's expected revenue, at the prices in ``prices`` or the seller-best fees of ``menus``."""
        return self.record.revenue

    @property
    def sold(self) -> float:
        """The probability of a sale."""
        return self.record.sold

    @property
    def seconds(self) -> dict[str, float]:
        """``build``, ``solve``, ``audit`` and ``total``."""
        return self.record.seconds

    @cached_property
    def audit(self) -> Audit:
        """The audit by definition: every deviation of every type in every state, and admissibility."""
        return audit_mechanism(self.space.values, self.mechanism)

    @cached_property
    def allocation(self) -> xr.DataArray:
        """Who wins: 0 nobody, k the k-th buyer. Dimensions are the signals, coordinates their values.

        Of several units: whether each buyer wins one, with ``buyer`` as the first dimension.
        """
        if self.space.units > 1:
            return self._wins()
        about = "winner: 0 nobody, k the k-th buyer"
        return labelled(self.space, winners(self.mechanism.allocation), name="winner", about=about)

    def _wins(self) -> xr.DataArray:
        import xarray as xr

        names = [buyer.name for buyer in self.instance.buyers]
        parts = [
            labelled(self.space, rule, name="wins", about="whether the buyer wins a unit")
            for rule in self.mechanism.allocation
        ]
        dimension = "buyer" if "buyer" not in self.instance.signals else "buyer_"
        return xr.concat(parts, xr.DataArray(names, dims=dimension, name=dimension))

    @cached_property
    def prices(self) -> dict[str, xr.DataArray]:
        """The price of each static buyer, by his name, over the others' signals; +inf where he never wins."""
        return {
            self.instance.buyers[terms.buyer].name: labelled(
                self.space,
                terms.price,
                [j for j in range(self.space.n) if j != terms.buyer],
                name="price",
                about=f"price of buyer {self.instance.buyers[terms.buyer].name}",
            )
            for terms in self.mechanism.terms
            if isinstance(terms, PriceTable)
        }

    @cached_property
    def menus(self) -> dict[str, pd.DataFrame]:
        """The menu of each sequential buyer, by his name: one row an option, the others' signals that select it,
        strikes, both kinds of fees and who takes it (columns as in ``docs/sequential.md``)."""
        import pandas as pd

        table = pd.DataFrame(menu_columns(self.instance, self.space.types, self.mechanism))
        found = {}
        for terms in self.mechanism.terms:
            if isinstance(terms, Menu):
                buyer = self.instance.buyers[terms.buyer]
                rows = table[table["buyer"] == buyer.name].drop(
                    columns=["buyer", *buyer.signals], errors="ignore"
                )
                found[buyer.name] = rows.reset_index(drop=True)
        return found

    @property
    def known(self) -> Known:
        """What solves of nearby instances on the same grid start from: ``solve(.., near=run)``."""
        found = self.certificate
        prices = None if found is None else self.formulation.shadow_prices(found)
        return Known(self.mechanism.allocation, prices)

    @cached_property
    def shadow_prices(self) -> xr.DataArray | None:
        """u(s) >= 0, what one more item would be worth in each state (unit: values); None without a certificate."""
        if self.certificate is None:
            return None
        prices = self.formulation.shadow_prices(self.certificate)
        return labelled(self.space, prices, name="shadow price", about="what one more item would be worth")

    def to_frame(self) -> pd.DataFrame:
        """The record as a table of one row."""
        import pandas as pd

        return pd.DataFrame([self.record.to_dict()])

    def summary(self) -> str:
        """Three lines: what was solved and how much is attained, the proof, where it stands."""
        record = self.record
        share = "" if self.share is None else f", {self.share:.2%} of the first-best gain"
        grid = (
            record.grid
            if isinstance(record.grid, int)
            else ",".join(f"{k}={m}" for k, m in record.grid.items())
        )
        return "\n".join(
            (
                f"{record.instance}, {record.timing}, grid {grid}: welfare {self.welfare:.6f} of {self.first_best:.6f}"
                + share,
                f"{self.status}: no rule on this grid has more than {self.upper_bound:.6f} (gap {self.gap:.2g})",
                f"sold {self.sold:.4f}, revenue {self.revenue:.6f}; {record.backend}, {record.states:,} states, "
                f"{record.seconds['total']:.2f} s" + (f"; saved in {self.folder}" if self.folder else ""),
            )
        )


def figures(formulation: Formulation, mechanism: Mechanism) -> dict[str, float | None]:
    """The figures of a mechanism, recomputed from the rule and the instance."""
    space = formulation.space
    welfare, revenue = mechanism.welfare(space.gains, space.seller), mechanism.revenue()
    alpha = formulation.alpha
    return {
        "value": welfare if alpha == 1.0 else alpha * welfare + (1.0 - alpha) * revenue,
        "welfare": welfare,
        "revenue": revenue,
        "sold": mechanism.sold,
        "first_best": space.first_best,
        "no_sale": space.seller,
        "share": share_of(welfare, space.first_best, space.seller),
    }


def plain(details: dict[str, Any]) -> dict[str, Any]:
    """Solver details with numpy scalars as Python ones, and what JSON cannot hold left out."""
    kept: dict[str, Any] = {}
    for key, value in details.items():
        item = value.item() if isinstance(value, np.generic) else value
        if isinstance(item, float) and not np.isfinite(item):
            item = None
        if item is None or isinstance(item, bool | int | float | str):
            kept[key] = item
        elif isinstance(item, list | tuple) and all(isinstance(part, str) for part in item):
            kept[key] = list(item)
    return kept
