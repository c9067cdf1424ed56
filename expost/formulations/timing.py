"""One block per buyer, under any mix of timings."""

from __future__ import annotations

from expost.errors import InputError
from expost.formulations.blocks import Block
from expost.formulations.discretization import TypeSpace
from expost.formulations.static import static_block

STATIC, SEQUENTIAL = "static", "sequential"


def build_blocks(space: TypeSpace, timings: tuple[str, ...], first: tuple[str, ...] = (), *, revenue: bool = False) -> tuple[Block, ...]:
    """The blocks of all buyers. ``timings`` has one entry per buyer; ``first`` names signals that arrive first,
    each overriding its owner's declared stages; ``revenue`` asks for revenue weights where the rule determines them.

    Raises InputError for an unknown signal, or two first signals of one buyer.
    """
    owners = [space.instance.owner(signal) for signal in first]
    if len(set(owners)) < len(owners):
        raise InputError(f"two first signals of one buyer in {','.join(first)}", where="--first", expected="at most one signal of each buyer")
    arrives = dict(zip(owners, first, strict=True))
    return tuple(
        static_block(space.values[i], i, revenue=revenue) if timing == STATIC else _sequential(space, i, arrives.get(i))
        for i, timing in enumerate(timings)
    )


def _sequential(space: TypeSpace, i: int, first: str | None) -> Block:
    from expost.formulations.sequential import sequential_block

    return sequential_block(space, i, first)
