"""How much a completion of `jmmz` gains when the private signal is integrated in closed form.

    python benchmarks/private_part.py

The first buyer's strike is Example 2's, p2 + c2**2, plus a bilinear correction on 13 nodes a signal; the second's is
the supremum. Given everything but his own p each buyer's welfare is a polynomial, so Adam's steps see no noise. What
comes out is evaluated as a completion on fresh samples.
"""

from __future__ import annotations

import time

import numpy as np

import expost as ex
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.upper.dual import first_best
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.spaces.quantile_space import quantile_space

K, FINE = 13, 49


def hats(x, nodes=K):
    """Cell and weights of a linear interpolation."""
    cell = np.minimum((x * (nodes - 1)).astype(int), nodes - 2)
    part = x * (nodes - 1) - cell
    return ((cell, 1.0 - part), (cell + 1, part))


def above(price, common):
    """The mean of p + common over p above the price, and its slope in the price."""
    least = price - common
    p = np.clip(least, 0.0, 1.0)
    slope = -price * ((least > 0.0) & (least < 1.0))
    return (1.0 - p * p) / 2.0 + common * (1.0 - p), slope


def welfare(d, points, places):
    """Expected welfare of a correction (K, K) over p2 and c2, and its gradient; `places` c2 in a supremum."""
    gradient, nodes = np.zeros((K, K)), np.linspace(0.0, 1.0, K)
    g, c = (np.arange(points) + 0.5) / points, np.linspace(0.0, 1.0, places)
    common = g[:, None] * g
    pairs = [(a, b, wa[:, None] * wb) for a, wa in hats(g) for b, wb in hats(g)]
    price = g[:, None] + g**2 + sum(d[np.ix_(a, b)] * w for a, b, w in pairs)
    one, slope = above(price[:, :, None], common[None])
    for a, b, w in pairs:
        np.add.at(gradient, np.ix_(a, b), w * slope.sum(axis=2) / points**3)
    best, place, private = np.full((points, points), -1.0), np.zeros((points, points), int), 0.0 * common
    rows = sum(d[:, b] * w for b, w in hats(c)).T + nodes
    rows = np.maximum.accumulate(rows + 1e-9 * nodes, axis=1)
    for m in range(places):
        level = g[:, None] + g * c[m] - c[m] ** 2
        p = np.interp(level, rows[m], nodes)
        found = np.where(level > rows[m, 0], p + g * c[m], -1.0)
        higher = found > best
        best[higher], place[higher], private[higher] = found[higher], m, p[higher]
    two, slope = above(best[:, :, None], common[None])
    inside = (private > 0.0) & (private < 1.0) & (best > -1.0)
    p, m = private[inside], place[inside]
    (low, _), (high, _) = hats(p)
    steep = np.maximum((rows[m, high] - rows[m, low]) * (K - 1), 1e-3)
    weight = -(slope.sum(axis=2) / points**3)[inside] / steep
    for a, wa in hats(p):
        for b, wb in hats(c[m]):
            np.add.at(gradient, (a, b), weight * wa * wb)
    return float(one.mean() + two.mean()), gradient


def climbed(d, steps, rate, points, places):
    """Adam's steps, which get shorter."""
    mean, square = np.zeros_like(d), np.zeros_like(d)
    for k in range(steps):
        _, g = welfare(d, points, places)
        mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g * g
        size = np.sqrt(square / (1.0 - 0.99 ** (k + 1))) + 1e-6
        d = d + rate * (1.0 - k / steps) ** 2 * mean / (1.0 - 0.9 ** (k + 1)) / size
    return d


def main() -> None:
    """Print both completions' welfare on the same fresh samples."""
    space = quantile_space(ex.load("jmmz"), "static", (None, None))
    best, _, _ = first_best(space, 0.995, np.random.SeedSequence(77))
    nodes = np.linspace(0.0, 1.0, K)
    began = time.process_time()
    start = -0.2 * np.outer(
        nodes, nodes
    )  # Example 2 itself is a kink in every direction, which steps leave slowly
    fitted = climbed(climbed(start, 900, 0.01, 48, 193), 1200, 0.003, 64, 257)
    print(f"fitted in {time.process_time() - began:.0f} processor seconds")
    g = np.linspace(0.0, 1.0, FINE)
    for name, d in (("Example 2", 0.0 * fitted), ("fitted", fitted)):
        fine = sum(d[np.ix_(a, b)] * wa[:, None] * wb for a, wa in hats(g) for b, wb in hats(g))
        strikes = (g[:, None] + g**2 + fine).reshape(1, -1)
        rule = CompletedMechanism(space, name, (0, 1), (strikes,), FINE, 1, 40, 4e-5, False)
        limit = mechanism_limit(rule, 0.995, np.random.SeedSequence(5), best.mean, replicates=8, points=2048)
        print(f"{name}: {limit.mean:.5f}, error {limit.error + best.error:.1g} (99.5%)", flush=True)


if __name__ == "__main__":
    main()
