"""What ``result.plot`` is: call it for the usual picture, or one of its methods for another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expost.brackets import Bracket
from expost.runs.bayesian import Bayesian
from expost.runs.check import CheckReport
from expost.runs.compare import Comparison
from expost.runs.dominate import Dominance
from expost.runs.epsilon import EpsilonFrontier
from expost.runs.explain import Explanation
from expost.runs.frontier import Frontier
from expost.runs.items import ItemsRun
from expost.runs.lotteries import LotteryRun
from expost.runs.lottery_bracket import LotteryBracket
from expost.runs.run import Run
from expost.show.plots.beyond import plot_bayesian, plot_costs, plot_explanation, plot_items
from expost.show.plots.comparisons import plot_comparison, plot_dominance
from expost.show.plots.continuum import plot_history
from expost.show.plots.frontiers import plot_epsilon, plot_frontier
from expost.show.plots.incentives import plot_incentives
from expost.show.plots.lotteries import plot_chances, plot_lottery_menus
from expost.show.plots.lottery_brackets import plot_lottery_bracket
from expost.show.plots.overview import run_figure
from expost.show.plots.regions import plot_losses, plot_regions
from expost.show.plots.slices import At
from expost.show.plots.stated import CheckPlots
from expost.show.plots.style import require_matplotlib
from expost.show.plots.terms import plot_fees, plot_prices, plot_shadow_prices, plot_strikes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class RunPlots:
    """The pictures of a run.

    ``x`` and ``y`` are signals of anybody, ``at`` maps further signals to the values at which they are held (the
    nearest point of the grid is taken, and said), ``buyer`` is a name or a number from 0, ``ax`` are axes to draw on.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, x: str | None = None, y: str | None = None, at: At = None) -> Figure:
        """The overview: who wins where, where the first best is lost, the terms of every buyer."""
        return run_figure(self._run, x, y, at)

    def regions(
        self,
        x: str | None = None,
        y: str | None = None,
        at: At = None,
        *,
        first_best: bool = True,
        over: str | None = None,
        ax: Axes | None = None,
    ) -> Axes | list[Axes]:
        """Who wins over two signals; with ``over`` a panel for each of up to six points of a third."""
        return plot_regions(self._run, x, y, at, first_best=first_best, over=over, ax=ax)

    def losses(
        self, x: str | None = None, y: str | None = None, at: At = None, *, ax: Axes | None = None
    ) -> Axes:
        """Where the second best falls short of the first best; signals neither on the axes nor in ``at`` averaged."""
        return plot_losses(self._run, x, y, at, ax=ax)

    def prices(
        self,
        buyer: str | int | None = None,
        x: str | None = None,
        y: str | None = None,
        at: At = None,
        *,
        ax: Axes | None = None,
    ) -> Axes:
        """A static buyer's price over two of the others' signals; ``y=""``: a curve over one."""
        return plot_prices(self._run, buyer, x, y, at, ax=ax)

    def strikes(
        self,
        buyer: str | int | None = None,
        over: str | None = None,
        at: At = None,
        *,
        ax: Axes | None = None,
    ) -> Axes:
        """A sequential buyer's strikes over his first signal, a curve for each of a few points of ``over``."""
        return plot_strikes(self._run, buyer, over, at, ax=ax)

    def fees(
        self,
        buyer: str | int | None = None,
        over: str | None = None,
        at: At = None,
        *,
        ax: Axes | None = None,
    ) -> Axes:
        """A sequential buyer's fees over his first signal."""
        return plot_fees(self._run, buyer, over, at, ax=ax)

    def shadow_prices(
        self, x: str | None = None, y: str | None = None, at: At = None, *, ax: Axes | None = None
    ) -> Axes:
        """What one more item would be worth over two signals; the others averaged but for those in ``at``."""
        return plot_shadow_prices(self._run, x, y, at, ax=ax)

    def incentives(self, buyer: str | int | None = None, *, ax: Axes | None = None) -> Axes:
        """Which types are kept from imitating which, and what that costs."""
        return plot_incentives(self._run, buyer, ax=ax)


class BracketPlots:
    """The pictures of a bracket."""

    def __init__(self, bracket: Bracket) -> None:
        self._bracket = bracket

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """How both bounds closed in."""
        return plot_history(self._bracket, ax=ax)

    history = __call__


class ComparisonPlots:
    """The picture of a comparison."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """The welfare of everything compared, on one scale."""
        return plot_comparison(self._comparison, ax=ax)


class FrontierPlots:
    """The picture of a frontier."""

    def __init__(self, found: Frontier) -> None:
        self._found = found

    def __call__(self, ax: Axes | None = None) -> Axes:
        """One objective against the other."""
        return plot_frontier(self._found, ax=ax)


class DominancePlots:
    """The picture of a verdict on a mechanism."""

    def __init__(self, found: Dominance) -> None:
        self._found = found

    def __call__(
        self, x: str | None = None, y: str | None = None, at: At = None, *, ax: Axes | None = None
    ) -> Axes:
        """Where the dominating rule gains."""
        return plot_dominance(self._found, x, y, at, ax=ax)


class LotteryPlots:
    """The pictures of a stochastic mechanism."""

    def __init__(self, run: LotteryRun) -> None:
        self._run = run

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """The lotteries over strikes of the first buyer."""
        return plot_lottery_menus(self._run, ax=ax)

    def menus(
        self,
        buyer: str | int | None = None,
        over: str | None = None,
        at: At = None,
        *,
        ax: Axes | None = None,
    ) -> Axes:
        """A buyer's lotteries over strikes, over his first signal or (static) over one of the others'."""
        return plot_lottery_menus(self._run, buyer, over, at, ax=ax)

    def chances(
        self,
        buyer: str | int | None = None,
        x: str | None = None,
        y: str | None = None,
        at: At = None,
        *,
        ax: Axes | None = None,
    ) -> Axes:
        """A buyer's probability of winning over two signals; the others averaged but for those in ``at``."""
        return plot_chances(self._run, buyer, x, y, at, ax=ax)


class LotteryBracketPlots:
    """The picture of a bracket of the stochastic second best."""

    def __init__(self, found: LotteryBracket) -> None:
        self._found = found

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """The menu that attains the lower side."""
        return plot_lottery_bracket(self._found, ax=ax)


class BayesianPlots:
    """The picture of the Bayesian benchmark."""

    def __init__(self, found: Bayesian) -> None:
        self._found = found

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """What private information and robustness cost."""
        return plot_bayesian(self._found, ax=ax)


class ItemsPlots:
    """The picture of several items."""

    def __init__(self, found: ItemsRun) -> None:
        self._found = found

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """The best mechanism, the papers' constructions and separate sales on one scale."""
        return plot_items(self._found, ax=ax)


class EpsilonPlots:
    """The picture of incentives up to epsilon."""

    def __init__(self, found: EpsilonFrontier) -> None:
        self._found = found

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """The welfare over epsilon."""
        return plot_epsilon(self._found, ax=ax)


class ExplanationPlots:
    """The pictures of what a certificate says."""

    def __init__(self, found: Explanation) -> None:
        self._found = found

    def __call__(self, *, ax: Axes | None = None) -> Axes:
        """What each buyer's incentives are charged, and what dropping a family of constraints gains."""
        return plot_explanation(self._found, ax=ax)

    def costs(self) -> list[Axes]:
        """A map for each buyer: what keeping each type from lying costs."""
        return plot_costs(self._found)


ACCESSORS: dict[type, type] = {
    Run: RunPlots,
    Bracket: BracketPlots,
    Comparison: ComparisonPlots,
    CheckReport: CheckPlots,
    Dominance: DominancePlots,
    Frontier: FrontierPlots,
    LotteryRun: LotteryPlots,
    LotteryBracket: LotteryBracketPlots,
    Bayesian: BayesianPlots,
    ItemsRun: ItemsPlots,
    EpsilonFrontier: EpsilonPlots,
    Explanation: ExplanationPlots,
}
"""The pictures of each kind of result."""


def accessor(result: Any) -> Any:
    """The pictures of a result, or None where its kind has none."""
    require_matplotlib()
    found = next((made for kind, made in ACCESSORS.items() if isinstance(result, kind)), None)
    return None if found is None else found(result)
