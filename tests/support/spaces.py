"""Type spaces straight from arrays."""

import numpy as np

from expost.instances.environment import Buyer, Instance
from expost.spaces.type_space import Grid, TypeSpace


def space_of(values, gains=None, seller=0.0):
    """A type space with given values and gains, shape (n, T_1, .., T_n); types are numbered 0, 1, .."""
    values = np.asarray(values, dtype=float)
    gains = values if gains is None else np.asarray(gains, dtype=float)
    n = len(values)
    instance = Instance("arrays", tuple(Buyer(f"{i + 1}", (f"s{i + 1}",), f"s{i + 1}") for i in range(n)))
    types = tuple({f"s{i + 1}": np.arange(values.shape[i + 1], dtype=float)} for i in range(n))
    grid = Grid({f"s{i + 1}": values.shape[i + 1] for i in range(n)})
    return TypeSpace(instance, grid, types, values, gains, seller)


def random_space(seed, shape, *, levels=4, negative=True):
    """Random values with deliberate ties and gains of either sign."""
    rng = np.random.default_rng(seed)
    n = len(shape)
    values = rng.integers(0, levels, size=(n, *shape)).astype(float)
    gains = rng.integers(-3 if negative else 0, 6, size=(n, *shape)).astype(float)
    return space_of(values, gains)
