"""A joint density of all signals, made part of the gains: what ex post incentives make of correlation.

Incentives do not involve the prior, so under static timing only the weights of the states change. With a density g of
mean 1 relative to independent priors, E[g w q] is the welfare of the same rule q on an instance of independent signals
whose gains are g w: values V_i stay, E_i becomes g (V_i + E_i) - V_i and V_0 becomes g V_0. Everything that is known of
independent signals then holds as it stands.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Buyer, Instance
from expost.instances.valuations import Valuation

NODES = 3
"""Of each panel of a composite Gauss rule."""
PANELS = {1: (1365, 2048), 2: (128, 192), 3: (24, 36), 4: (8, 12)}
"""Panels a signal of two rules, the finer of which counts, by the number of signals that the density uses."""
SOBOL, REPLICATES = 2**16, 16
"""Sample points a replicate, and replicates, where the density uses more signals."""
STANDARD_ERRORS = 4.0


@dataclass(frozen=True)
class Normalization:
    """The mean of a density under the priors: ``mean``, and how far that may be off as a share of it. The error is the
    change from a coarser rule, or four standard errors."""

    mean: float
    error: float


def normalization(instance: Instance) -> Normalization:
    """The mean of the instance's joint density. Raises InputError for one that is negative, not finite, or nowhere
    positive on the points looked at."""
    density = instance.density
    if density is None:
        return Normalization(1.0, 0.0)
    names = _needed(instance, density)
    if len(names) > max(PANELS):
        means = [_sampled(instance, density, names, seed) for seed in range(REPLICATES)]
        mean = float(np.mean(means))
        error = STANDARD_ERRORS * float(np.std(means, ddof=1)) / REPLICATES**0.5
    else:
        coarse, mean = (_ruled(instance, density, names, panels) for panels in PANELS[max(len(names), 1)])
        error = abs(mean - coarse)
    if not mean > 0.0:
        raise InputError(
            f"an integral of {mean:g}",
            where="joint: density",
            expected="a density whose integral is positive",
        )
    return Normalization(mean, error / mean + float(np.finfo(np.float64).eps))


def independent(instance: Instance, mean: float) -> Instance:
    """The instance of independent signals with the same incentives, welfare and first best. mean: of the density."""
    density = instance.density
    if density is None:
        return instance
    buyers = []
    for buyer, (value, extra) in zip(instance.buyers, instance.valuations, strict=True):
        society = _Weighted(density, mean, (value, extra), value)
        buyers.append(Buyer(buyer.name, buyer.signals, buyer.value, society.stated(), buyer.stages))
    kept = _Weighted(density, mean, (instance.seller_valuation,), None)
    seller = "0" if instance.seller_valuation.text in ("0", "0.0") else kept.stated()
    return replace(instance, buyers=tuple(buyers), seller=seller, joint=None)


@dataclass(frozen=True, eq=False)
class _Weighted:
    """g / mean times the sum of ``parts``, less ``less``: as a formula where all are, else as a function."""

    density: Valuation
    mean: float
    parts: tuple[Valuation, ...]
    less: Valuation | None

    def stated(self) -> Any:
        """What an instance takes for a valuation."""
        texts = [part.text for part in (self.density, *self.parts)]
        if any(text is None for text in texts) or (self.less is not None and self.less.text is None):
            return self
        total = " + ".join(f"({text})" for text in texts[1:])
        found = f"({texts[0]})/{self.mean!r}*({total})"
        return found if self.less is None else f"{found} - ({self.less.text})"

    @property
    def __signature__(self) -> inspect.Signature:
        all_ = (self.density, *self.parts) if self.less is None else (self.density, *self.parts, self.less)
        names = dict.fromkeys(name for part in all_ for name in part.signals)
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def __call__(self, **signals: Float) -> Float:
        total = reduce(np.add, (part(signals) for part in self.parts))
        found = self.density(signals) / self.mean * total
        return found if self.less is None else found - self.less(signals)


def _needed(instance: Instance, density: Valuation) -> tuple[str, ...]:
    """The signals that the density uses, and those that their priors depend on, in the instance's order."""
    wanted = set(density.signals)
    for name in reversed(instance.signals):
        if name in wanted:
            wanted |= set(instance.prior(name).conditions)
    return tuple(name for name in instance.signals if name in wanted)


def _ruled(instance: Instance, density: Valuation, names: tuple[str, ...], panels: int) -> float:
    """By a product of composite Gauss rules in quantile levels; a discrete prior's atoms are summed."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    line = ((np.arange(panels)[:, None] + 0.5 * (nodes + 1.0)) / panels).ravel()
    mass, total = np.tile(0.5 * weights / panels, panels), np.ones(())
    signals: dict[str, Float] = {}
    for axis, name in enumerate(names):
        prior = instance.prior(name)
        shape = (1,) * axis + (-1,) + (1,) * (len(names) - axis - 1)
        if prior.atoms is not None:
            signals[name], own = prior.atoms[0].reshape(shape), prior.atoms[1]
        else:
            level = line.reshape(shape)
            signals[name], own = level if prior.plain else prior.quantile(level, signals), mass
        total = total * own.reshape(shape)
    return float((_checked(density(signals), signals) * total).sum())


def _sampled(instance: Instance, density: Valuation, names: tuple[str, ...], seed: int) -> float:
    """By one scrambled sample."""
    from scipy.stats.qmc import Sobol

    levels = Sobol(len(names), scramble=True, bits=53, rng=np.random.default_rng([seed, 9])).random(SOBOL)
    signals: dict[str, Float] = {}
    for name, level in zip(names, levels.T, strict=True):
        prior = instance.prior(name)
        signals[name] = level if prior.plain else prior.quantile(level, signals)
    return float(_checked(density(signals), signals).mean())


def _checked(found: Float, signals: Mapping[str, Float]) -> Float:
    """The density itself. Raises InputError where it is negative or not finite, saying at which signals."""
    bad = ~np.isfinite(found) | (found < 0.0)
    if bad.any():
        at = np.unravel_index(int(np.argmax(bad)), found.shape)
        state = ", ".join(
            f"{name} = {np.broadcast_to(x, found.shape)[at]:.6g}" for name, x in signals.items()
        )
        raise InputError(
            f"{found[at]:.6g} at {state}",
            where="joint: density",
            expected="a density that is finite and nowhere negative",
        )
    return found
