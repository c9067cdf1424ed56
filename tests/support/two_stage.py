"""Type spaces with two signals per buyer whose values rise in both, with deliberate ties and gains of
either sign."""

import numpy as np

from expost.instances.environment import Buyer, Instance
from expost.spaces.type_space import Grid, TypeSpace


def rising(rng, shape, levels):
    """Integers that rise weakly along the last two axes."""
    return np.sort(np.sort(rng.integers(0, levels, shape), axis=-1), axis=-2).astype(float)


def two_stage_space(seed, counts, *, levels=5, gains="own"):
    """Buyer i has signals a{i}, b{i} with counts[i] = (A, B) points; values random, rising in both own
    signals."""
    rng = np.random.default_rng(seed)
    n, shape = len(counts), tuple(a * b for a, b in counts)
    values = []
    for i, (a, b) in enumerate(counts):
        others = shape[:i] + shape[i + 1 :]
        values.append(np.moveaxis(rising(rng, (*others, a, b), levels).reshape(*others, a * b), -1, i))
    values = np.stack(values)
    own = {"own": lambda: values, "random": lambda: rng.integers(-4, 6, values.shape).astype(float)}[gains]()
    buyers = tuple(Buyer(f"{i + 1}", (f"a{i + 1}", f"b{i + 1}"), f"a{i + 1}") for i in range(n))
    grid = Grid(
        {
            f"{name}{i + 1}": count
            for i, pair in enumerate(counts)
            for name, count in zip("ab", pair, strict=True)
        }
    )
    types = []
    for i, (a, b) in enumerate(counts):
        first, second = np.meshgrid(np.arange(a) / a, np.arange(b) / b, indexing="ij")
        types.append({f"a{i + 1}": first.ravel(), f"b{i + 1}": second.ravel()})
    return TypeSpace(Instance("arrays", buyers), grid, tuple(types), values, own, 0.0)


def full_order(values):
    """All implied pairs of one fibre (A, B): [x, y] is true where x winning makes y win, by the statement
    of the theorem."""
    rows = np.repeat(np.arange(values.shape[0]), values.shape[1])
    flat = values.ravel()
    return (rows[None, :] >= rows[:, None]) & (flat[None, :] > flat[:, None])


def reachable(size, tails, heads):
    """The transitive closure of the arcs, bool (size, size)."""
    reach = np.zeros((size, size), dtype=bool)
    reach[tails, heads] = True
    for k in range(size):
        reach |= reach[:, [k]] & reach[[k], :]
    return reach
