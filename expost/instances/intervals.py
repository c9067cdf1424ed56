"""Bounds of a formula on boxes of signals: interval arithmetic over the formula's own instructions.

The interval of a box contains the value of the formula, as it is computed in floats, at every point of the box where
that value is a number. Sums, products, quotients and roots are rounded correctly, hence monotone also as floats;
the results of the other functions are widened by a few units in the last place. Intervals know nothing of signals
that occur twice, so that they over-estimate by an amount that vanishes with the width of the box.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import partial, reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from expost._typing import Bool, Float
from expost.instances.formula import Formula
from expost.instances.formula_language import FUNCTIONS, Operation, compare

ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""By how much a function's result is widened, relative: more than numpy's functions are ever off."""


class Interval(NamedTuple):
    """Lower and upper ends, arrays of one shape; -inf and +inf where nothing is known."""

    low: Float
    high: Float


def formula_bounds(formula: Formula, boxes: Mapping[str, Interval]) -> Interval:
    """An interval that contains the formula's values on each of the ``boxes``, which broadcast together.

    Raises KeyError when a signal of the formula has no box.
    """
    stack: list[Interval] = []
    with np.errstate(all="ignore"):
        for name, operation, number in formula.program:
            if operation is None:
                stack.append(boxes[name] if name else Interval(np.float64(number), np.float64(number)))  # type: ignore[arg-type]
                continue
            operands = stack[-int(number) :]
            del stack[-int(number) :]
            stack.append(_applied(operation, operands))
    found = stack.pop()
    shape = np.broadcast_shapes(*(np.shape(end) for box in (*boxes.values(), found) for end in box))
    return Interval(*(np.broadcast_to(np.asarray(end, dtype=np.float64), shape) for end in found))


def _applied(operation: Operation, operands: list[Interval]) -> Interval:
    if isinstance(operation, partial) and operation.func is compare:
        return _comparison(operation.args[0], operands)
    return _OPERATIONS[operation](*operands)


def _widened(found: Interval) -> Interval:
    """Outwards by what numpy's functions may be off; what is positive stays so, or 0."""
    tiny = float(np.finfo(np.float64).tiny)
    slack = [ROUNDING * np.where(np.isfinite(end), np.abs(end), 0.0) + tiny for end in found]
    low = np.where(found.low >= 0.0, np.maximum(found.low - slack[0], 0.0), found.low - slack[0])
    return Interval(low, found.high + slack[1])


def _known(low: Float, high: Float) -> Interval:
    """What is not a number is unknown."""
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


def _corners(*values: Float) -> Interval:
    """From the values at all corners of a box of operands; a corner without a value leaves all open."""
    together = np.stack(np.broadcast_arrays(*values))
    unknown = np.isnan(together).any(axis=0)
    return _open_where(unknown, Interval(together.min(axis=0), together.max(axis=0)))


def _add(a: Interval, b: Interval) -> Interval:
    return _known(a.low + b.low, a.high + b.high)


def _subtract(a: Interval, b: Interval) -> Interval:
    return _known(a.low - b.high, a.high - b.low)


def _multiply(a: Interval, b: Interval) -> Interval:
    return _corners(*(x * y for x in a for y in b))


def _divide(a: Interval, b: Interval) -> Interval:
    through_zero = (b.low <= 0.0) & (b.high >= 0.0)
    return _open_where(through_zero, _corners(*(x / y for x in a for y in b)))


def _power(a: Interval, b: Interval) -> Interval:
    """Monotone in the base and in the exponent where the base is positive; whole exponents take any base."""
    fixed = b.low == b.high
    whole = fixed & (np.rint(b.low) == b.low)
    even = whole & (np.mod(b.low, 2.0) == 0.0)
    base = Interval(np.where(whole, a.low, np.maximum(a.low, 0.0)), a.high)
    found = _widened(_corners(*(np.power(x, y) for x in base for y in b)))
    inside = (a.low < 0.0) & (a.high > 0.0)
    found = Interval(np.where(inside & even & (b.low > 0.0), 0.0, found.low), found.high)
    return _open_where((inside & whole & (b.low < 0.0)) | (~whole & (a.low < 0.0)), found)


def _open_where(unknown: Bool, found: Interval) -> Interval:
    return Interval(np.where(unknown, -np.inf, found.low), np.where(unknown, np.inf, found.high))


def _negate(a: Interval) -> Interval:
    return Interval(-a.high, -a.low)


def _rising(function: Operation, a: Interval) -> Interval:
    return _widened(_known(function(a.low), function(a.high)))


def _above_zero(function: Operation, a: Interval) -> Interval:
    """A rising function of numbers from zero up."""
    found = _known(function(np.maximum(a.low, 0.0)), function(np.maximum(a.high, 0.0)))
    return _open_where(a.low < 0.0, found if function is np.sqrt else _widened(found))


def _absolute(a: Interval) -> Interval:
    inside = (a.low <= 0.0) & (a.high >= 0.0)
    ends = np.abs(a.low), np.abs(a.high)
    return Interval(np.where(inside, 0.0, np.minimum(*ends)), np.maximum(*ends))


def _wave(function: Operation, peak: float, a: Interval) -> Interval:
    """Sine or cosine, of which ``peak`` is a place of the maximum, and that plus pi one of the minimum."""
    found = _widened(_corners(function(a.low), function(a.high)))
    reach = ROUNDING * (1.0 + np.maximum(np.abs(a.low), np.abs(a.high)))

    def holds(place: float) -> Bool:
        turn = 2.0 * np.pi
        return np.asarray(
            np.floor((a.high + reach - place) / turn) >= np.ceil((a.low - reach - place) / turn)
        )

    unknown = ~np.isfinite(a.low) | ~np.isfinite(a.high)
    low = np.where(unknown | holds(peak + np.pi), -1.0, np.maximum(found.low, -1.0))
    return Interval(low, np.where(unknown | holds(peak), 1.0, np.minimum(found.high, 1.0)))


def _extreme(function: Operation, *operands: Interval) -> Interval:
    return Interval(
        reduce(function, (operand.low for operand in operands)),
        reduce(function, (operand.high for operand in operands)),
    )


def _choose(condition: Interval, then: Interval, otherwise: Interval) -> Interval:
    never = (condition.low == 0.0) & (condition.high == 0.0)
    always = (condition.low > 0.0) | (condition.high < 0.0)
    low, high = np.minimum(then.low, otherwise.low), np.maximum(then.high, otherwise.high)
    return Interval(
        np.where(always, then.low, np.where(never, otherwise.low, low)),
        np.where(always, then.high, np.where(never, otherwise.high, high)),
    )


def _comparison(operators: list[Operation], operands: list[Interval]) -> Interval:
    """1 where every link of the chain surely holds, 0 where one surely does not, both elsewhere."""
    sure, impossible = np.ones((), dtype=np.bool_), np.zeros((), dtype=np.bool_)
    for link, (a, b) in zip(operators, pairwise(operands), strict=True):
        holds, fails = _link(link, a, b)
        sure, impossible = sure & holds, impossible | fails
    return Interval(np.where(sure, 1.0, 0.0), np.where(impossible, 0.0, 1.0))


def _link(link: Operation, a: Interval, b: Interval) -> tuple[Bool, Bool]:
    """Whether ``link`` surely holds and whether it surely fails between any two points of ``a`` and ``b``.

    An interval without a finite end may stand for what is not a number, with which no comparison but != holds."""
    known = np.isfinite(a.low) & np.isfinite(a.high) & np.isfinite(b.low) & np.isfinite(b.high)
    if link in (np.greater, np.greater_equal):
        return _link({np.greater: np.less, np.greater_equal: np.less_equal}[link], b, a)
    if link is np.less:
        return known & (a.high < b.low), a.low >= b.high
    if link is np.less_equal:
        return known & (a.high <= b.low), a.low > b.high
    same = known & (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    apart = (a.high < b.low) | (b.high < a.low)
    return (same, apart) if link is np.equal else (known & apart, same)


_OPERATIONS: dict[Operation, Callable[..., Interval]] = {
    operator.add: _add,
    operator.sub: _subtract,
    operator.mul: _multiply,
    operator.truediv: _divide,
    operator.pow: _power,
    operator.neg: _negate,
    operator.pos: lambda a: a,
    FUNCTIONS["min"][0]: partial(_extreme, np.minimum),
    FUNCTIONS["max"][0]: partial(_extreme, np.maximum),
    FUNCTIONS["exp"][0]: partial(_rising, np.exp),
    FUNCTIONS["log"][0]: partial(_above_zero, np.log),
    FUNCTIONS["sqrt"][0]: partial(_above_zero, np.sqrt),
    FUNCTIONS["abs"][0]: _absolute,
    FUNCTIONS["sin"][0]: partial(_wave, np.sin, 0.5 * np.pi),
    FUNCTIONS["cos"][0]: partial(_wave, np.cos, 0.0),
    FUNCTIONS["where"][0]: _choose,
}
