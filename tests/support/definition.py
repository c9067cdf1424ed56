"""The second best of tiny instances straight from the definition, in plain Python loops: nothing of the package is used
but the numbers that an instance is made of.

A rule is admissible when at most ``units`` buyers win in any state. It is incentive compatible when in each fibre (all
types of a buyer at fixed types of the others) it is what some price (static) or some strikes that do not rise in the
first signal (sequential) let him buy; exactly at the price either outcome will do.
"""

import itertools

import numpy as np


def fibre_rules(values, sequential):
    """All incentive compatible rules of a fibre, bool (rules, types); ``values`` is (types,) or, sequential, (A, B)."""
    flat = np.asarray(values, dtype=float).ravel()
    level = np.repeat(np.arange(values.shape[0]), values.shape[1]) if sequential else np.zeros(len(flat))
    found = []
    for wins in itertools.product((False, True), repeat=len(flat)):
        for s, t in itertools.product(range(len(flat)), repeat=2):
            forced = wins[s] and level[t] >= level[s] and flat[t] > flat[s] + 1e-12
            if forced and not wins[t]:
                break
        else:
            found.append(wins)
    return np.array(found)


def buyer_rules(values, i, stages=None):
    """All rules of buyer ``i``, bool (rules, *states); ``stages`` is (A, B) where he is sequential."""
    shape = values.shape
    last = np.moveaxis(values, i, -1)
    fibres = last.reshape(-1, shape[i])
    options = [fibre_rules(f if stages is None else f.reshape(stages), stages is not None) for f in fibres]
    rules = [np.stack(chosen).reshape(last.shape) for chosen in itertools.product(*options)]
    return np.moveaxis(np.array(rules), -1, i + 1)


def second_best(values, gains, chances, units, stages=None):
    """The largest expected gain; arrays of shape (n, *states), ``chances`` (*states)."""
    n = len(values)
    rules = [buyer_rules(values[i], i, None if stages is None else stages[i]) for i in range(n)]
    worth = [(r * (gains[i] * chances)).reshape(len(r), -1).sum(axis=1) for i, r in enumerate(rules)]
    flat = [r.reshape(len(r), -1).astype(np.int8) for r in rules]
    if units >= n:
        return sum(w.max() for w in worth)
    best = -np.inf
    for lead in itertools.product(*(range(len(f)) for f in flat[:-2])):
        taken = sum((flat[k][c] for k, c in enumerate(lead)), start=np.zeros(flat[0].shape[1], dtype=np.int8))
        base = sum(worth[k][c] for k, c in enumerate(lead))
        second = flat[-2] + taken
        feasible = np.ones((len(second), len(flat[-1])), dtype=bool)
        for state in range(second.shape[1]):
            feasible &= second[:, None, state] + flat[-1][None, :, state] <= units
        both = worth[-2][:, None] + worth[-1][None, :]
        if feasible.any():
            best = max(best, base + both[feasible].max())
    return best
