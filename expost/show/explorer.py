"""What the page to explore carries: the rule, the first best, values and terms, packed."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from expost._typing import Array, Bool, UInt8
from expost.mechanisms.menu import Menu
from expost.mechanisms.prices import PriceTable
from expost.runs.labelled import labelled
from expost.runs.run import Run
from expost.show.first_best import efficient_rule

MOST_BYTES = 4_000_000
"""What the arrays of a page may take before base64, which adds a third: a page stays under 6 MB."""
MOST_KINDS = 255


def explorer_data(run: Run) -> dict[str, Any] | None:
    """JSON values for the page's script, or None where there are too many states to carry.

    States are numbered in C order over all signals. second, first: which set of winners (of ``kinds``) each state has
    under the rule and under the first best. values: of each buyer in each state, left out where they take too much.
    """
    space = run.space
    rules = [run.mechanism.allocation, efficient_rule(space)]
    kinds, codes = _kinds(rules)
    if len(kinds) > MOST_KINDS:
        return None
    bits = next(width for width in (1, 2, 4, 8) if len(kinds) <= 1 << width)
    terms = [_terms(run, i) for i in range(space.n)]
    size = 2 * space.states * bits // 8 + sum(
        len(part) for own in terms for part in own.values() if isinstance(part, str)
    )
    if size > MOST_BYTES:
        return None
    carried = size + 4 * space.states * space.n <= MOST_BYTES
    signals = labelled(space, np.zeros(space.shape), name="", about="")
    names = list(space.instance.signals)
    leading = [names.index(own.signals[0]) for own in space.instance.buyers]
    axes = list(dict.fromkeys([*leading[:2], *range(len(names))]))[:2]
    return {
        "states": space.states,
        "buyers": [
            {"name": own.name, "signals": [names.index(name) for name in own.signals]}
            for own in space.instance.buyers
        ],
        "signals": [
            {
                "name": name,
                "points": [float(value) for value in signals[name].to_numpy()],
                "quantile": f"{name}_value" in signals.coords,
            }
            for name in names
        ],
        "axes": axes,
        "kinds": kinds,
        "second": {"bits": bits, "data": _text(_packed(codes[0], bits))},
        "first": {"bits": bits, "data": _text(_packed(codes[1], bits))},
        "values": [_floats(value) for value in space.values] if carried else None,
        "terms": terms,
    }


def _kinds(rules: list[Bool]) -> tuple[list[list[int]], list[Array]]:
    """The sets of winners that there are, and for each rule which of them each state has."""
    n = len(rules[0])
    flat = [rule.reshape(n, -1).T for rule in rules]
    bits = [np.packbits(rows, axis=1, bitorder="little") for rows in flat]
    found, places = np.unique(np.concatenate(bits), axis=0, return_inverse=True)
    winners = np.unpackbits(found, axis=1, count=n, bitorder="little")
    order = np.lexsort((*winners.T, winners.sum(axis=1)))
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    kinds = [[int(k) for k in np.flatnonzero(winners[place])] for place in order]
    return kinds, np.split(rank[places.ravel()], len(rules))


def _packed(codes: Array, bits: int) -> UInt8:
    """Codes of ``bits`` bits each, several to a byte, the first in the lowest bits."""
    per = 8 // bits
    padded = np.zeros(-(-len(codes) // per) * per, dtype=np.uint8)
    padded[: len(codes)] = codes
    shifts = (bits * np.arange(per)).astype(np.uint8)
    return np.bitwise_or.reduce(padded.reshape(-1, per) << shifts, axis=1).astype(np.uint8)


def _terms(run: Run, buyer: int) -> dict[str, Any]:
    terms = run.mechanism.terms[buyer]
    if isinstance(terms, Menu):
        first = run.space.instance.signals.index(terms.stages.first)
        arrays = {
            "strike": terms.strike,
            "lower": terms.lower,
            "upper": terms.upper,
            "fee": terms.seller_best,
        }
        head: dict[str, Any] = {"kind": "menu", "first": first, "levels": terms.stages.levels}
    else:
        assert isinstance(terms, PriceTable)
        arrays = {"price": terms.price, "lower": terms.lower, "upper": terms.upper}
        head = {"kind": "price"}
    return head | {name: _floats(array) for name, array in arrays.items()}


def _floats(array: Array) -> str:
    return _text(np.ascontiguousarray(array, dtype="<f4"))


def _text(array: Array) -> str:
    return base64.b64encode(array.tobytes()).decode()
