"""Pictures show what the arrays hold, say what is held fixed, and take any name for text."""

import io
from itertools import pairwise

import numpy as np
import pytest

import expost as ex


@pytest.fixture(scope="module")
def run():
    return ex.solve("jmmz", grid={"p1": 4, "c1": 3, "p2": 5, "c2": 2})


@pytest.fixture(scope="module")
def sequential():
    return ex.solve("jmmz", grid=4, timing="sequential", first=["c1", "c2"])


@pytest.fixture(scope="module")
def weighted():
    buyers = [ex.Buyer("1", ["p1", "c"], "p1 + c"), ex.Buyer("2", ["p2"], "p2 + 1.5*c")]
    return ex.solve(ex.Instance("weighted", buyers, priors={"c": ex.discrete([0, 1], [0.1, 0.9])}), grid=4)


def painted(ax):
    """What the maps on the axes cover: the number of the map that paints each cell, -1 where none does."""
    cells = [
        np.ma.getmaskarray(mesh.get_array()) for mesh in ax.collections if hasattr(mesh, "get_coordinates")
    ]
    found = np.full(cells[0].shape, -1)
    for k, masked in enumerate(cells):
        found[~masked] = k
    return found


def test_regions_are_the_slice_that_the_title_names(run):
    ax = run.plot.regions(x="c2", y="p2", at={"p1": 0.99, "c1": 0.0})
    held = run.allocation.sel(p1=0.875, c1=1 / 6, method="nearest").transpose("p2", "c2").to_numpy()
    assert "p1 = 0.875" in ax.get_title("left") and "c1 = 0.167" in ax.get_title("left")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("c2", "p2")
    kinds = np.unique(held)
    assert (painted(ax) == np.searchsorted(kinds, held)).all()


def test_what_is_not_held_is_averaged_with_the_probabilities(weighted):
    ax = weighted.plot.losses("p1", "p2")
    space = weighted.space
    assert "averaged over c" in ax.get_title("left")
    best = np.maximum(space.gains.max(axis=0), 0.0)
    lost = (best - weighted.mechanism.state_welfare(space.gains)).reshape(4, 2, 4)
    shown = ax.collections[0].get_array().reshape(4, 4)
    assert np.allclose(shown, (lost * np.array([0.1, 0.9])[:, None]).sum(axis=1).T)
    assert np.isclose(shown.mean(), weighted.first_best - weighted.welfare)


def test_small_multiples_walk_over_a_third_signal(run):
    axes = run.plot.regions("p1", "p2", {"c2": 0.9}, over="c1")
    assert len(axes) == 3
    for ax, value in zip(axes, ("0.167", "0.5", "0.833"), strict=True):
        title = ax.get_title("left")
        assert title.startswith(f"c1 = {value}") and "c2 = 0.75" in title


def test_every_picture_draws_on_the_axes_given(run, sequential):
    from matplotlib.figure import Figure

    pictures = [
        run.plot.regions, run.plot.losses, run.plot.prices, run.plot.shadow_prices, run.plot.incentives,
        sequential.plot.strikes, sequential.plot.fees, ex.compare("jmmz", 2).plot, ex.dominate("jmmz", "t*", 3).plot,
    ]  # fmt: skip
    for picture in pictures:
        ax = Figure().subplots()
        assert picture(ax=ax) is ax and ax.get_title("left") and ax.has_data()


def test_prices_are_blank_where_nobody_could_pay_them(run):
    ax = run.plot.prices("1", "p2", "c2")
    price = run.prices["1"].transpose("c2", "p2").to_numpy()
    shown = ax.collections[0].get_array()
    assert (np.ma.getmaskarray(shown) == ~np.isfinite(price)).all()
    curve = run.plot.prices("2", "p1", y="", at={"c1": 0.5})
    assert "held: c1 = 0.5" in curve.get_title("left")


@pytest.mark.parametrize("instance", ["jmmz", "common-value"])
def test_incentives_cost_what_the_certificate_says(instance):
    """Nobody pays for being kept from a type that is worth as much or more to him in every state."""
    from expost.show.plots.incentives import incentive_costs

    found = ex.solve(instance, 4)
    for i in range(found.space.n):
        costs = incentive_costs(found, i)
        values = np.moveaxis(found.space.values[i], i, 0).reshape(len(costs), -1)
        higher = (values[:, None] > values[None]).any(axis=2)
        assert (costs >= 0.0).all() and costs.sum() > 0.0 and not costs[~higher].any()


def test_names_are_text_and_many_buyers_have_colours_of_their_own():
    buyers = [ex.Buyer(f"$x^{k}$ [red]", [f"s{k}"], f"s{k} + {0.1 * k}") for k in range(8)]
    run = ex.solve(ex.Instance("cost $\\frac{1}$", buyers), grid=2)
    figure = run.plot()
    figure.savefig(io.BytesIO(), format="png")
    assert len([ax for ax in figure.axes if ax.get_visible() and ax.get_title("left")]) == 10
    from expost.show.plots.style import colour

    assert len({colour(k) for k in range(20)}) == 20


def test_colours_of_neighbours_differ_in_grey():
    from matplotlib.colors import to_rgb

    from expost.show.plots.style import COLOURS

    grey = [float(np.dot(to_rgb(shade), (0.299, 0.587, 0.114))) for shade in COLOURS]
    assert all(abs(one - other) > 0.15 for one, other in pairwise(grey))


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda plot: plot.regions("p3"), "axes"),
        (lambda plot: plot.regions("p1", "p1"), "axes"),
        (lambda plot: plot.regions(at={"c9": 1}), "at"),
        (lambda plot: plot.regions(at={"c1": "x"}), "at"),
        (lambda plot: plot.regions("p1", "p2", over="p1"), "over"),
        (lambda plot: plot.strikes(), "buyer"),
        (lambda plot: plot.prices("9"), "buyer"),
    ],
)
def test_what_is_wrong_is_named(run, ask, named):
    with pytest.raises(ex.InputError) as caught:
        ask(run.plot)
    assert caught.value.where == named
