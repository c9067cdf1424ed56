# mypy: disable-error-code="untyped-decorator"
"""Compiled kernels for maximum-weight closures: a wave preflow over infinite arcs.

One round searches from the unmet demands, backwards over residual arcs, 64 nodes at a time as the bits of a word,
which gives every node that reaches one a label; then one sweep, farthest node first, pushes each excess to residual
neighbours of smaller label, limited arcs first; then the excess that is stuck wanders on for a while by
labels that rise as they have to. An infinite arc can always be walked forwards, and backwards as far as
its flow goes.

Precedence arcs ``v -> v + 1`` are implicit (a bit and a flow per node), and each node may have one
partner across; all other arcs are explicit. One byte per node says what a search and a sweep have to know.

All kernels are in this one file, long as it is: the cache of compiled code is fresh as long as this file stays
as it is (``expost._compiled``), and what is inlined from elsewhere would go stale unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from expost._compiled import compiled
from expost._typing import Int8, Int32, Int64, UInt8, UInt64

CHAIN = 1
"""There is an arc from this node to the next."""
CARRY = 2
"""That arc carries flow."""
ACROSS = 4
"""The node has a partner: ``v -> partner[v]`` when v is in block 0, ``partner[v] -> v`` otherwise."""
LOADED = 8
"""The arc between the node and its partner carries flow (set on both)."""
SUPPLY = 16
"""The excess is positive."""
DEMAND = 32
"""The excess is negative."""
SENT = 64
"""Explicit arcs that leave the node may carry flow: some do, or did since ``mark``."""
EXTRA = 128
"""Explicit arcs touch the node."""

ARCS = CHAIN | ACROSS | EXTRA
NO_CARRY, NO_LOAD, BALANCED = 255 - CARRY, 255 - LOADED, 255 - SUPPLY - DEMAND
"""Masks; named, because every operation between constants is compiled like any other."""

FAR = 2**31 - 1
"""Label of a node that the last search has not met."""

FAR_AHEAD, AHEAD = 8, 4
"""How many turns ahead a node's data are fetched, and what its partner needs."""

ROWS_AHEAD, SEARCH_FAR_AHEAD, SEARCH_AHEAD = 8, 4, 2
"""How many words ahead a search fetches what it knows of a word, the data of its nodes, and what its arcs need."""

DISTANT = 100_000
"""So many words do not fit into a core's own cache: then those that partners are in are fetched before the first is
looked at."""

REACH, HOPS = 16, 2
"""In one step a search goes over REACH nodes of a chain, or over an arc across. Of explicit arcs within a word it goes
over up to HOPS - 1 in one step."""

MOST_TIED = 8
"""Ties of so many nodes are known by their bits; one label more a node may be needed for them in a step."""

SHORT_STEP, LONG_STEP = REACH, REACH * HOPS + MOST_TIED
"""How many labels one step of a search has, without explicit arcs and with them; at most 64."""

BACK, ON, OVER_ON, OVER_BACK, EXPLICIT_ON = 0, 1, 2, 3, 4
"""Over which arc an excess goes; from EXPLICIT_ON upwards, forwards and backwards over explicit arcs."""

EXCESS, ALONG, OVER = 0, 1, 2
"""The columns of ``Graph.node``."""


class Graph(NamedTuple):
    """A network and its flow.

    Compiled functions that pass it on to inlined ones are declared with ``_nrt=False``: they allocate
    nothing, and counting references to all these arrays on every call took two thirds of their time.

    second: where block 1 starts.
    bits: uint8 (nodes,). partner: int32 (nodes,), the node itself where it has none.
    node: int64 (nodes, 3), side by side because they are used together: the EXCESS, the flow ALONG the
    arc to the next node, and, for nodes of block 0, the flow OVER to the partner.
    xtail, xhead: int32 (explicit arcs,), sorted by tail; xflow: int64 (explicit arcs,).
    xout_ptr: int32 (nodes + 1,), where the arcs that leave each node start. xin_ptr: likewise for those
    that enter it, listed in xin, with their tails in xin_tail.
    """

    second: int
    bits: UInt8
    partner: Int32
    node: Int64
    xtail: Int32
    xhead: Int32
    xflow: Int64
    xout_ptr: Int32
    xin_ptr: Int32
    xin: Int32
    xin_tail: Int32


@intrinsic
def fetch(_context: Any, array: Any, index: Any) -> Any:
    """Prefetch the item of an array with this number, counted as they lie in memory; it must not be negative."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        values = cgutils.create_struct_proxy(array)(context, builder, arguments[0])
        place = builder.gep(values.data, [arguments[1]])
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        )
        # read, keep in all caches, data
        builder.call(hint, [builder.bitcast(place, byte), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


@intrinsic
def lowest_bit(_context: Any, word: Any) -> Any:
    """The number of the lowest bit that is set in a uint64, 64 if none is."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.false_bit)

    return types.uint64(word), generate


@intrinsic
def leading_zeros(_context: Any, word: Any) -> Any:
    """How many bits of a uint64 are above the highest that is set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], cgutils.false_bit)

    return types.uint64(word), generate


@intrinsic
def count_bits(_context: Any, word: Any) -> Any:
    """How many bits of a uint64 are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(word), generate


@intrinsic
def where_set(_context: Any, array: Any, index: Any, bit: Any) -> Any:
    """Which of the bytes ``array[index : index + 64]`` have a bit set, as a uint64, the first one lowest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0])
        many = ir.VectorType(ir.IntType(8), 64)
        place = builder.bitcast(builder.gep(values.data, [arguments[1]]), many.as_pointer())
        one = builder.insert_element(
            ir.Constant(many, ir.Undefined), builder.trunc(arguments[2], ir.IntType(8)), ir.IntType(32)(0)
        )
        everywhere = builder.shuffle_vector(
            one, ir.Constant(many, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 64), None)
        )
        found = builder.and_(builder.load(place, align=1), everywhere)
        return builder.bitcast(builder.icmp_unsigned("!=", found, ir.Constant(many, None)), ir.IntType(64))

    return types.uint64(array, index, bit), generate


helper = njit(forceinline=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""What LLVM inlines into the kernels. Numba's own ``inline="always"`` copies the text of a function to where it is
called, where its types are inferred and its code is written anew each time: that took two fifths of the time to
compile."""

wide = cast("Callable[[Any], int]", np.int64)
"""Node numbers go to helpers as int64 (``int`` leaves an int32 one): other types would be compiled once more."""


@helper
def mark_excess(g: Graph, v: int, excess: int) -> None:
    """Set the excess of a node, and its bits."""
    g.node[v, EXCESS] = excess
    sign = SUPPLY if excess > 0 else (DEMAND if excess < 0 else 0)
    g.bits[v] = (g.bits[v] & BALANCED) | sign


@helper
def clear_excess(g: Graph, v: int) -> None:
    """Take the excess of a node away."""
    g.node[v, EXCESS] = 0
    g.bits[v] &= BALANCED


@helper
def add_chain(g: Graph, v: int, amount: int) -> None:
    """Change the flow from a node to the next."""
    g.node[v, ALONG] += amount
    if g.node[v, ALONG] > 0:
        g.bits[v] |= CARRY
    else:
        g.bits[v] &= NO_CARRY


@helper
def add_across(g: Graph, v: int, amount: int) -> None:
    """Change the flow from a node of block 0 to its partner."""
    g.node[v, OVER] += amount
    if g.node[v, OVER] > 0:
        g.bits[v] |= LOADED
        g.bits[g.partner[v]] |= LOADED
    else:
        g.bits[v] &= NO_LOAD
        g.bits[g.partner[v]] &= NO_LOAD


@helper
def fetch_far(g: Graph, label: Int32, v: int) -> None:
    """Fetch what a node's turn will need."""
    fetch(g.node, 3 * v)
    fetch(g.bits, v)
    fetch(g.partner, v)
    fetch(label, v)


@helper
def fetch_near(g: Graph, label: Int32, v: int) -> None:
    """Fetch what a node's turn will need of its partner."""
    w = wide(g.partner[v])
    fetch(g.node, 3 * w)
    fetch(g.bits, w)
    fetch(label, w)


@compiled(nogil=True, _nrt=False)
def fill_pairs(g: Graph) -> None:
    """Push across what a node has and its partner lacks, then the same along the explicit arcs.

    The bits are right after ``mark`` only.
    """
    for v in range(g.second):
        if g.bits[v] & ACROSS:
            w = g.partner[v]
            f = min(g.node[v, EXCESS], -g.node[w, EXCESS])
            if f > 0:
                g.node[v, OVER] += f
                g.node[v, EXCESS] -= f
                g.node[w, EXCESS] += f
    for a in range(len(g.xtail)):
        v, w = g.xtail[a], g.xhead[a]
        f = min(g.node[v, EXCESS], -g.node[w, EXCESS])
        if f > 0:
            g.xflow[a] += f
            g.node[v, EXCESS] -= f
            g.node[w, EXCESS] += f


# The search, 64 nodes at a time: what it has to know of a node is a bit in each of a few words. From the nodes of a
# word that are new, it goes along their chain by shifts, and only then over their other arcs, node by node.

SEEN, WAITING, SUPPLIES = 0, 1, 3
"""The columns of ``Maps.state``: nodes that were met, those to go on from (two columns, now and next), active ones."""

CHAINS, CARRIES, LINKS, EXTRAS, SENDERS = 0, 1, 2, 3, 4
"""The columns of ``Maps.arcs``: nodes with an arc to the next, those where it carries flow, those with a way from
their partner, with explicit arcs, and where such arcs may carry flow away."""

ALL, ONE, NONE, LAST = np.uint64(2**64 - 1), np.uint64(1), np.uint64(0), np.uint64(63)


FIRST, TIED, ENDS, MET, FILLED, EMPTIED = 0, 1, 2, 3, 4, 5
"""The columns of ``Maps.ties``. ``find_ties`` fills the first four: the nodes of a tie but its last, all of its nodes,
the nodes that follow a tie, and nodes that only ties lead to over explicit arcs. Each search fills the others: nodes of
a tie to which, and from which, an explicit arc carries flow.

A tie is MOST_TIED nodes at most, one after the other and within a word, that the node before them leads to and that
lead to the node after them, and to nothing else but partners: types of equal value, which are free of each other."""


class Maps(NamedTuple):
    """Room for a search: bit ``k`` of word ``j`` stands for node ``64 j + k``.

    state: uint64 (words, 4), arcs: uint64 (words, 5), ties: uint64 (words or none, 6), columns as above. lists: int32
    (2, words + 1), the words to go on from, now and next. tally: int32 (64,), room for small things. rest: uint8 (64,),
    0 where it stands for no node: the bits of the last word's. step: how many labels one step has.
    """

    state: UInt64
    arcs: UInt64
    ties: UInt64
    lists: Int32
    tally: Int32
    rest: UInt8
    step: int


@compiled(nogil=True, _nrt=False)
def find_ties(g: Graph, ties: UInt64) -> int:
    """Fill ``ties``, uint64 (words, 6), which starts as 0; returns how many explicit arcs they have."""
    nodes, arcs = len(g.bits), wide(0)
    for v in range(nodes - 1):
        if g.bits[v] & (CHAIN | EXTRA) == CHAIN | EXTRA:
            many = 1 + g.xout_ptr[v + 1] - g.xout_ptr[v]
            end = v + many + 1
            if 1 < many <= MOST_TIED and end < nodes and v >> 6 == end >> 6 and is_tie(g, v, end):
                j, low, high = v >> 6, np.uint64(v & 63), np.uint64(end & 63)
                upto = (ONE << high) - ONE
                ties[j, TIED] |= upto & ~((ONE << (low + ONE)) - ONE)
                ties[j, FIRST] |= (upto >> ONE) & ~((ONE << (low + ONE)) - ONE)
                ties[j, ENDS] |= ONE << high
                ties[j, MET] |= upto & ~((ONE << (low + ONE)) - ONE)
                arcs += 2 * (many - 1)
                if g.xin_ptr[end + 1] - g.xin_ptr[end] == many - 1:
                    ties[j, MET] |= ONE << high
    return arcs


@helper
def is_tie(g: Graph, start: int, end: int) -> bool:
    """Whether the nodes between ``start`` and ``end`` are a tie; the explicit arcs of ``start`` are as many."""
    # as many as the nodes that they may lead to, each of which is led to once
    for k in range(g.xout_ptr[start], g.xout_ptr[start + 1]):
        if not start + 2 <= g.xhead[k] < end:
            return False
    for w in range(start + 1, end):
        last = w == end - 1
        if (g.bits[w] & CHAIN > 0) != last:
            return False
        out = g.xout_ptr[w]
        if g.xout_ptr[w + 1] - out != (0 if last else 1) or not (last or g.xhead[out] == end):
            return False
        if g.xin_ptr[w + 1] - g.xin_ptr[w] != (0 if w == start + 1 else 1):
            return False
    return True


@helper
def fill_ties(g: Graph, maps: Maps, j: int, sent: Any) -> Any:
    """See which arcs of ties carry flow in word ``j``, where ``sent`` are nodes from which some may; return the nodes
    that arcs of ties leave.
    """
    first, tied = maps.ties[j, FIRST], maps.ties[j, TIED]
    starts = (tied >> ONE) & ~tied
    filled, emptied = NONE, NONE
    rest = sent & (first | starts)
    while rest != NONE:
        k = lowest_bit(rest)
        rest &= rest - ONE
        v = 64 * j + wide(k)
        a = wide(g.xout_ptr[v])
        if (first >> k) & ONE != NONE:
            emptied |= np.uint64(g.xflow[a] > 0) << k
        else:
            for i in range(a, g.xout_ptr[v + 1]):
                filled |= np.uint64(g.xflow[i] > 0) << np.uint64(g.xhead[i] & 63)
    maps.ties[j, FILLED], maps.ties[j, EMPTIED] = filled, emptied
    return first | starts


@compiled(nogil=True, _nrt=False)
def lay_out(g: Graph, maps: Maps) -> int:
    """Fill the maps from the nodes' bits; the search goes on from the demands. Returns how many words have some."""
    nodes = len(g.bits)
    count = 0
    for j in range(len(maps.state)):
        low = 64 * j
        if low + 64 <= nodes:
            bytes_, at = g.bits, low
        else:
            for v in range(low, nodes):
                maps.rest[v - low] = g.bits[v]
            bytes_, at = maps.rest, wide(0)
        chain, carry = where_set(bytes_, at, CHAIN), where_set(bytes_, at, CARRY)
        across, loaded = where_set(bytes_, at, ACROSS), where_set(bytes_, at, LOADED)
        supply, demand = where_set(bytes_, at, SUPPLY), where_set(bytes_, at, DEMAND)
        sent, extra = where_set(bytes_, at, SENT), where_set(bytes_, at, EXTRA)
        # the arc from a partner can always be walked, the one to a partner only back along its flow
        if low + 64 <= g.second:
            across = NONE
        elif low < g.second:
            across &= ALL << np.uint64(g.second - low)
        maps.state[j, SEEN] = NONE
        maps.state[j, WAITING] = demand
        maps.state[j, WAITING + 1] = NONE
        maps.state[j, SUPPLIES] = supply
        maps.arcs[j, CHAINS] = chain
        maps.arcs[j, CARRIES] = carry
        maps.arcs[j, LINKS] = loaded | across
        if len(maps.ties) > 0:
            extra &= ~maps.ties[j, MET]
            sent &= ~fill_ties(g, maps, j, sent)
        maps.arcs[j, EXTRAS] = extra
        maps.arcs[j, SENDERS] = sent
        maps.lists[0, count] = j
        count += wide(demand != NONE)
    return count


@helper
def wait(maps: Maps, side: int, count: int, j: int, nodes: Any) -> int:
    """Let those of ``nodes``, bits of word ``j``, that are not seen wait in column ``side``; return the length of its
    list of words, which was ``count``."""
    before = maps.state[j, WAITING + side]
    more = nodes & ~maps.state[j, SEEN]
    maps.state[j, WAITING + side] = before | more
    maps.lists[side, count] = j
    return count + wide((before == NONE) & (more != NONE))


@helper
def wait_for(maps: Maps, side: int, count: int, v: int) -> int:
    """The same for one node."""
    return wait(maps, side, count, v >> 6, ONE << np.uint64(v & 63))


@helper
def flood(nodes: Any, way: Any, down: bool) -> Any:
    """``nodes`` and what they lead to within fewer than REACH steps to bits of ``way``, lower or higher ones."""
    step = 1
    while step < REACH:
        by = np.uint64(step)
        if down:
            nodes |= way & (nodes >> by)
            way &= way >> by
        else:
            nodes |= way & (nodes << by)
            way &= way << by
        step += step
    return nodes


@helper
def flood_ties(maps: Maps, j: int, seeds: Any, chain: Any, free: Any) -> Any:
    """``flood`` down the chain of word ``j`` where it has ties: what is seen of them is passed through.

    A tie is gone through as if its nodes led to one another, which comes to the right node before it; but of these
    nodes only those are met that the node after the tie leads back to.
    """
    first, tied, ends = maps.ties[j, FIRST], maps.ties[j, TIED], maps.ties[j, ENDS]
    below = flood(seeds, (chain & free) | ((chain | first) & tied), True)
    return below & (seeds | ~first | flood(below & ends, tied, True))


@helper
def around_ties(maps: Maps, j: int, new: Any) -> Any:
    """What the nodes ``new`` of word ``j`` lead to, back over the arcs of ties or along their flow."""
    tied, ends = maps.ties[j, TIED], maps.ties[j, ENDS]
    within = flood(new & ends, tied, True)
    before = (flood(new & tied, tied, True) >> ONE) & ~tied
    filled = flood((new & ~tied) << ONE & tied, tied, False) & maps.ties[j, FILLED]
    after = (flood(new & maps.ties[j, EMPTIED], tied, False) << ONE) & ends
    return within | before | filled | after


@helper
def label_ties(maps: Maps, label: Int32, j: int, met: Any, seeds: Any, base: int) -> None:
    """Label those of ``met`` that are not the last of a tie: they lead to the node after it alone."""
    rest = met & maps.ties[j, FIRST]
    while rest != NONE:
        k = lowest_bit(rest)
        rest &= rest - ONE
        k_end = lowest_bit(maps.ties[j, ENDS] >> k)
        label[64 * j + wide(k)] = base + wide(k_end) + wide(lowest_bit(seeds >> (k + k_end)))


@compiled(nogil=True, _nrt=False)
def search_back(  # noqa: PLR0912, PLR0915
    g: Graph, maps: Maps, label: Int32, active: Int32, room: Int32, wanted: int
) -> tuple[int, int, int]:
    """Label the nodes that reach an unmet demand with their distance to the nearest one.

    Labels count steps, and within a step they rise with the distance, so that some neighbour on the way has a smaller
    one. ``label`` is int32 (nodes,), FAR for nodes that were not met. The search ends when it has met
    ``wanted`` nodes with an excess; ``active`` lists them, nearest first. Returns how many these are, how many nodes
    were met, and a number above all labels. ``room`` has room for all nodes.
    """
    label[:] = FAR
    explicit, distant = len(g.xtail) > 0, len(maps.state) > DISTANT
    step = maps.step
    count = lay_out(g, maps)
    state, arcs, lists = maps.state, maps.arcs, maps.lists
    side, base, found, met = wide(0), wide(0), wide(0), wide(0)
    while count > 0 and found < wanted:
        ahead = 1 - side
        later, before = wide(0), found
        for i in range(count):
            if i + ROWS_AHEAD < count:
                fetch_rows(maps, wide(lists[side, i + ROWS_AHEAD]))
            if i + SEARCH_FAR_AHEAD < count:
                fetch_word(
                    g,
                    maps,
                    label,
                    wide(lists[side, i + SEARCH_FAR_AHEAD]),
                    wide(lists[side, i + SEARCH_AHEAD]),
                )
            j = wide(lists[side, i])
            low = 64 * j
            seeds = state[j, WAITING + side] & ~state[j, SEEN]
            state[j, WAITING + side] = NONE
            chain, carry = arcs[j, CHAINS], arcs[j, CARRIES]
            from_base = base
            while seeds != NONE:
                free = ~state[j, SEEN]
                tied = maps.ties[j, TIED] if explicit else NONE
                if tied == NONE:
                    below = flood(seeds, chain & free, True)
                    new = below | flood(seeds, (carry << ONE) & free, False)
                else:
                    below = free & flood_ties(maps, j, seeds, chain, free)
                    # what of a tie can be met only over the node before it has to wait: that one is far from its seed
                    late = ((below & ~seeds & ~tied) << ONE) & tied
                    new = below | flood(seeds, (carry << ONE) & free & ~late, False)
                state[j, SEEN] |= new
                met += wide(count_bits(new))
                # where the chain goes on
                onward = ((new >> ONE) & chain) | ((new & carry) << ONE)
                if tied != NONE:
                    onward |= around_ties(maps, j, new)
                later = wait(maps, ahead, later, j, onward)
                if (new & ONE) != NONE and j > 0 and (arcs[j - 1, CHAINS] >> LAST) != NONE:
                    later = wait_for(maps, ahead, later, low - 1)
                if ((new & carry) >> LAST) != NONE:
                    later = wait_for(maps, ahead, later, low + 64)
                rest = new & state[j, SUPPLIES]
                while rest != NONE:
                    room[found] = low + wide(lowest_bit(rest))
                    found += 1
                    rest &= rest - ONE
                rest = below
                if tied != NONE:
                    label_ties(maps, label, j, below & ~seeds, seeds, from_base)
                    rest &= seeds | ~maps.ties[j, FIRST]
                while rest != NONE:
                    k = lowest_bit(rest)
                    rest &= rest - ONE
                    label[low + wide(k)] = from_base + wide(lowest_bit(seeds >> k))
                rest = new & ~below
                while rest != NONE:
                    k = lowest_bit(rest)
                    rest &= rest - ONE
                    label[low + wide(k)] = from_base + wide(leading_zeros(seeds << (LAST - k)))
                if distant:
                    rest = new & arcs[j, LINKS]
                    while rest != NONE:
                        fetch(state, 4 * (wide(g.partner[low + wide(lowest_bit(rest))]) >> 6))
                        rest &= rest - ONE
                rest = new & arcs[j, LINKS]
                while rest != NONE:
                    later = wait_for(maps, ahead, later, wide(g.partner[low + wide(lowest_bit(rest))]))
                    rest &= rest - ONE
                seeds = NONE
                if not explicit:
                    break
                rest = new & arcs[j, EXTRAS]
                while rest != NONE:
                    v = low + wide(lowest_bit(rest))
                    rest &= rest - ONE
                    for a in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                        w = wide(g.xin_tail[a])
                        if w >> 6 == j:
                            seeds |= ONE << np.uint64(w & 63)
                        else:
                            later = wait_for(maps, ahead, later, w)
                rest = new & arcs[j, SENDERS]
                while rest != NONE:
                    v = low + wide(lowest_bit(rest))
                    rest &= rest - ONE
                    for a in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                        if g.xflow[a] > 0:
                            w = wide(g.xhead[a])
                            if w >> 6 == j:
                                seeds |= ONE << np.uint64(w & 63)
                            else:
                                later = wait_for(maps, ahead, later, w)
                # arcs within the word are part of the same step, a few of them
                seeds &= ~state[j, SEEN]
                from_base += REACH
                if from_base + REACH > base + step:
                    later = wait(maps, ahead, later, j, seeds)
                    break
        sort_by_label(room, label, before, found, base, maps.tally, active)
        count, side = later, ahead
        base += step
    return found, met, base


@helper
def fetch_rows(maps: Maps, j: int) -> None:
    """Fetch the rows of word ``j``, some of which are on two lines."""
    fetch(maps.state, 4 * j)
    fetch(maps.arcs, 5 * j)
    fetch(maps.arcs, 5 * j + 4)
    if len(maps.ties) > 0:
        fetch(maps.ties, 6 * j)
        fetch(maps.ties, 6 * j + 5)


@helper
def fetch_word(g: Graph, maps: Maps, label: Int32, far: int, near: int) -> None:
    """Fetch what a search will need of the word ``far``, and where the arcs of the word ``near`` lead."""
    v, w = 64 * far, 64 * near
    for k in range(0, 64, 16):
        fetch(label, v + k)
        fetch(g.partner, w + k)
    if len(g.xtail) > 0:
        rest = maps.arcs[far, EXTRAS] | maps.arcs[far, SENDERS]
        while rest != NONE:
            k = lowest_bit(rest)
            rest &= rest - ONE
            fetch(g.xin_ptr, v + wide(k))
            fetch(g.xout_ptr, v + wide(k))
        rest = maps.arcs[near, EXTRAS] | maps.arcs[near, SENDERS]
        while rest != NONE:
            k = lowest_bit(rest)
            rest &= rest - ONE
            fetch(g.xin_tail, g.xin_ptr[w + wide(k)])
            fetch(g.xflow, g.xout_ptr[w + wide(k)])
            fetch(g.xhead, g.xout_ptr[w + wide(k)])


@helper
def sort_by_label(
    nodes: Int32, label: Int32, first: int, last: int, base: int, tally: Int32, into: Int32
) -> None:
    """Sort ``nodes[first:last]``, whose labels are base .. base + 63, by label into the same places of ``into``."""
    tally[:] = 0
    for i in range(first, last):
        tally[label[nodes[i]] - base] += 1
    place = first
    for k in range(len(tally)):
        many = tally[k]
        tally[k] = place
        place += many
    for i in range(first, last):
        k = label[nodes[i]] - base
        into[tally[k]] = nodes[i]
        tally[k] += 1


@compiled(nogil=True, _nrt=False)
def reach(g: Graph, met: UInt8, room: Int32) -> None:
    """Mark in ``met`` the nodes that some excess reaches without those marked before; ``room`` has room for all."""
    count = 0
    for v in range(len(met)):
        if g.bits[v] & SUPPLY and not met[v]:
            met[v] = 1
            room[count] = v
            count += 1
    # a stack: what comes next is near to what came last
    while count > 0:
        count -= 1
        v = room[count]
        b = g.bits[v]
        if (b & CHAIN) and not met[v + 1]:
            met[v + 1] = 1
            room[count] = v + 1
            count += 1
        if v > 0 and (g.bits[v - 1] & CARRY) and not met[v - 1]:
            met[v - 1] = 1
            room[count] = v - 1
            count += 1
        if (b & ACROSS) and (v < g.second or (b & LOADED)):
            w = g.partner[v]
            if not met[w]:
                met[w] = 1
                room[count] = w
                count += 1
        if b & EXTRA:
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                w = g.xhead[k]
                if not met[w]:
                    met[w] = 1
                    room[count] = w
                    count += 1
            for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                w = g.xin_tail[k]
                if not met[w] and g.xflow[g.xin[k]] > 0:
                    met[w] = 1
                    room[count] = w
                    count += 1


# The sweep: every excess moves to smaller labels, farthest first. Nodes that get an excess wait for their turn in
# buckets, linked lists by label: ``first[d]`` is a node, ``after[v]`` the one that follows it; both are one more than
# the node, 0 where there is none, so that what no label needs is never touched.


@compiled(nogil=True, _nrt=False)
def sweep(
    g: Graph,
    label: Int32,
    active: Int32,
    count: int,
    first: Int32,
    after: Int32,
    stuck: Int32,
) -> int:
    """Push the excess of ``active[:count]``, sorted by label, to residual neighbours of smaller label.

    Lists in ``stuck`` the nodes that keep one and returns how many there are. An excess that comes to a node without
    any goes on at once, while the node is at hand; where there is some already, it waits for that node's turn.
    """
    left = wide(0)
    d = int(label[active[count - 1]]) if count else -1
    while d >= 0:
        while True:
            if count and label[active[count - 1]] == d:
                count -= 1
                v = wide(active[count])
                if count >= FAR_AHEAD:
                    fetch_far(g, label, active[count - FAR_AHEAD])
                    fetch_near(g, label, active[count - AHEAD])
            elif first[d] > 0:
                v = wide(first[d]) - 1
                first[d] = after[v]
            else:
                break
            e = g.node[v, EXCESS]
            clear_excess(g, v)
            while e > 0:
                e, left = retreat(g, v, e, label, first, after, stuck, left)
                if e == 0:
                    break
                w = advance(g, v, e, label)
                if w < 0:
                    mark_excess(g, v, e)
                    stuck[left] = v
                    left += 1
                    break
                v = w
                if g.node[v, EXCESS] != 0:
                    left = receive(g, v, e, label, first, after, stuck, left)
                    break
        d -= 1
    return left


@helper
def receive(
    g: Graph, w: int, amount: int, label: Int32, first: Int32, after: Int32, stuck: Int32, left: int
) -> int:
    """Add to the excess of ``w``; if it had none, let it wait for its turn, or be stuck at a met demand."""
    before = g.node[w, EXCESS]
    mark_excess(g, w, before + amount)
    if before <= 0 and before + amount > 0:
        d = label[w]
        if d == 0:
            stuck[left] = w
            left += 1
        else:
            after[w] = first[d]
            first[d] = w + 1
    return left


@helper
def retreat(
    g: Graph, v: int, e: int, label: Int32, first: Int32, after: Int32, stuck: Int32, left: int
) -> tuple[int, int]:
    """Undo flow into ``v`` from smaller labels; return what is left of ``e``, and how many nodes are stuck."""
    b = g.bits[v]
    d = label[v]
    if v > 0 and (g.bits[v - 1] & CARRY) and label[v - 1] < d:
        f = min(e, g.node[v - 1, ALONG])
        add_chain(g, v - 1, -f)
        left = receive(g, v - 1, f, label, first, after, stuck, left)
        e -= f
    if e > 0 and v >= g.second and (b & LOADED):
        w = wide(g.partner[v])
        if label[w] < d:
            f = min(e, g.node[w, OVER])
            add_across(g, w, -f)
            left = receive(g, w, f, label, first, after, stuck, left)
            e -= f
    if e > 0 and (b & EXTRA):
        for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
            a = g.xin[k]
            f = min(e, g.xflow[a])
            w = wide(g.xin_tail[k])
            if f > 0 and label[w] < d:
                g.xflow[a] -= f
                left = receive(g, w, f, label, first, after, stuck, left)
                e -= f
    return e, left


@helper
def advance(g: Graph, v: int, e: int, label: Int32) -> int:
    """Send ``e`` over one infinite arc to a neighbour of smaller label; return it, -1 if there is none."""
    b = g.bits[v]
    d = label[v]
    to = -1
    if (b & CHAIN) and label[v + 1] < d:
        to = v + 1
        add_chain(g, v, e)
    elif v < g.second and (b & ACROSS) and label[g.partner[v]] < d:
        to = wide(g.partner[v])
        add_across(g, v, e)
    elif b & EXTRA:
        for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
            a = k
            if to < 0 and label[g.xhead[a]] < d:
                to = wide(g.xhead[a])
                g.xflow[a] += e
                g.bits[v] |= SENT
    return to


@compiled(nogil=True, _nrt=False)
def wander(  # noqa: PLR0912
    g: Graph, label: Int32, ring: Int32, count: int, pushes: int, across: int
) -> int:
    """Push the excess of ``ring[:count]``, first come first served, each time to the smallest label around.

    A node whose smallest neighbour is not below it is first labelled above that neighbour: by 1 on the same chain, by a
    quarter of a step otherwise, which takes fewer rounds than a whole one. Stops
    after ``pushes`` pushes; returns how many nodes with an excess there are left. ``ring`` has room for all nodes.
    Labels only guide: a wrong one costs time, never correctness.
    """
    size = len(ring)
    first = 0
    lost = 0
    while count > 0 and pushes > 0:
        if count > FAR_AHEAD and first + FAR_AHEAD < size:
            fetch_far(g, label, ring[first + FAR_AHEAD])
            fetch_near(g, label, ring[first + AHEAD])
        v = wide(ring[first])
        first = first + 1 if first + 1 < size else 0
        count -= 1
        e = g.node[v, EXCESS]
        if e <= 0:
            continue
        clear_excess(g, v)
        while e > 0:
            pushes -= 1
            w, how, f, d = lowest(g, label, v, e)
            if w < 0:
                lost += 1
                break
            if d >= label[v]:
                label[v] = d + (1 if how <= ON else across)
            if how == BACK:
                add_chain(g, w, -f)
            elif how == ON:
                add_chain(g, v, f)
            elif how == OVER_ON:
                add_across(g, v, f)
            elif how == OVER_BACK:
                add_across(g, w, -f)
            elif (how - EXPLICIT_ON) & 1:
                g.xflow[(how - EXPLICIT_ON) >> 1] -= f
            else:
                g.xflow[(how - EXPLICIT_ON) >> 1] += f
                g.bits[v] |= SENT
            e -= f
            before = g.node[w, EXCESS]
            mark_excess(g, w, before + f)
            if before <= 0 and before + f > 0:
                last = first + count
                ring[last if last < size else last - size] = w
                count += 1
        mark_excess(g, v, e)
    return count + lost


@helper
def lowest(g: Graph, label: Int32, v: int, e: int) -> tuple[int, int, int, int]:
    """The residual neighbour of ``v`` with the smallest label (-1: none was met), how to get there, how much
    of ``e`` fits, and that label.
    """
    b = g.bits[v]
    best, how, room, to = FAR, -1, e, -1
    if v > 0 and (g.bits[v - 1] & CARRY) and label[v - 1] < best:
        best, how, room, to = label[v - 1], BACK, min(e, g.node[v - 1, ALONG]), v - 1
    if (b & CHAIN) and label[v + 1] < best:
        best, how, room, to = label[v + 1], ON, e, v + 1
    if b & ACROSS:
        w = wide(g.partner[v])
        if label[w] < best:
            if v < g.second:
                best, how, room, to = label[w], OVER_ON, e, w
            elif b & LOADED:
                best, how, room, to = label[w], OVER_BACK, min(e, g.node[w, OVER]), w
    if b & EXTRA:
        for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
            a = wide(k)
            w = wide(g.xhead[a])
            if label[w] < best:
                best, how, room, to = label[w], EXPLICIT_ON + 2 * a, e, w
        for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
            a = wide(g.xin[k])
            w = wide(g.xin_tail[k])
            if g.xflow[a] > 0 and label[w] < best:
                best, how, room, to = label[w], EXPLICIT_ON + 2 * a + 1, min(e, g.xflow[a]), w
    return to, how, room, best


# Laying a program out as a network, and settling what its fixings decide.


@compiled(nogil=True, _nrt=False)
def link(tails: Int32, heads: Int32, bits: UInt8, chain_arc: Int32, extra: Int32) -> int:
    """Make each first arc ``v -> v + 1`` implicit; list the others in ``extra`` and return how many.

    Arcs from a node to itself say nothing and are left out: they never carry flow.
    """
    count = 0
    for a in range(len(tails)):
        v = tails[a]
        if heads[a] == v:
            continue
        if heads[a] == v + 1 and chain_arc[v] < 0:
            chain_arc[v] = a
            bits[v] |= CHAIN
        else:
            extra[count] = a
            count += 1
    return count


@compiled(nogil=True, _nrt=False)
def cover(  # noqa: PLR0912
    tails: Int32, heads: Int32, second: int, place: Int32, follower: Int32, led: UInt8, guest: Int32
) -> None:
    """Number the nodes along paths of arcs, so that many arcs lead from a node to the next.

    The paths take each node's first arc to a node that is not yet on one, arcs ``v -> v + 1`` before all
    others. A node on no path is numbered right before one that it leads to, or one with the same predecessor: that
    keeps together what counts as equal. ``place`` gets the new number of each node; block 0 keeps the numbers below
    ``second``. The last four have an entry a node: ``place``, ``follower`` and ``guest`` start as -1, ``led`` as 0.
    """
    nodes = len(place)
    for near in (True, False):
        for a in range(len(tails)):
            v, w = tails[a], heads[a]
            if (w == v + 1) == near and v != w and follower[v] < 0 and not led[w]:
                follower[v] = w
                led[w] = 1
    for onwards in (True, False):
        for a in range(len(tails)):
            alone, host = tails[a], heads[a]
            if not onwards:
                alone, host = host, follower[alone]
            if follower[alone] < 0 and not led[alone] and host >= 0 and host != alone:
                # a list of guests: there is no follower that this could be
                follower[alone], guest[host] = guest[host], alone
                led[alone] = 1
    count = 0
    for low, high in ((0, second), (second, nodes)):
        # the second pass opens the cycles that no path begins
        for starts in (True, False):
            for v in range(low, high):
                if place[v] >= 0 or (starts and led[v]):
                    continue
                w = v
                while w >= 0 and place[w] < 0:
                    u = guest[w]
                    while u >= 0 and place[u] < 0:
                        place[u] = count
                        count += 1
                        u = follower[u]
                    place[w] = count
                    count += 1
                    w = follower[w]


@compiled(nogil=True, _nrt=False)
def couple(tails: Int32, heads: Int32, bits: UInt8, partner: Int32, row_of: Int32, extra: Int32) -> int:
    """Make each first packing row of its two nodes a partnership; list the others and return how many."""
    count = 0
    for r in range(len(tails)):
        v, w = tails[r], heads[r]
        if partner[v] == v and partner[w] == w:
            partner[v], partner[w], row_of[v] = w, v, r
            bits[v] |= ACROSS
            bits[w] |= ACROSS
        else:
            extra[count] = r
            count += 1
    return count


@compiled(nogil=True, _nrt=False)
def adjacency(ends: Int32, bits: UInt8, pointer: Int32, arcs: Int32) -> None:
    """Fill ``pointer`` (nodes + 1,), which starts as 0, and ``arcs``: the explicit arcs by the node in ``ends``."""
    nodes = len(pointer) - 1
    for v in ends:
        pointer[v + 1] += 1
        bits[v] |= EXTRA
    for v in range(nodes):
        pointer[v + 1] += pointer[v]
    for a in range(len(ends) - 1, -1, -1):
        v = ends[a] + 1
        pointer[v] -= 1
        arcs[pointer[v]] = a
    # pointer[v + 1] now is where v starts
    for v in range(nodes):
        pointer[v] = pointer[v + 1]
    pointer[nodes] = len(ends)


@compiled(nogil=True, _nrt=False)
def is_acyclic(g: Graph, before: Int32, ready: Int32) -> bool:  # noqa: PLR0912
    """Whether no way along the arcs leads back to where it began. ``before`` starts as 0, ``ready`` is room."""
    nodes = len(g.bits)
    count = 0
    for v in range(nodes):
        if g.bits[v] & EXTRA:
            before[v] += g.xin_ptr[v + 1] - g.xin_ptr[v]
        if v > 0 and (g.bits[v - 1] & CHAIN):
            before[v] += 1
        if v >= g.second and (g.bits[v] & ACROSS):
            before[v] += 1
        if before[v] == 0:
            ready[count] = v
            count += 1
    done = 0
    while done < count:
        v = ready[done]
        done += 1
        b = g.bits[v]
        for k in range(2 + (g.xout_ptr[v + 1] - g.xout_ptr[v] if b & EXTRA else 0)):
            if k == 0:
                if not (b & CHAIN):
                    continue
                w = v + 1
            elif k == 1:
                if v >= g.second or not (b & ACROSS):
                    continue
                w = wide(g.partner[v])
            else:
                w = wide(g.xhead[g.xout_ptr[v] + k - 2])
            before[w] -= 1
            if before[w] == 0:
                ready[count] = w
                count += 1
    return count == nodes


@compiled(nogil=True, _nrt=False)
def start(g: Graph, supply: Int64) -> None:
    """Give every node its supply as excess."""
    for v in range(len(supply)):
        mark_excess(g, v, supply[v])


@compiled(nogil=True, _nrt=False)
def force_ones(g: Graph, forced: UInt8, order: Int32, parent: Int32) -> int:
    """Spread ``forced`` forwards; ``parent`` says over what: -1 a root, -2 the chain, -3 across, else an arc."""
    count = 0
    for v in range(len(forced)):
        if forced[v]:
            order[count] = v
            parent[v] = -1
            count += 1
    done = 0
    while done < count:
        v = order[done]
        done += 1
        b = g.bits[v]
        if (b & CHAIN) and not forced[v + 1]:
            forced[v + 1], parent[v + 1], order[count] = 1, -2, v + 1
            count += 1
        if (b & ACROSS) and v < g.second and not forced[g.partner[v]]:
            w = g.partner[v]
            forced[w], parent[w], order[count] = 1, -3, w
            count += 1
        if b & EXTRA:
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                w = g.xhead[k]
                if not forced[w]:
                    forced[w], parent[w], order[count] = 1, k, w
                    count += 1
    return count


@compiled(nogil=True, _nrt=False)
def force_zeros(g: Graph, forced: UInt8, order: Int32, parent: Int32) -> int:
    """Spread ``forced`` backwards; ``parent`` as in ``force_ones``."""
    count = 0
    for v in range(len(forced)):
        if forced[v]:
            order[count] = v
            parent[v] = -1
            count += 1
    done = 0
    while done < count:
        v = order[done]
        done += 1
        b = g.bits[v]
        if v > 0 and (g.bits[v - 1] & CHAIN) and not forced[v - 1]:
            forced[v - 1], parent[v - 1], order[count] = 1, -2, v - 1
            count += 1
        if (b & ACROSS) and v >= g.second and not forced[g.partner[v]]:
            w = g.partner[v]
            forced[w], parent[w], order[count] = 1, -3, w
            count += 1
        if b & EXTRA:
            for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                w = g.xin_tail[k]
                if not forced[w]:
                    forced[w], parent[w], order[count] = 1, g.xin[k], w
                    count += 1
    return count


@compiled(nogil=True, _nrt=False)
def settle_ones(g: Graph, order: Int32, count: int, parent: Int32) -> None:
    """Send down the forest what forced ones lack; each root keeps the total as a negative excess."""
    for i in range(count - 1, -1, -1):
        v = wide(order[i])
        lack = -g.node[v, EXCESS]
        how = parent[v]
        if lack <= 0 or how == -1:
            continue
        if how == -2:
            w = v - 1
            add_chain(g, w, lack)
        elif how == -3:
            w = g.partner[v]
            add_across(g, w, lack)
        else:
            w = g.xtail[how]
            g.xflow[how] += lack
        clear_excess(g, v)
        mark_excess(g, w, g.node[w, EXCESS] - lack)


@compiled(nogil=True, _nrt=False)
def settle_zeros(g: Graph, order: Int32, count: int, parent: Int32) -> None:
    """Send up the forest what forced zeros have; each root keeps the total as a positive excess."""
    for i in range(count - 1, -1, -1):
        v = wide(order[i])
        e = g.node[v, EXCESS]
        how = parent[v]
        if e <= 0 or how == -1:
            continue
        if how == -2:
            w = v + 1
            add_chain(g, v, e)
        elif how == -3:
            w = g.partner[v]
            add_across(g, v, e)
        else:
            w = g.xhead[how]
            g.xflow[how] += e
        clear_excess(g, v)
        mark_excess(g, w, g.node[w, EXCESS] + e)


@compiled(nogil=True, _nrt=False)
def calm(g: Graph, nodes: Int32) -> None:
    """Take the excess away from ``nodes``: they are settled."""
    for v in nodes:
        clear_excess(g, wide(v))


# Starting from the prices of a nearby program.


@helper
def tie_after(g: Graph, v: int) -> int:
    """The node that follows the tie after ``v``, or ``v + 1`` where there is none."""
    if g.bits[v] & (CHAIN | EXTRA) == CHAIN | EXTRA:
        end = v + 2 + g.xout_ptr[v + 1] - g.xout_ptr[v]
        if v + 2 < end < len(g.bits) and is_tie(g, v, end):
            return wide(end)
    return wide(v + 1)


@helper
def to_tied(g: Graph, v: int, m: int, amount: int) -> None:
    """Send ``amount`` from ``v`` to a node of the tie after it."""
    if m == v + 1:
        g.node[v, ALONG] += amount
    for a in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
        if g.xhead[a] == m:
            g.xflow[a] += amount


@helper
def pass_tie(g: Graph, v: int, end: int, carried: int, sent: Int64) -> int:
    """Settle the tie between ``v``, from where ``carried`` comes, and ``end``; return what comes there."""
    passed = 0
    for m in range(v + 1, end):
        e = g.node[m, EXCESS]
        f = min(carried, max(-e, 0))
        to_tied(g, v, m, f)
        carried -= f
        g.node[m, EXCESS] = e + f - sent[m]
        if m < end - 1:
            g.xflow[g.xout_ptr[m]] += sent[m]
        passed += sent[m]
    # what is for nodes further on passes through the last
    to_tied(g, v, end - 1, carried)
    g.node[end - 1, ALONG] += sent[end - 1] + carried
    return wide(passed + carried)


@helper
def plan_chains(g: Graph, sent: Int64) -> None:
    """Say of each node how much of its excess is to meet demands ahead of it."""
    sent[:] = 0
    if len(g.xtail) > 0:
        # the nodes of a tie remember for a while which node follows it
        for v in range(len(sent)):
            end = tie_after(g, v)
            for m in range(v + 1, end if end > v + 1 else v + 1):
                sent[m] = end
    need, v = 0, len(sent) - 1
    while v >= 0:
        end = sent[v]
        if end > 0:
            # what they have goes on to the next node, what they lack comes from the one before
            lack = 0
            while v > 0 and sent[v] == end:
                e = g.node[v, EXCESS]
                sent[v] = min(max(e, 0), need)
                need -= sent[v]
                lack += max(-e, 0)
                v -= 1
            need += lack
        if not (g.bits[v] & CHAIN):
            need = 0
        e = g.node[v, EXCESS]
        sent[v] = min(max(e, 0), need)
        need += max(-e, 0) - sent[v]
        v -= 1


@compiled(nogil=True, _nrt=False)
def settle_chains(g: Graph, sent: Int64) -> None:
    """Let excess meet the demands ahead of it on its chain and its ties, as far as there are any; ``sent`` is int64
    (nodes,).

    The bits are right after ``mark`` only.
    """
    plan_chains(g, sent)
    carried, v = wide(0), 0
    while v < len(sent):
        e = g.node[v, EXCESS]
        f = min(carried, -e) if e < 0 else -sent[v]
        carried -= f
        g.node[v, EXCESS] = e + f
        end = tie_after(g, v)
        if end == v + 1:
            g.node[v, ALONG] += carried
        else:
            carried = pass_tie(g, v, end, carried, sent)
        v = end


@compiled(nogil=True, _nrt=False)
def mark(g: Graph) -> None:
    """Set the bits that say which arcs carry flow and where there is an excess or a demand."""
    # from the end: block 0 has the flow across, and tells its partners, whose bytes are nearer than their flow
    for v in range(len(g.bits) - 1, -1, -1):
        b = g.bits[v] & ARCS
        if g.node[v, ALONG] > 0:
            b |= CARRY
        if v < g.second and (b & ACROSS) and g.node[v, OVER] > 0:
            b |= LOADED
            g.bits[g.partner[v]] |= LOADED
        if b & EXTRA:
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                if g.xflow[k] > 0:
                    b |= SENT
        e = g.node[v, EXCESS]
        if e > 0:
            b |= SUPPLY
        elif e < 0:
            b |= DEMAND
        g.bits[v] = b


# Taking a network to pieces, each of which is solved by itself.


@compiled(nogil=True, _nrt=False)
def pick(piece: UInt8, which: int, backwards: bool, new: Int32) -> int:
    """Number the nodes of one piece in ``new``, where all others are -1, and return how many there are.

    backwards: the piece will have all arcs turned round; then its nodes are numbered from the last to the first.
    """
    nodes = len(piece)
    count = 0
    for i in range(nodes):
        v = nodes - 1 - i if backwards else i
        new[v] = -1
        if piece[v] == which:
            new[v] = count
            count += 1
    return count


@compiled(nogil=True, _nrt=False)
def cut_out(g: Graph, new: Int32, backwards: bool, part: Graph) -> None:
    """Fill ``part``, the graph of the nodes of one piece, with their excess and what flows between them.

    Backwards, arcs lead the other way, block 1 comes first, and what is an excess in one is a demand in the other;
    a flow is the same flow. Explicit arcs are not touched. The bits are right after ``mark`` only.
    """
    sign = -1 if backwards else 1
    nodes = len(new)
    for i in range(nodes):
        v = nodes - 1 - i if backwards else i
        k = new[v]
        if k < 0:
            continue
        w = g.partner[v]
        b = part.bits[k] & EXTRA
        excess, along, over = sign * g.node[v, EXCESS], 0, 0
        part.partner[k] = k
        tail = v - 1 if backwards else v
        if tail >= 0 and (g.bits[tail] & CHAIN) and new[tail if backwards else v + 1] >= 0:
            b |= CHAIN
            along = g.node[tail, ALONG]
        if (g.bits[v] & ACROSS) and new[w] >= 0:
            b |= ACROSS
            part.partner[k] = new[w]
            if k < part.second:
                over = g.node[w if backwards else v, OVER]
        part.bits[k] = b
        # all three, and only now: forwards, the part may be cut out in place
        part.node[k, EXCESS], part.node[k, ALONG], part.node[k, OVER] = excess, along, over


@compiled(nogil=True, _nrt=False)
def put_back(g: Graph, part: Graph, piece: UInt8, which: int, backwards: bool) -> None:
    """Take over the excess and the flows of ``part``, those on explicit arcs excepted; the bits need ``mark``."""
    sign = -1 if backwards else 1
    nodes, k = len(piece), wide(-1)
    for i in range(nodes):
        v = nodes - 1 - i if backwards else i
        if piece[v] != which:
            continue
        k += 1
        g.node[v, EXCESS] = sign * part.node[k, EXCESS]
        if part.bits[k] & CHAIN:
            g.node[v - 1 if backwards else v, ALONG] = part.node[k, ALONG]
        if (part.bits[k] & ACROSS) and k < part.second:
            g.node[g.partner[v] if backwards else v, OVER] = part.node[k, OVER]


@compiled(nogil=True, _nrt=False)
def reflect(g: Graph, piece: UInt8, which: int) -> None:
    """Give the mirror images of the nodes of one piece what they have themselves: as excess what is lacking there, and
    the same flow between them. Explicit arcs are not touched; the bits need ``mark``.

    The mirror image of node v is the v-th from the end, that of an arc leads the other way.
    """
    last = wide(len(piece)) - 1
    for v in range(len(piece)):
        if piece[v] != which:
            continue
        g.node[last - v, EXCESS] = -g.node[v, EXCESS]
        if (g.bits[v] & CHAIN) and piece[v + 1] == which:
            g.node[last - v - 1, ALONG] = g.node[v, ALONG]
        if v < g.second and (g.bits[v] & ACROSS) and piece[g.partner[v]] == which:
            g.node[last - g.partner[v], OVER] = g.node[v, OVER]


# Closures from guesses, for a rule at any time.


@compiled(nogil=True, _nrt=False)
def close_up(g: Graph, z: Int8, order: Int32) -> None:
    """Add to ``z`` what its nodes imply. Only explicit arcs lead backwards; ``order`` has room for their heads."""
    for u in range(len(z)):
        if not z[u]:
            continue
        b = g.bits[u]
        if b & CHAIN:
            z[u + 1] = 1
        if (b & ACROSS) and u < g.second:
            z[g.partner[u]] = 1
        if b & EXTRA:
            count = imply(g, z, u, u, order, wide(0))
            while count > 0:
                count -= 1
                count = imply(g, z, wide(order[count]), u, order, count)


@helper
def imply(g: Graph, z: Int8, v: int, last: int, order: Int32, count: int) -> int:
    """Add what ``v`` implies directly to ``z``, and to the stack ``order`` unless it comes after ``last``."""
    b = g.bits[v]
    for k in range(2 + (g.xout_ptr[v + 1] - g.xout_ptr[v] if b & EXTRA else 0)):
        w = -1
        if k == 0:
            if b & CHAIN:
                w = v + 1
        elif k == 1:
            if v < g.second and (b & ACROSS):
                w = wide(g.partner[v])
        else:
            w = wide(g.xhead[g.xout_ptr[v] + k - 2])
        if w >= 0 and not z[w]:
            z[w] = 1
            if w < last:
                order[count] = w
                count += 1
    return count


@compiled(nogil=True, _nrt=False)
def close_down(g: Graph, z: Int8, order: Int32) -> None:
    """Take from ``z`` what implies a node that is not in it. ``order`` as in ``close_up``."""
    for u in range(len(z) - 1, -1, -1):
        if z[u]:
            continue
        b = g.bits[u]
        if u > 0 and (g.bits[u - 1] & CHAIN):
            z[u - 1] = 0
        if (b & ACROSS) and u >= g.second:
            z[g.partner[u]] = 0
        if b & EXTRA:
            count = exclude(g, z, u, u, order, wide(0))
            while count > 0:
                count -= 1
                count = exclude(g, z, wide(order[count]), u, order, count)


@helper
def exclude(g: Graph, z: Int8, v: int, last: int, order: Int32, count: int) -> int:
    """Take what implies ``v`` directly from ``z``; it goes to the stack ``order`` unless it comes before ``last``."""
    b = g.bits[v]
    for k in range(2 + (g.xin_ptr[v + 1] - g.xin_ptr[v] if b & EXTRA else 0)):
        w = -1
        if k == 0:
            if v > 0 and (g.bits[v - 1] & CHAIN):
                w = v - 1
        elif k == 1:
            if v >= g.second and (b & ACROSS):
                w = wide(g.partner[v])
        else:
            w = wide(g.xin_tail[g.xin_ptr[v] + k - 2])
        if w >= 0 and z[w]:
            z[w] = 0
            if w > last:
                order[count] = w
                count += 1
    return count


@compiled(nogil=True, _nrt=False)
def respond(g: Graph, supply: Int64, z: Int8, low: int, high: int) -> None:
    """Give each chain within ``low .. high - 1`` its best end, given ``z`` in the other block.

    Only for graphs without explicit arcs. A node of block 0 may be in the closure where its partner is; a
    node of block 1 must be where its partner is.
    """
    total, best = 0, 0
    best_at, end = high, high
    open_ = True
    for v in range(high - 1, low - 1, -1):
        if not (g.bits[v] & CHAIN) or v == high - 1:
            total, best, best_at, end, open_ = 0, 0, v + 1, v + 1, True
        other = z[g.partner[v]] if g.bits[v] & ACROSS else np.int8(v < g.second)
        open_ = open_ and (v >= g.second or other == 1)
        if open_:
            total += supply[v]
            if total > best or (v >= g.second and other == 1):
                best, best_at = total, v
        if v == low or not (g.bits[v - 1] & CHAIN):
            for w in range(v, end):
                z[w] = 1 if w >= best_at else 0
