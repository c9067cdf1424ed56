"""Figures of what the papers leave open. Each function draws one and returns numbers that pin it down."""

from __future__ import annotations

from typing import Any

import numpy as np

import expost as ex

VALUE_RATES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
GAIN_RATES = (0.0, 0.05, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
GRID = 8


def two_rates() -> ex.Instance:
    """V = k a + b, gain r a + b - 0.5, a first."""
    buyer = ex.Buyer("1", ["a", "b"], "k*a + b", externality="r*a + b - 0.5 - (k*a + b)")
    return ex.Instance("two rates", [buyer], parameters={"k": 2.0, "r": 0.05})


def lottery_map(axes: Any) -> dict[str, float]:
    """What lotteries add to the best deterministic mechanism, over the two rates of substitution."""
    asked = {"grid": GRID, "timing": "sequential", "k": list(VALUE_RATES), "r": list(GAIN_RATES)}
    table = ex.sweep(two_rates(), lotteries=[False, True], **asked)
    wide = table.pivot_table(index=["k", "r"], columns="lotteries", values="welfare")
    gain = (wide[True] - wide[False]).clip(lower=0.0).unstack("r")
    image = axes.imshow(1000 * gain.to_numpy(), origin="lower", cmap="cividis", aspect="auto")
    for (row, column), value in np.ndenumerate(1000 * gain.to_numpy()):
        if value > 0.05:
            axes.annotate(
                f"{value:.1f}", (column, row), ha="center", va="center", fontsize=7, color="#c0392b"
            )
    axes.set_xticks(range(len(GAIN_RATES)), [f"{r:g}" for r in GAIN_RATES], fontsize=8)
    axes.set_yticks(range(len(VALUE_RATES)), [f"{k:g}" for k in VALUE_RATES], fontsize=8)
    axes.set_xlabel("r, the rate of the gain")
    axes.set_ylabel("k, the rate of the value")
    axes.set_title(f"what lotteries add, in thousandths, {GRID} points", fontsize=9, loc="left")
    axes.figure.colorbar(image, ax=axes, pad=0.02)
    return {f"k={k:g}, r={r:g}": float(gain.loc[k, r]) for k in VALUE_RATES for r in GAIN_RATES}
