"""Pictures of lotteries, losses, several items, epsilon and explanations show the figures that the results hold."""

import numpy as np
import pytest

import expost as ex
from expost.cli import run_command
from expost.instances.items import items_from_document


def marks(ax):
    """The points of every line on the axes."""
    return np.concatenate([np.column_stack(line.get_data()) for line in ax.lines])


def test_losses_epsilon_and_items_have_the_figures_of_the_results():
    bayesian = ex.bayesian("jmmz", 3)
    words = bayesian.plot().get_title("left")
    assert f"{bayesian.robustness:.4f}" in words and f"{bayesian.private_information:.4f}" in words
    frontier = ex.epsilon("jmmz", 2, [0.0, 0.3])
    points = marks(frontier.plot())
    for epsilon, rule in zip(frontier.epsilons, frontier.rules, strict=True):
        assert np.isclose(points, [epsilon, rule.welfare]).all(axis=1).any()
    buyers = [
        {"name": str(i), "signals": [f"x{i}"], "values": {"a": f"x{i}", "b": f"1 - x{i}"}} for i in (1, 2)
    ]
    items = ex.items(items_from_document({"name": "two", "items": ["a", "b"], "buyers": buyers}, {}), 2)
    assert np.isclose(marks(items.plot())[:, 0], items.welfare).any()


def test_explanations_are_drawn_by_family_and_by_type():
    found = ex.solve("jmmz", 4).explain()
    widths = [patch.get_width() for patch in found.plot().patches]
    for cost in found.incentives.values():
        assert np.isclose(widths, cost).any()
    panels = found.plot.costs()
    for panel, cost in zip(panels, found.incentives.values(), strict=True):
        assert panel.collections[0].get_array().sum() == pytest.approx(cost)
    assert len(ex.solve("one-dimensional", 4).explain().plot.costs()) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["solve", "lottery", "--grid", "4", "--timing", "sequential", "--lotteries"],
        ["bayesian", "jmmz", "--grid", "2"],
        ["epsilon", "jmmz", "--epsilon", "0,0.1"],
        ["items", "example3", "--grid", "1"],
    ],
)
def test_the_command_line_saves_draws_and_shows(words, tmp_path, capsys):
    folder = tmp_path / "run"
    assert run_command([*words, "--out", str(folder)]) == 0
    assert run_command([*words, "--out", str(tmp_path / "direct.png")]) == 0
    assert run_command(["plot", str(folder), "--out", str(tmp_path / "saved.svg")]) == 0
    assert run_command(["page", str(folder), "--out", str(tmp_path / "page.html")]) == 0
    assert "<svg" in (tmp_path / "saved.svg").read_text()
    assert "data:image/svg" in (tmp_path / "page.html").read_text()
    assert run_command(["verify", str(folder)]) == 0
    capsys.readouterr()


def test_menus_and_explanations_on_the_command_line(tmp_path, capsys):
    folder = tmp_path / "lot"
    words = ["solve", "lottery", "--grid", "4", "--timing", "sequential", "--lotteries", "--out", str(folder)]
    assert run_command(words) == 0
    for form in ("csv", "json", "latex"):
        assert run_command(["menu", str(folder), "--format", form, "--out", str(tmp_path / form)]) == 0
        assert b"probability" in (tmp_path / form).read_bytes()
    assert run_command(["solve", "jmmz", "--grid", "3", "--out", str(tmp_path / "run")]) == 0
    assert run_command(["explain", str(tmp_path / "run"), "--out", str(tmp_path / "e.png")]) == 0
    assert run_command(["explain", str(tmp_path / "run"), "--out", str(tmp_path / "e.csv")]) == 0
    assert "cost" in (tmp_path / "e.csv").read_text()
    capsys.readouterr()
