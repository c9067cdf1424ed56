"""Every deterministic rule of a tiny type space, by enumeration: the oracle that shares no code with the package."""

import itertools

import numpy as np


def all_rules(n, shape):
    """All winner assignments as bool (rules, n, states)."""
    states = int(np.prod(shape))
    winners = np.array(list(itertools.product(range(n + 1), repeat=states)), dtype=np.int8)
    return np.stack([winners == i + 1 for i in range(n)], axis=1)


def incentive_compatible(rules, values, shape):
    """Which rules satisfy: in a fibre, a strictly higher value never wins less."""
    n = len(values)
    index = np.arange(int(np.prod(shape))).reshape(shape)
    keep = np.ones(len(rules), dtype=bool)
    for i in range(n):
        v = values[i].ravel()
        for fibre in np.moveaxis(index, i, -1).reshape(-1, shape[i]):
            for a, b in itertools.permutations(fibre, 2):
                if v[a] < v[b]:
                    keep &= rules[:, i, a] <= rules[:, i, b]
    return keep


def revenue(rules, values, shape):
    """Expected payment at the highest implementing prices: in each fibre the worst winning value, for each winner."""
    index = np.arange(int(np.prod(shape))).reshape(shape)
    total = np.zeros(len(rules))
    for i in range(len(values)):
        v = values[i].ravel()
        for fibre in np.moveaxis(index, i, -1).reshape(-1, shape[i]):
            wins = rules[:, i, fibre]
            price = np.where(wins, v[fibre], v.max()).min(axis=1)
            total += price * wins.sum(axis=1)
    return total / np.prod(shape)


def welfare(rules, gains):
    """Expected gain of each rule."""
    flat = gains.reshape(len(gains), -1)
    return np.einsum("rns,ns->r", rules, flat) / flat.shape[1]


def efficient_only(rules, gains):
    """Which rules give the item only to a buyer with the highest gain, and no negative one."""
    flat = gains.reshape(len(gains), -1)
    allowed = flat >= np.maximum(flat.max(axis=0), 0.0)
    return ~(rules & ~allowed).any(axis=(1, 2))
