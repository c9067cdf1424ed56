"""The front door on wider instances: solved, saved, reopened and verified alike; the figures of docs/wider.md."""

import importlib
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

import expost as ex
from expost._limits import within
from expost.cli import run_command
from expost.errors import LimitReached
from expost.formulations import room, second_best
from expost.formulations.settings import Settings
from expost.spaces.type_space import discretize

TEXT = (Path(__file__).parents[2] / "docs" / "wider.md").read_text(encoding="utf-8")
BUYERS = [ex.Buyer("1", ["p1", "c1"], "p1 + k*c1*c2"), ex.Buyer("2", ["p2", "c2"], "p2 + k*c1*c2")]


def stated(**given):
    return ex.Instance("mine", BUYERS, parameters={"k": 1.5}, **given)


THREE = ex.Instance("three", ex.load("three-buyers").buyers, units=2, seller="0.5")
DATA = {
    "p1": scipy.stats.beta(2, 3),
    "c1": ex.discrete([0, 1], [0.4, 0.6]),
    "c2": ex.empirical([0.1, 0.4, 0.9]),
}
CASES = {
    "data": (stated(priors=DATA, seller="0.1"), {"grid": {"p1": 3, "p2": 3, "c2": 3}}),
    "sequential data": (stated(priors=DATA), {"grid": 3, "timing": "sequential"}),
    "joint": (stated(joint="1 + 0.5*cos(pi*(c1 - c2))"), {"grid": 3}),
    "joint revenue": (stated(joint="1 + 0.5*cos(pi*(c1 - c2))"), {"grid": 3, "objective": "revenue"}),
    "two units of two": (stated(units=2), {"grid": 2, "timing": "static,sequential"}),
    "two units of three": (THREE, {"grid": 2}),
    "symmetric": (ex.load("jmmz"), {"grid": 3, "symmetric": True}),
    "symmetric sequential": (ex.load("jmmz"), {"grid": 3, "symmetric": True, "timing": "sequential"}),
    "symmetric mix": (ex.load("three-buyers"), {"grid": 2, "symmetric": True, "objective": 0.5}),
}


@pytest.mark.parametrize("case", CASES)
def test_runs_are_saved_reopened_and_verified(case, tmp_path):
    instance, settings = CASES[case]
    run = ex.solve(instance, **settings)
    assert run.status == "optimal"
    again = ex.open(run.save(tmp_path / "run"))
    assert again.instance == run.instance
    assert again.welfare == run.welfare
    assert again.settings.to_json() == run.settings.to_json()
    assert (again.mechanism.allocation == run.mechanism.allocation).all()
    verdict = again.verify()
    assert verdict.passed, [check for check in verdict.checks if not check.passed]
    assert run.value <= run.upper_bound + 1e-12
    assert run.welfare <= run.first_best + 1e-12


def test_several_winners_are_labelled():
    run = ex.solve(THREE, grid=2)
    wins = run.allocation
    assert wins.dims == ("buyer", *THREE.signals)
    assert wins.sel(buyer="2").values.reshape(4, 4, 4).tolist() == run.mechanism.allocation[1].tolist()
    assert int(wins.sum("buyer").max()) == 2
    assert run.sold == pytest.approx(float(wins.sum("buyer").mean()))


@pytest.mark.parametrize("change", ["beyond", "type", "another"])
def test_tampered_sets_of_winners_are_found(change, tmp_path):
    folder = ex.solve(THREE, grid=2).save(tmp_path / "run")
    arrays = dict(np.load(folder / "allocation.npz"))
    winner = arrays["winner"]
    if change == "beyond":
        winner.flat[0] |= np.uint64(8)
    elif change == "another":
        winner.flat[int(np.argmax(winner > 0))] = 0
    arrays["winner"] = winner.astype(np.uint8) if change == "type" else winner
    np.savez_compressed(folder / "allocation.npz", **arrays)
    assert not ex.verify(folder).passed


def test_a_rule_that_is_not_symmetric_fails(tmp_path):
    folder = ex.solve("jmmz", grid=3, symmetric=True).save(tmp_path / "run")
    asymmetric = ex.solve("jmmz", grid=3).save(tmp_path / "other")
    (folder / "allocation.npz").write_bytes((asymmetric / "allocation.npz").read_bytes())
    assert not ex.verify(folder).passed


def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command(["solve", "jmmz", "--grid", "3", "--symmetric", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["symmetric"] is True
    assert record["details"]["cost_of_symmetry"] > 0
    assert run_command(["solve", "linear", "--set", "alpha11=3", "--grid", "3", "--symmetric"]) == 2
    assert "--symmetric: the value of buyer" in capsys.readouterr().err
    ex.write_instance(stated(units=2, joint="1 + c1*c2"), tmp_path / "mine.toml")
    assert run_command(["solve", "mine.toml", "--set", "k=0.5", "--grid", "2", "--out", "run"]) == 0
    assert ex.open("run").instance.parameters == {"k": 0.5}
    assert run_command(["verify", "run"]) == 0
    capsys.readouterr()
    assert run_command(["bracket", "mine.toml", "--time-limit", "1", "--timing", "sequential"]) == 2
    assert "joint: density: signals of different buyers that are correlated" in capsys.readouterr().err
    assert run_command(["bracket", "mine.toml", "--time-limit", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lower"]["value"] <= found["upper"]["value"]


def test_a_limit_leaves_the_symmetric_rule_with_the_unrestricted_bound():
    run = ex.solve("jmmz", grid=6, symmetric=True, time_limit=60)
    assert run.record.details["unrestricted_bound"] == pytest.approx(ex.solve("jmmz", grid=6).upper_bound)
    with pytest.raises(ex.InputError, match="symmetric: 'yes'; expected True or False"):
        ex.solve("jmmz", grid=2, symmetric="yes")


def rows(columns):
    lines = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == columns and re.match(r"[\d.]+%?$", row[-2])]


def test_the_figures_of_symmetry():
    found = [row for row in rows(5) if row[1] in ("static", "sequential")]
    assert len(found) == 6
    for points, timing, unrestricted, welfare, cost in found[:2] + found[3:5]:
        run = ex.solve("jmmz", grid=int(points), timing=timing, symmetric=True)
        details = run.record.details
        assert f"{details['unrestricted_bound']:.6f}" == unrestricted
        assert f"{run.welfare:.6f}" == welfare
        assert f"{details['cost_of_symmetry']:.6f}" == cost


def test_the_figures_of_units_and_densities():
    jmmz, three = ex.load("jmmz"), ex.load("three-buyers")
    densities = rows(4)
    assert len(densities) == 3
    for density, first, second, share in densities:
        run = ex.solve(replace(jmmz, joint=density), grid=8)
        assert [f"{run.first_best:.6f}", f"{run.welfare:.6f}", f"{run.share:.2%}"] == [first, second, share]
    units = [row for row in rows(5) if "unit" in row[0]]
    assert len(units) == 3
    for name, first, second, sold, backend in units:
        run = ex.solve(ex.Instance("x", three.buyers, units=int(name[0])), grid=3)
        assert [f"{run.first_best:.6f}", f"{run.welfare:.6f}", f"{run.sold:.4f}"] == [first, second, sold]
        assert run.record.backend == backend


def test_the_python_of_the_page_runs(capsys):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        exec(block, names)
    assert capsys.readouterr().out.startswith("0.914062 0.852802 93.30%")


def test_names_with_markup_and_dollars_go_through_every_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = ex.Buyer("=1$a$", ["price", "lower"], "price + lower*buyer")
    second = ex.Buyer("[red]x[/bold]", ["first_signal", "buyer"], "first_signal + lower*buyer")
    ex.write_instance(ex.Instance("$in[red]st[/bold]$", [first, second]), "n.toml")
    for timing in ("static", "sequential"):
        solve = ["solve", "n.toml", "--grid", "2", "--timing", timing, "--out", timing]
        for command in (solve, ["verify", timing], ["menu", timing]):
            assert run_command(command) == 0, command
    assert "$in[red]st[/bold]$" in capsys.readouterr().out
    assert run_command(["dominate", "n.toml", "--prices", "t*", "--grid", "2"]) in (0, 1)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_paths_that_no_file_system_takes_are_one_line(name, capsys):
    for command in ("verify", "menu", "solve"):
        words = [command, name, "--grid", "2"] if command == "solve" else [command, name]
        assert run_command(words) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert len(said) < 1000


CALLS = {
    "solve": lambda: ex.solve("three-buyers", 3, time_limit=5),
    "dominate": lambda: ex.dominate("three-buyers", "t*", 3, time_limit=5),
    "compare": lambda: ex.compare("three-buyers", 3, time_limit=5, brackets=0),
    "check": lambda: ex.check("three-buyers", "t*", 3, time_limit=5),
    "frontier": lambda: ex.frontier("one-dimensional", 33, time_limit=5),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_limit_that_building_alone_would_break_is_refused_at_once(name, monkeypatch):
    """As on a machine that is ten thousand times slower; nothing here is large."""
    slow = {timing: 1e4 * seconds for timing, seconds in room.SECONDS_PER_BINARY.items()}
    monkeypatch.setattr(room, "SECONDS_PER_BINARY", slow)
    with pytest.raises(
        ex.LimitReached, match=r"binaries take at least 9 s to build and to audit; allow more"
    ):
        CALLS[name]()


@pytest.mark.parametrize(
    ("variables", "stages", "spent", "limit", "late"),
    [
        (10**7, (), 3.0, 3.0, True),
        (10**7, (), 1.0, 3.0, False),
        (10**5, (), 30.0, 3.0, False),
        (10**7, (), 3.0, 11.0, True),
        (10**7, (), 3.0, 12.0, False),
        (10**7, (None, "stages"), 3.0, 3.0, True),
        (10**7, (None, "stages"), 2.0, 3.0, False),
    ],
)
def test_a_large_program_that_took_long_to_build_is_not_begun(variables, stages, spent, limit, late):
    program = SimpleNamespace(variables=variables)
    formulation = SimpleNamespace(program=program, stages=stages, settings=None, space=None)
    if not late:
        room.require_time(formulation, spent, limit)
        return
    with pytest.raises(ex.LimitReached, match=r"10,000,000 binaries took 3\.0 s to build"):
        room.require_time(formulation, spent, limit)


def test_a_start_from_a_coarser_grid_answers_sooner():
    program = SimpleNamespace(variables=10**7)
    settings = SimpleNamespace(conditional=False, symmetric=False)
    space = SimpleNamespace(n=2, units=1, states=5 * 10**6)
    formulation = SimpleNamespace(program=program, stages=(), settings=settings, space=space)
    room.require_time(formulation, 4.0, 11.0)
    with pytest.raises(ex.LimitReached, match=r"a first answer comes after about 14;"):
        room.require_time(formulation, 4.0, 10.5)


@pytest.mark.parametrize("call", ["solve", "compare"])
def test_what_building_takes_is_asked_for_and_counts(call, monkeypatch):
    asked, left = [], []

    def slow(*given):
        time.sleep(0.3)
        return formulate(*given)

    def answered(*given, time_limit=None, **named):
        left.append(time_limit)
        return answer(*given, time_limit=time_limit, **named)

    formulate, answer = second_best.formulate, second_best.answer
    # the front door's ``solve`` hides the module of that name
    for module in (second_best, importlib.import_module("expost.runs.solve")):
        monkeypatch.setattr(module, "formulate", slow)
        monkeypatch.setattr(module, "answer", answered)
        monkeypatch.setattr(module, "require_time", lambda _, spent, limit: asked.append((spent, limit)))
    {"solve": lambda: ex.solve("jmmz", 2, time_limit=60.0),
     "compare": lambda: ex.compare("jmmz", 2, time_limit=60.0, brackets=0)}[call]()  # fmt: skip
    assert asked and all(spent >= 0.3 and limit <= 60.0 for spent, limit in asked)
    assert left and max(left) <= 59.7


@pytest.mark.parametrize(("large", "refused"), [(16, True), (10**9, False)])
def test_a_large_program_is_not_built_to_its_end_after_the_limit(monkeypatch, large, refused):
    monkeypatch.setattr(second_best, "LARGE", large)
    space, settings = discretize(ex.load("jmmz"), 2), Settings(ex.Grid(2), "static")
    with within(0.0):
        if refused:
            with pytest.raises(LimitReached, match="limit came before"):
                second_best.formulate(space, settings)
        else:
            assert second_best.formulate(space, settings).program.variables == 32
