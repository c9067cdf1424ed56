"""The stochastic second best straight from the definition, in cvxpy: probabilities, transfers, and every deviation."""

import cvxpy as cp
import numpy as np

from expost.mechanisms.lottery_menu import Layout
from expost.spaces.second_stage import given_level


def second_best_by_definition(space, layouts):
    """The largest expected welfare of a stochastic mechanism; ``layouts`` one per buyer (stages or static)."""
    chances = space.weights.chances if space.weights is not None else np.full(space.shape, 1.0 / space.states)
    welfare, rules, constraints = space.seller, [], []
    for i, layout in enumerate(layouts):
        values = layout.fibres(space.values[i])
        weights = layout.fibres(chances * space.gains[i])
        q = _buyer(values, layout, space, constraints)
        welfare = welfare + sum(cp.sum(cp.multiply(weights[f], q[f])) for f in range(len(values)))
        place = layout.states(np.arange(values.size, dtype=float).reshape(values.shape), space.shape)
        flat = cp.hstack([cp.vec(part, order="C") for part in q])
        rules.append(flat[place.ravel().astype(int)])
    if len(layouts) > space.units:
        constraints.append(sum(rules) <= space.units)
    problem = cp.Problem(cp.Maximize(welfare), constraints)
    problem.solve(solver=cp.SCIPY, scipy_options={"method": "highs"})
    assert problem.status == cp.OPTIMAL
    return float(problem.value)


def _buyer(values, layout: Layout, space, constraints):
    n_fibres, levels, seconds = values.shape
    likely = None
    if layout.stages is not None and space.weights is not None:
        likely = given_level(space.weights.types[layout.buyer][layout.stages.types])
    if likely is None:
        likely = np.full((levels, seconds), 1.0 / seconds)
    rules = []
    for f in range(n_fibres):
        q, t = cp.Variable((levels, seconds)), cp.Variable((levels, seconds))
        constraints += [q >= 0, q <= 1]
        for a in range(levels):
            truthful = cp.multiply(values[f, a], q[a]) - t[a]
            for o in range(levels):
                best = cp.Variable(seconds)
                for b in range(seconds):
                    constraints.append(best[b] >= values[f, a, b] * q[o] - t[o])
                if o == a:
                    constraints.append(best <= truthful)
                else:
                    constraints.append(likely[a] @ best <= likely[a] @ truthful)
        rules.append(q)
    return rules
