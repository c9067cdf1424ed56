"""How likely the states of a type space are, where they are not all equally likely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np

from expost._typing import Array, Float

SAME = 1e-12
"""Types of different buyers are independent when the joint probabilities differ from the products of the marginal ones
by at most this share of the largest density: what rounding leaves of a density of product form."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Probabilities of states.

    types: per buyer the probability of each of his types, (T_i,), each summing to 1.
    density: relative to the product of these, state shape, of mean 1; None where buyers' types are independent.
    """

    types: tuple[Float, ...]
    density: Float | None = field(default=None, repr=False)

    @property
    def independent(self) -> bool:
        """Whether the types of different buyers are independent."""
        return self.density is None

    @cached_property
    def chances(self) -> Float:
        """The probability of each state, state shape."""
        product = product_of(self.types)
        chances = product if self.density is None else product * self.density
        chances.flags.writeable = False
        return chances

    def others(self, i: int) -> Float:
        """The probability of each state of everybody but buyer ``i``, of the others' shape."""
        return np.asarray(self.chances.sum(axis=i))

    def mean(self, array: Array) -> float:
        """The expectation of an array of state shape."""
        return float((array * self.chances).sum())


def product_of(types: Sequence[Float]) -> Float:
    """The joint probabilities of independent types."""
    n = len(types)
    return reduce(
        np.multiply, (own.reshape((1,) * i + (-1,) + (1,) * (n - i - 1)) for i, own in enumerate(types))
    )


def weights_of(types: Sequence[Float], density: Float | None) -> Weights | None:
    """The weights of types with marginal probabilities ``types`` and a relative ``density`` of any scale, not negative
    and somewhere positive; None where all states are equally likely.

    A density of product form becomes part of the probabilities of each buyer's types.
    """
    own = tuple(types)
    if density is not None and density.min() == density.max():
        density = None
    if density is not None:
        chances = product_of(own) * density
        chances = chances / chances.sum()
        relative = density / float((product_of(own) * density).sum())
        axes = range(len(own))
        marginal = tuple(chances.sum(axis=tuple(k for k in axes if k != i)) for i in axes)
        if float(np.abs(chances - product_of(marginal)).max()) <= SAME * float(chances.max()):
            own, density = marginal, None
        else:
            density = relative
    if density is None and all(part.min() == part.max() for part in own):
        return None
    return Weights(own, density)
