"""Seller-best fees as a linear program, straight from the definition, one program for many fibres.

Nothing here uses the order of types or strikes: every type may take every option of his fibre.
"""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.errors import SolverError
from expost.spaces.second_stage import expected


def seller_best_program(
    values: Float, strikes: Float, solver: str = "HIGHS", chances: Float | None = None
) -> Float:
    """The fees (F, A) that maximize the seller's expected fees subject to incentives and participation.

    values: (F, A, B). strikes: (F, A). chances: as in ``fees``. maximize sum of fees subject to, in each fibre
    and for all types a, o, ``fee(a) - fee(o) <= u(a, tau(a)) - u(a, tau(o))`` and ``fee(a) <= u(a, tau(a))``
    (Zik 2.3, condition 1, after the best second stage). The feasible fees are closed under maximum, so the
    optimum is the largest fee of every type at once.

    Raises SolverError when cvxpy's solver does not return an optimum.
    """
    import cvxpy as cp  # 0.9 s, and only this program needs it

    fees = cp.Variable(strikes.size)
    matrix, right = _rows(pair_gains(values, strikes, chances))
    problem = cp.Problem(cp.Maximize(cp.sum(fees)), [matrix @ fees <= right])
    options = (
        {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
        if solver == "HIGHS"
        else {}
    )
    try:
        problem.solve(solver=solver, **options)
    except cp.error.SolverError as error:
        raise SolverError(f"{solver} failed on the fees: {error}") from error
    if problem.status != cp.OPTIMAL or fees.value is None:
        raise SolverError(f"{solver} stopped on the fees with status {problem.status}")
    return np.asarray(fees.value, dtype=np.float64).reshape(strikes.shape)


def pair_gains(values: Float, strikes: Float, chances: Float | None = None) -> Float:
    """u(a, tau(o)) of every type at every option of his fibre, shape (F, A, A), the option last."""
    gains = [expected(np.maximum(values - strike[:, None, None], 0.0), chances) for strike in strikes.T]
    return np.stack(gains, axis=2)


def _rows(gains: Float) -> tuple[object, Float]:
    """The rows of incentives (all pairs of one fibre) and of participation: sparse matrix and right-hand
    side."""
    from scipy.sparse import csr_array

    n_fibres, levels, _ = gains.shape
    own = np.diagonal(gains, axis1=1, axis2=2)
    fibre, a, o = (index.ravel() for index in np.indices(gains.shape))
    pairs = a != o
    fibre, a, o = fibre[pairs], a[pairs], o[pairs]
    count, variables = len(fibre), n_fibres * levels
    rows = np.concatenate([np.arange(count), np.arange(count), count + np.arange(variables)])
    columns = np.concatenate([fibre * levels + a, fibre * levels + o, np.arange(variables)])
    entries = np.concatenate([np.ones(count), -np.ones(count), np.ones(variables)])
    matrix = csr_array((entries, (rows, columns)), shape=(count + variables, variables))
    return matrix, np.concatenate([own[fibre, a] - gains[fibre, a, o], own.ravel()])
