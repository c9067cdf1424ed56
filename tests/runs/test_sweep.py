"""Sweeps: one row a case, resumed where they stopped, nothing computed twice."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import expost as ex
from expost.cli import run_command
from expost.formulations import coarser, second_best
from expost.runs import run as runs
from expost.runs import sweep as sweeps
from expost.runs.folder import save_run


def own():
    return ex.Instance(
        "own",
        [ex.Buyer("1", ["p1", "c1"], "p1 + k*c1*c2"), ex.Buyer("2", ["p2", "c2"], "p2 + k*c1*c2")],
        parameters={"k": 1.0},
    )


def test_a_product_of_parameters_grids_and_timings():
    table = ex.sweep(own(), grid=[2, 3], k=[0.0, 1.0], timing=["static", "sequential"])
    assert len(table) == 8 and (table["error"] == "").all() and (table["status"] == "optimal").all()
    free = table[table["k"] == 0.0]
    assert (free["share"] - 1.0).abs().max() < 1e-12  # private values: nothing is lost
    one = table[(table["k"] == 1.0) & (table["grid"] == 3) & (table["timing"] == "static")].iloc[0]
    assert one["welfare"] == ex.solve(own(), 3).welfare


def test_a_case_that_fails_has_its_text_and_stops_nothing():
    table = ex.sweep("one-dimensional", grid=2, timing=["static", "sequential"])
    assert table["error"][0] == "" and "stage" in table["error"][1]


def test_two_processes_give_the_same_table():
    asked = {"grid": [2, 3], "k": [0.0, 0.5]}
    one, two = (ex.sweep(own(), jobs=jobs, **asked).drop(columns="seconds") for jobs in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_what_the_table_holds_is_not_computed_again(tmp_path):
    out = tmp_path / "table.csv"
    ex.sweep(own(), grid=2, k=[0.0, 1.0], out=out)
    counted = []
    table = ex.sweep(own(), grid=2, k=[0.0, 0.5, 1.0], out=out, progress=lambda *at: counted.append(at))
    assert counted == [(3, 3)] and len(table) == 3 == len(pd.read_csv(out))
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    with pytest.raises(ex.InputError, match="another study"):
        ex.sweep(own(), grid=3, k=[0.0], out=out)


def test_mechanisms_and_runs_that_are_kept(tmp_path):
    ex.sweep(own(), grid=2, k=[0.0, 1.0], keep=tmp_path / "runs")
    folders = list((tmp_path / "runs").iterdir())
    assert len(folders) == 2 and all(ex.verify(folder) for folder in folders)


def test_no_room_for_the_runs_ends_the_sweep_and_loses_nothing(tmp_path, monkeypatch):
    asked = {"grid": 2, "k": [0.0, 0.5, 1.0], "out": tmp_path / "table.csv", "keep": tmp_path / "runs"}
    saved = []

    def full(run, folder):
        if len(saved) == 1:
            raise ex.InputError("No space left on device", where="out")
        saved.append(save_run(run, folder))

    with monkeypatch.context() as patch, pytest.raises(ex.InputError, match=r"^keep: .*No space left"):
        patch.setattr(runs, "save_run", full)
        ex.sweep(own(), **asked)
    counted = []
    table = ex.sweep(own(), **asked, progress=lambda *at: counted.append(at))
    assert len(counted) == 2 and (table["error"] == "").all()
    assert {path.name for path in (tmp_path / "runs").iterdir()} == set(table["case"])
    again = ex.sweep(own(), **asked | {"keep": tmp_path / "more"})  # what is missing there is made
    assert len(list((tmp_path / "more").iterdir())) == 3
    same(again, table)


def test_brackets_and_benchmarks_are_kept_checks_have_nothing_to_keep(tmp_path):
    table = ex.sweep(own(), grid=2, bayesian=True, keep=tmp_path / "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == list(table["case"])
    with pytest.raises(ex.InputError, match=r"^keep:"):
        ex.sweep(own(), grid=2, prices="example2", keep=tmp_path / "checks")


def test_no_more_cases_at_once_than_fit_into_memory(monkeypatch):
    counts = []

    def here(run, cases, count, *, ordered):
        counts.append(count)
        return (run(*case) for case in cases)

    monkeypatch.setattr(sweeps, "in_turn", here)
    free = 700 * 2**20 + 3 * 2 * 2**4 * 400
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr("psutil.cpu_count", lambda: 8)
    for jobs in (1, 2, 9, -1):
        ex.sweep(own(), grid=2, k=[i / 10 for i in range(9)], jobs=jobs)
    assert counts == [1, 2, 2, 2]


def test_what_says_how_it_went_comes_last_also_where_the_first_case_fails():
    table = ex.sweep("one-dimensional", grid=2, timing=["sequential", "static"])
    assert table["error"][0] and list(table.columns[-3:]) == ["error", "seconds", "case"]


@pytest.mark.parametrize(
    ("asked", "where"),
    [({"j": [1]}, "j"), ({"k": []}, "k"), ({"grid": 0}, "grid"), ({"out": "table.txt"}, "out")],
)
def test_unusable_sweeps_are_refused_before_anything_is_solved(asked, where):
    with pytest.raises(ex.InputError, match=rf"^{where}:"):
        ex.sweep(own(), **asked)


KILLED = """
import sys, expost as ex
mine = ex.Instance("own", [ex.Buyer("1", ["p1", "c1"], "p1 + k*c1*c2"), ex.Buyer("2", ["p2", "c2"], "p2 + k*c1*c2")],
                   parameters={"k": 1.0})
ex.sweep(mine, grid=4, k=[i / 80 for i in range(80)], out=sys.argv[1], progress=lambda *at: print(at, flush=True))
"""


def test_a_killed_sweep_goes_on_where_it_stopped(tmp_path):
    out = tmp_path / "table.csv"
    process = subprocess.Popen([sys.executable, "-c", KILLED, out], stdout=subprocess.PIPE, text=True)
    for _ in range(20):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    journal = next(tmp_path.glob(".*.jsonl"))
    done = len(journal.read_text().splitlines())
    assert 20 <= done < 80 and not out.exists()
    with journal.open("a") as file:
        file.write('{"case": "cut sho')
    counted = []
    k = [i / 80 for i in range(80)]
    table = ex.sweep(own(), grid=4, k=k, out=out, progress=lambda *at: counted.append(at))
    assert len(table) == 80 and len(counted) <= 80 - done + 1
    whole = ex.sweep(own(), grid=4, k=k)
    pd.testing.assert_frame_equal(
        table.drop(columns="seconds"), whole.drop(columns="seconds"), check_dtype=False
    )


FULL = """
import resource, sys, expost as ex
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # no file may grow beyond: as on a full disk
mine = ex.load(sys.argv[1])
try:
    ex.sweep(mine, grid=2, k=[i / 40 for i in range(40)], out=sys.argv[2])
except ex.InputError as error:
    print(error)
"""


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    ex.write_instance(own(), tmp_path / "own.toml")
    out = tmp_path / "table.csv"
    words = [sys.executable, "-c", FULL, tmp_path / "own.toml", out]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("out: cannot be written: File too large") and done.stdout.count("\n") == 1
    journal = next(tmp_path.glob(".*.jsonl"))
    kept = journal.read_text()
    assert len(kept) == 4096 and not kept.endswith("\n") and not out.exists()
    counted = []
    k = [i / 40 for i in range(40)]
    table = ex.sweep(own(), grid=2, k=k, out=out, progress=lambda *at: counted.append(at))
    assert len(counted) == 40 - kept.count("\n") < 40
    same(table, ex.sweep(own(), grid=2, k=k))


def test_a_table_read_again_has_every_digit(tmp_path):
    asked = {"grid": 3, "k": (np.arange(1, 20) / 7).tolist(), "out": tmp_path / "table.csv"}
    first = ex.sweep(own(), **asked)
    same(ex.sweep(own(), **asked, progress=lambda *_: 1 / 0), first)  # nothing is computed


def test_a_row_cut_short_does_not_spoil_the_next_one(tmp_path):
    out = tmp_path / "table.csv"
    journal = tmp_path / ".table.csv.cases.jsonl"
    journal.write_text('{"case": "cut sho')
    with pytest.raises(ZeroDivisionError):
        ex.sweep(own(), grid=2, k=[0.0, 0.5, 1.0], out=out, progress=lambda *_: 1 / 0)
    ended = journal.read_text().splitlines()
    assert len(ended) == 2 and json.loads(ended[1])["k"] == 0.0


def test_a_table_of_rows_and_a_product_of_what_it_leaves_out(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("k,grid,timing\n0,2,static\n0.5,3,sequential\n1,,static\n")
    table = ex.sweep(own(), grid=[2, 4], rows=path)
    assert table["grid"].tolist() == [2, 3, 2, 4] and (table["error"] == "").all()
    assert table["k"].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert table["timing"].tolist() == ["static", "sequential", "static", "static"]


def same(one, two):
    """Equal but for the seconds."""
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), two.drop(columns="seconds"), check_dtype=False)


MANY = """
import sys, numpy as np, expost as ex
ex.sweep(ex.load(sys.argv[1]), grid=12, k=np.linspace(0, 2, 200).tolist(), out=sys.argv[2],
         progress=lambda *at: print(at, flush=True))
"""


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(tmp_path):
    ex.write_instance(own(), tmp_path / "own.toml")
    out, rng = tmp_path / "table.csv", np.random.default_rng()
    for kill in range(11):
        words = [sys.executable, "-c", MANY, tmp_path / "own.toml", out]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        if kill == 10:
            assert process.wait() == 0
            break
        for _ in range(int(rng.integers(1, 15))):
            process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.1))
        process.kill()
        process.wait()
        assert not out.exists()
    whole = ex.sweep(own(), grid=12, k=np.linspace(0, 2, 200).tolist())
    same(
        ex.sweep(own(), grid=12, k=np.linspace(0, 2, 200).tolist(), out=out, progress=lambda *_: 1 / 0), whole
    )


def test_the_command_line(tmp_path, capsys):
    path = tmp_path / "own.toml"
    ex.write_instance(own(), path)
    words = ["sweep", str(path), "--grid", "2", "--over", "k=0:1:3", "--timing", "static", "--json"]
    assert run_command(words) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["k"] for row in rows] == [0.0, 0.5, 1.0]
    for bad in ("k", "k=0:1:0", "z=1|2", "k=a:b:c"):
        assert run_command(["sweep", str(path), "--grid", "2", "--over", bad]) == 2


def test_a_case_starts_from_the_one_before_it_and_the_table_is_the_same(monkeypatch):
    asked = {"grid": 5, "k": [0.5, 0.6, 0.7], "objective": ["welfare", "revenue"]}
    cold = ex.sweep(own(), **asked)
    monkeypatch.setattr(coarser, "LEAST_STATES", 0)
    starts = []
    plain = coarser.start_from
    monkeypatch.setattr(second_best, "start_from", lambda *given: starts.append(plain(*given)) or starts[-1])
    warm = ex.sweep(own(), **asked)
    assert len(starts) == 4 and all(start is not None for start in starts)  # all but the first of each family
    same(warm, cold)
    starts.clear()
    ex.sweep(own(), **asked, time_limit=60.0)
    assert not starts  # where a limit may end it, what is found could depend on the start


def test_a_solve_starts_from_a_run_of_a_neighbour(monkeypatch):
    monkeypatch.setattr(coarser, "LEAST_STATES", 0)
    near = ex.solve(own(), 5)
    mine = own().with_parameters(k=1.1)
    cold, warm = ex.solve(mine, 5), ex.solve(mine, 5, near=near)
    assert warm.welfare == cold.welfare and warm.upper_bound == cold.upper_bound and warm.verify()
    assert (warm.mechanism.allocation == cold.mechanism.allocation).all()
    with pytest.raises(ex.InputError, match=r"^near:"):
        ex.solve(mine, 4, near=near)
    with pytest.raises(ex.InputError, match=r"^near: a str"):
        ex.solve(mine, 4, near="run")


def test_a_name_given_twice_is_refused(capsys):
    words = ["sweep", "jmmz", "--grid", "2", "--over", "k=0:1:2", "--over", "k=1:2:2"]
    assert run_command(words) == 2
    assert "--over: k twice" in capsys.readouterr().err
