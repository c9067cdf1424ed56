"""``run.explain()``: which incentive constraints bind, what each costs, what is decided alike in every optimum.

The certificate of a run is a flow: on every precedence arc the shadow price of that incentive constraint, on every
state the shadow price of admissibility ``u``. With ``out - in`` the net flow out of a variable, a first-best winner
whose ``out - in`` is positive is charged for those who would have to win with him. In integers, exactly,

    first best - bound = sum_i sum_s (out - in) x_i(s) - sum_s u(s) (units - sum_i x_i(s)) - slack,

``x`` the efficient rule and ``slack >= 0`` what it loses against the best response to these prices: the whole loss,
divided among buyers, types and regions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._limits import limited
from expost._shown import Shown
from expost._typing import Bool, Float, Int64
from expost.errors import InputError, LimitReached
from expost.formulations.assemble import Formulation
from expost.runs.arguments import left_of, limit_of
from expost.solver.program import Program
from expost.spaces.type_space import TypeSpace

if TYPE_CHECKING:
    import pandas as pd

    from expost.runs.solved import Solved

MOST = 10
"""How many deviations are put into words."""


@dataclass(frozen=True)
class Deviation:
    """A binding incentive constraint: ``price`` is what the objective would gain for each unit by which it is loosened.

    buyer: his name. tempted: the signals of the type who is kept from imitating, ``imitated``: of the one who would
    have to win without him; ``others``: the others' signals. value, imitated_value: what the item is worth to both.
    """

    buyer: str
    price: float
    tempted: dict[str, float]
    value: float
    imitated: dict[str, float]
    imitated_value: float
    others: dict[str, float]

    def __str__(self) -> str:
        at = f" when {_spoken(self.others)}" if self.others else ""
        return (
            f"{self.price:.6f}: buyer {self.buyer} with {_spoken(self.tempted)} (value {self.value:.4f}) would report "
            f"{_spoken(self.imitated)} (value {self.imitated_value:.4f}){at}"
        )


@dataclass(frozen=True)
class Dropped:
    """One family of constraints dropped and the program solved again: ``gain`` of the objective, ``bound`` on it (None
    where nothing was proved in time)."""

    constraint: str
    gain: float | None
    bound: float | None
    status: str


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Shown):
    """What a run's certificate says (units: expected welfare).

    loss: first best less the proved bound. incentives: by buyer, what his constraints charge efficient winners.
    unsold, slack: what is credited (see the module). costs: (n, T_1, .., T_n), the charges by state.
    binding: by buyer, the sum of the shadow prices of his incentive constraints.
    forced: bool, state shape, where every optimal rule decides alike; None where the solver knows no extremes.
    deviations: the most costly constraints. dropped: what dropping a family of constraints would gain.
    """

    instance: str
    space: TypeSpace = field(repr=False)
    first_best: float
    bound: float
    incentives: dict[str, float]
    unsold: float
    slack: float
    residual: float
    costs: Float = field(repr=False)
    binding: dict[str, float]
    forced: Bool | None = field(repr=False)
    deviations: tuple[Deviation, ...]
    dropped: tuple[Dropped, ...]

    @property
    def loss(self) -> float:
        """First best less the proved bound."""
        return self.first_best - self.bound

    @property
    def decided(self) -> float | None:
        """The share of states that every optimal rule decides alike."""
        return None if self.forced is None else float(self.forced.mean())

    @property
    def by_type(self) -> pd.DataFrame:
        """What each type of each buyer is charged: his own signals (the others' NaN) and ``cost``."""
        return self._grouped(lambda column: column)

    @property
    def by_region(self) -> pd.DataFrame:
        """The same by halves of each own signal: ``low`` up to the middle of its points, ``high`` above."""
        return self._grouped(lambda column: np.where(column <= np.median(np.unique(column)), "low", "high"))

    def _grouped(self, label: Any) -> pd.DataFrame:
        import pandas as pd

        tables = []
        for i, own in enumerate(self.space.types):
            axes = tuple(k for k in range(self.space.n) if k != i)
            cost = self.costs[i].sum(axis=axes)
            table = pd.DataFrame({name: label(column) for name, column in own.items()} | {"cost": cost})
            table.insert(0, "buyer", self.space.instance.buyers[i].name)
            tables.append(table.groupby(["buyer", *own], as_index=False, sort=True).sum())
        together = pd.concat(tables, ignore_index=True)
        return together[["buyer", *self.space.instance.signals, "cost"]]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        regions = self.by_region.astype(object)
        return {
            "instance": self.instance,
            "first_best": self.first_best,
            "upper_bound": self.bound,
            "loss": self.loss,
            "incentives": self.incentives,
            "unsold": self.unsold,
            "slack": self.slack,
            "residual": self.residual,
            "binding": self.binding,
            "decided": self.decided,
            "deviations": [vars(found) for found in self.deviations],
            "dropped": [vars(found) for found in self.dropped],
            "regions": regions.where(regions.notna(), None).to_dict("records"),
        }

    def to_frame(self) -> pd.DataFrame:
        """The deviations as a table."""
        import pandas as pd

        return pd.DataFrame([vars(found) for found in self.deviations])

    def summary(self) -> str:
        """The account of the loss, what is forced, what dropping constraints would gain, the costliest deviations."""
        charges = ", ".join(f"buyer {name} {cost:.6f}" for name, cost in self.incentives.items())
        lines = [
            f"{self.instance}: first best {self.first_best:.6f}, at most {self.bound:.6f} with incentives: "
            f"{self.loss:.6f} lost",
            f"charged to {charges}; credited {self.unsold + self.slack:.6f}",
        ]
        if self.decided is not None:
            lines.append(f"{self.decided:.2%} of the states are decided alike in every optimum")
        for found in self.dropped:
            gain = "not solved in time" if found.gain is None else f"gains {found.gain:.6f}"
            lines.append(f"without {found.constraint}: {gain}")
        return "\n".join([*lines, *(str(found) for found in self.deviations)])


@limited
def explain(run: Solved, *, time_limit: float | None = None) -> Explanation:
    """What the certificate of ``run`` says; ``time_limit``: seconds for the programs that are solved again.

    Raises InputError for a run without a certificate, or with another objective than welfare.
    """
    left = left_of(limit_of(time_limit))
    formulation, certificate, space = run.formulation, run.certificate, run.space
    if formulation.alpha != 1.0:
        raise InputError(
            "another objective than welfare", where="explain", expected='a run with objective="welfare"'
        )
    if certificate is None:
        raise InputError(
            "a run without a certificate",
            where="explain",
            expected="multipliers of its constraints",
            remedy="solve it again with another backend (mincut, nbuyers or pdlp)",
        )
    unit = 2.0 ** (-certificate.scale_exponent)
    net = _net_flow(formulation.program, certificate.arcs)
    efficient = _efficient(space)
    costs = np.stack([_of(formulation, i, net) * efficient[i] for i in range(space.n)]) * unit
    unsold, slack, residual = _account(formulation, certificate, net, efficient)
    names = [buyer.name for buyer in space.instance.buyers]
    flow = [_block_arcs(formulation.program, i, certificate.arcs) for i in range(space.n)]
    return Explanation(
        space.instance.name,
        space,
        space.first_best,
        run.upper_bound,
        {name: float(cost.sum()) for name, cost in zip(names, costs, strict=True)},
        unsold * unit,
        slack * unit,
        residual * unit,
        costs,
        {name: float(part.sum()) * unit for name, part in zip(names, flow, strict=True)},
        _forced(run),
        _deviations(formulation, certificate.arcs, unit),
        tuple(_dropped(run, left)),
    )


def _net_flow(program: Program, arcs: Int64) -> Int64:
    """What flows out of each variable less what flows in, in integers."""
    net = np.zeros(program.variables, dtype=np.int64)
    np.add.at(net, program.tails, arcs)
    np.subtract.at(net, program.heads, arcs)
    return net


def _of(formulation: Formulation, i: int, array: Int64) -> Int64:
    """A vector over the variables at the states of buyer ``i``."""
    start = int(formulation.program.blocks[i])
    return np.asarray(array[start + formulation.blocks[i].index])


def _efficient(space: TypeSpace) -> Bool:
    """Who wins when nobody can lie: the largest positive gains, as many as there are units."""
    place = np.argsort(np.argsort(-space.gains, axis=0, kind="stable"), axis=0, kind="stable")
    return np.asarray((place < space.units) & (space.gains > 0.0))


def _account(
    formulation: Formulation, certificate: Any, net: Int64, efficient: Bool
) -> tuple[float, float, float]:
    """Unsold, slack, and what the identity of the module leaves over (0), in the certificate's integers."""
    program = formulation.program
    x = np.zeros(program.variables, dtype=np.int64)
    for start, block, rule in zip(program.blocks[:-1], formulation.blocks, efficient, strict=True):
        x[start + block.index] = rule
    weights = np.rint(np.ldexp(program.weights, certificate.scale_exponent)).astype(np.int64)
    reduced = weights - net
    for column in program.packing.T:
        np.subtract.at(reduced, column, certificate.packing)
    best = np.maximum(reduced, 0)
    best[program.fixings == 0] = 0
    slack = _sum(best - reduced * x)
    rows = np.zeros(len(program.packing), dtype=np.int64)
    for column in program.packing.T:
        rows += x[column]
    unsold = sum(
        int(u) * int(room) for u, room in zip(certificate.packing, program.capacity - rows, strict=True) if u
    )
    bound = program.capacity * _sum(certificate.packing) + _sum(best)
    residual = _sum(weights * x) - bound - (_sum(net * x) - unsold - slack)
    return float(unsold), float(slack), float(residual)


def _sum(values: Int64) -> int:
    """The exact sum: high and low halves cannot overflow apart."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def _block_arcs(program: Program, i: int, arcs: Int64) -> Float:
    inside = (program.tails >= program.blocks[i]) & (program.tails < program.blocks[i + 1])
    return arcs[inside].astype(np.float64)


def _forced(run: Solved) -> Bool | None:
    if "smallest" not in run.extremes or "largest" not in run.extremes:
        return None
    return np.asarray((run.extremes["smallest"] == run.extremes["largest"]).all(axis=0))


def _deviations(formulation: Formulation, arcs: Int64, unit: float) -> tuple[Deviation, ...]:
    """The constraints with the largest prices, through the auxiliary variables of ties."""
    program = formulation.program
    order = np.argsort(-arcs, kind="stable")[: 4 * MOST]
    found: list[Deviation] = []
    for arc in order[arcs[order] > 0]:
        imitated = _type_at(formulation, int(program.tails[arc]), arcs, forward=False)
        tempted = _type_at(formulation, int(program.heads[arc]), arcs, forward=True)
        if imitated is None or tempted is None:
            continue
        deviation = _deviation(formulation.space, tempted, imitated, float(arcs[arc]) * unit)
        if not any(deviation.tempted == d.tempted and deviation.others == d.others for d in found):
            found.append(deviation)
        if len(found) == MOST:
            break
    return tuple(found)


def _type_at(
    formulation: Formulation, variable: int, arcs: Int64, *, forward: bool
) -> tuple[int, tuple[int, ...]] | None:
    """The buyer and the state of a variable; for an auxiliary one, of the type next to it that carries most."""
    program = formulation.program
    for _ in range(program.variables):
        buyer = int(np.searchsorted(program.blocks, variable, side="right")) - 1
        places = np.argwhere(formulation.blocks[buyer].index == variable - program.blocks[buyer])
        if len(places):
            return buyer, tuple(int(k) for k in places[0])
        along, ahead = (program.tails, program.heads) if forward else (program.heads, program.tails)
        touching = np.flatnonzero(along == variable)
        if not len(touching) or not arcs[touching].any():
            return None
        variable = int(ahead[touching[int(np.argmax(arcs[touching]))]])
    return None


def _deviation(
    space: TypeSpace,
    tempted: tuple[int, tuple[int, ...]],
    imitated: tuple[int, tuple[int, ...]],
    price: float,
) -> Deviation:
    buyer, state = tempted
    own = space.instance.buyers[buyer].signals
    here, there = space.signals_at(state), space.signals_at(imitated[1])
    return Deviation(
        space.instance.buyers[buyer].name,
        price,
        {name: here[name] for name in own},
        float(space.values[buyer][state]),
        {name: there[name] for name in own},
        float(space.values[buyer][imitated[1]]),
        {name: value for name, value in here.items() if name not in own},
    )


def _dropped(run: Solved, left: Callable[[], float | None]) -> list[Dropped]:
    """Each buyer's incentives dropped in turn, then admissibility."""
    program = run.formulation.program
    families = []
    for i, buyer in enumerate(run.instance.buyers):
        kept = (program.tails < program.blocks[i]) | (program.tails >= program.blocks[i + 1])
        looser = replace(program, tails=program.tails[kept].copy(), heads=program.heads[kept].copy())
        families.append((f"buyer {buyer.name}'s incentives", looser))
    if len(program.packing):
        families.append(("admissibility", replace(program, packing=program.packing[:0].copy(), capacity=1)))
    return [_again(run, name, looser, left()) for name, looser in families]


def _again(run: Solved, name: str, program: Program, limit: float | None) -> Dropped:
    from expost.solver.backends import solve_program

    try:
        found = solve_program(program, time_limit=limit)
    except LimitReached:
        return Dropped(name, None, None, "time limit")
    gain = None if found.x is None else program.value(found.x) - run.value
    bound = float(found.bound) - run.value if np.isfinite(found.bound) else None
    return Dropped(name, gain, bound, str(found.status))


def _spoken(signals: dict[str, float]) -> str:
    return ", ".join(f"{name} = {value:.4g}" for name, value in signals.items())
