"""Independent work through joblib: its results as they come, whatever backend joblib's context names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed


def in_turn(
    function: Callable[..., Any], cases: Sequence[tuple[Any, ...]], jobs: int, *, ordered: bool = True
) -> Iterator[Any]:
    """``function(*case)`` for each case, ``jobs`` at once; ordered: in the order of the cases, or as they end."""
    jobs = min(jobs, len(cases))  # no processes for nothing
    if jobs <= 1 and jobs != -1:
        yield from (function(*case) for case in cases)
        return
    how = "generator" if ordered else "generator_unordered"
    work = (delayed(function)(*case) for case in cases)
    try:
        yield from Parallel(n_jobs=jobs, return_as=how, pre_dispatch="2*n_jobs")(work)
    except ValueError as error:  # a backend that gives no generators
        if "return_as" not in str(error):
            raise
        yield from Parallel(n_jobs=jobs)(delayed(function)(*case) for case in cases)
