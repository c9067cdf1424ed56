"""Sweeps, lotteries and epsilon as pictures: what is drawn is what the tables hold."""

import numpy as np
import pandas as pd
import pytest

import expost as ex


@pytest.fixture(scope="module")
def table():
    buyers = [ex.Buyer("1", ["c1", "p1"], "p1 + k*c1*c2"), ex.Buyer("2", ["c2", "p2"], "p2 + k*c1*c2")]
    mine = ex.Instance("mine $k$", buyers, parameters={"k": 1.0})
    return ex.sweep(mine, grid=3, k=[0.0, 1.0, 2.0], timing=["static", "sequential"])


def curves(ax):
    return {line.get_label(): line.get_xydata() for line in ax.lines if not line.get_label().startswith("_")}


def test_a_curve_for_each_timing_over_the_parameter_that_varies(table):
    ax = ex.plot_sweep(table)
    drawn = curves(ax)
    assert set(drawn) == {"timing = static", "timing = sequential"}
    for timing in ("static", "sequential"):
        rows = table[table["timing"] == timing]
        assert np.allclose(drawn[f"timing = {timing}"], rows[["k", "share"]].to_numpy())
    assert "grid = 3" in ax.get_title("left") and ax.get_xlabel() == "k" and ax.get_ylabel() == "share"


def test_other_axes_words_and_averages(table):
    ax = ex.plot_sweep(table, x="timing", y="revenue", by="k")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["static", "sequential"]
    assert set(curves(ax)) == {"k = 0", "k = 1", "k = 2"}
    mean = ex.plot_sweep(table, x="k", y="welfare", by="grid")
    assert "averaged over timing" in mean.get_title("left")
    assert np.allclose(curves(mean)["grid = 3"][:, 1], table.groupby("k")["welfare"].mean())


def test_the_band_is_what_is_not_proved(table):
    open_ = table.assign(upper_bound=table["welfare"] + 0.1)
    ax = ex.plot_sweep(open_[open_["timing"] == "static"], y="welfare")
    edge = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert np.isclose(edge.max(), table[table["timing"] == "static"]["welfare"].max() + 0.1)
    assert "band" in ax.get_title("left") and "band" not in ex.plot_sweep(table, y="welfare").get_title(
        "left"
    )


@pytest.mark.slow
def test_brackets_have_two_edges_and_checks_their_confidence():
    both = ex.sweep("one-dimensional", bracket=True, seed=[0, 1], accuracy=0.3)
    ax = ex.plot_sweep(both, x="accuracy")
    assert len(ax.lines) == 2 and "between both bounds" in ax.get_title("left")
    own = [ex.Prices({"1": "a + s2", "2": "a + s1"}, a=a) for a in (0.5, 1.0)]
    checked = ex.sweep("one-dimensional", grid=2, prices=own)
    assert checked["welfare_error"].notna().all() and (checked["error"] == "").all()
    assert "99%" in ex.plot_sweep(checked).get_title("left")


def test_failed_cases_are_counted_and_strange_tables_refused(table):
    failed = pd.concat([table, table.assign(share=np.nan)])
    assert "6 cases without a figure" in ex.plot_sweep(failed).get_title("left")
    for ask, where in [
        (lambda: ex.plot_sweep(pd.DataFrame({"a": [1]})), "table"),
        (lambda: ex.plot_sweep(table, x="welfare"), "x"),
        (lambda: ex.plot_sweep(table, y="k"), "y"),
        (lambda: ex.plot_sweep(table, by="nothing"), "by"),
        (lambda: ex.plot_sweep(pd.concat([table.assign(grid=n) for n in range(9)]), x="k"), "by"),
    ]:
        with pytest.raises(ex.InputError) as caught:
            ask()
        assert caught.value.where == where


def test_the_command_draws_a_table(table, tmp_path):
    from expost.cli import run_command

    table.to_csv(tmp_path / "table.csv", index=False)
    out = tmp_path / "sweep.png"
    assert run_command(["plot", str(tmp_path / "table.csv"), "--axes", "k,share", "--out", str(out)]) == 0
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_lotteries_are_dots_as_large_as_they_are_likely():
    run = ex.solve("lottery", grid=4, timing="sequential", lotteries=True)
    ax = run.plot()
    menu = run.menus["1"]
    dots, rows = ax.collections[0], menu[menu["probability"] > 0]
    assert np.allclose(np.sort(dots.get_offsets()[:, 1]), np.sort(rows["strike"]))
    largest = rows.loc[rows["probability"].idxmax()]
    assert np.allclose(dots.get_offsets()[dots.get_sizes().argmax(), 1], largest["strike"])
    shown = run.plot.chances().collections[0].get_array().reshape(4, 4)
    assert np.allclose(shown, run.allocation["1"].transpose("b", "a"))
    with pytest.raises(ex.InputError, match="over"):
        run.plot.menus("1", over="b")


def test_static_lotteries_lie_over_a_signal_of_the_others():
    run = ex.solve("one-dimensional", grid=3, lotteries=True)
    ax = run.plot.menus("2", over="s1")
    assert ax.get_xlabel() == "s1" and ax.has_data()
    with pytest.raises(ex.InputError, match="buyer"):
        run.plot.menus("3")


def test_epsilon_is_a_staircase_below_the_first_best():
    found = ex.epsilon("jmmz", 2, [0.0, 0.1])
    ax = found.plot()
    assert ax.lines[0].get_drawstyle() == "steps-post" and np.isclose(
        ax.lines[1].get_ydata()[0], found.first_best
    )


def test_rounding_is_no_picture():
    """Two points a buyer attain the first best at every epsilon: the axis shows more than the bounds' last digits."""
    low, high = ex.epsilon("jmmz", 2, [0.0, 0.1]).plot().get_ylim()
    assert high - low > 5e-4
