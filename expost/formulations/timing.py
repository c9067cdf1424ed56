"""Who learns his signals when: any mix of static and sequential buyers, from blocks to the mechanism."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from expost._typing import Bool, Timing
from expost.errors import InputError
from expost.formulations.blocks import Block
from expost.formulations.sequential import sequential_block, sequential_stages
from expost.formulations.static import static_block
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.menu import menu_from_rule
from expost.mechanisms.prices import Choice, implementing_prices
from expost.spaces.stages import Stages, parse_first
from expost.spaces.type_space import TypeSpace

STATIC, SEQUENTIAL = Timing.STATIC, Timing.SEQUENTIAL

__all__ = [
    "SEQUENTIAL",
    "STATIC",
    "build_blocks",
    "buyer_stages",
    "mixed_mechanism",
    "parse_first",
    "parse_timing",
]


def parse_timing(n: int, timing: str | Sequence[str]) -> tuple[Timing, ...]:
    """The timing of each of ``n`` buyers: one word for all, or one per buyer (a sequence, or joined by
    commas).

    Raises InputError for any other word and for the wrong number of them.
    """
    words = [word.strip() for word in timing.split(",")] if isinstance(timing, str) else list(timing)
    for word in words:
        if word not in (STATIC, SEQUENTIAL):
            raise InputError(f"timing {word!r}", where="timing", expected=f"{STATIC} or {SEQUENTIAL}")
    if len(words) == 1:
        words = words * n
    if len(words) != n:
        raise InputError(
            f"{len(words)} timings for {n} buyers",
            where="timing",
            expected="one for all buyers, or one for each",
        )
    return tuple(Timing(word) for word in words)


AT_ONCE = 1_000_000
"""With so many states, the blocks of two buyers are built at once."""


def build_block(
    space: TypeSpace, i: int, timing: str, first: str | None = None, revenue: bool = False
) -> Block:
    """The block of buyer ``i``, as in ``build_blocks``."""
    if timing == SEQUENTIAL:
        return sequential_block(space, i, first)
    chances = None if space.weights is None else space.weights.chances
    return static_block(space.values[i], i, revenue=revenue, chances=chances)


def build_blocks(
    space: TypeSpace,
    timings: tuple[str, ...],
    first: Sequence[str | None] = (),
    revenue: bool = False,
) -> tuple[Block, ...]:
    """One block per buyer, static or sequential; ``first`` names first-stage signals, by default those of
    the instance.

    revenue: give the static blocks their revenue weights (sequential blocks have none). Raises InputError
    when a first signal is named for a static buyer, and whatever ``sequential_block`` raises.
    """
    firsts = _firsts(space, timings, first)

    def block(i: int) -> Block:
        return build_block(space, i, timings[i], firsts[i], revenue)

    buyers = range(len(timings))
    if space.states < AT_ONCE:
        return tuple(map(block, buyers))
    # mostly sorting, which lets other threads run
    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(block, buyers))


def buyer_stages(
    space: TypeSpace, timings: tuple[str, ...], first: Sequence[str | None] = ()
) -> tuple[Stages | None, ...]:
    """The stages of each sequential buyer, None for static ones."""
    firsts = _firsts(space, timings, first)
    return tuple(
        sequential_stages(space, i, firsts[i]) if timing == SEQUENTIAL else None
        for i, timing in enumerate(timings)
    )


def mixed_mechanism(
    space: TypeSpace, allocation: Bool, stages: tuple[Stages | None, ...], choice: Choice = Choice.MIDPOINT
) -> Mechanism:
    """The mechanism of a rule (n, T_1, .., T_n): a menu for each buyer with stages, prices for the others."""
    return Mechanism(
        allocation,
        tuple(
            implementing_prices(space.values[i], allocation[i], i, choice)
            if own is None
            else menu_from_rule(space.values[i], allocation[i], own, choice, space.weights)
            for i, own in enumerate(stages)
        ),
        space.weights,
        space.units,
    )


def _firsts(
    space: TypeSpace, timings: tuple[str, ...], first: Sequence[str | None]
) -> tuple[str | None, ...]:
    firsts = parse_first(space.instance, first)
    for name, timing in zip(firsts, timings, strict=True):
        if name is not None and timing == STATIC:
            raise InputError(
                f"first signal {name}",
                where="first",
                expected="a signal of a buyer with sequential timing",
                remedy='add timing="sequential"',
            )
    return firsts
