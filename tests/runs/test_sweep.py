"""Sweeps: one row a case, resumed where they stopped, nothing computed twice."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

import expost as ex
from expost.cli import run_command


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
ex.sweep(mine, grid=4, k=[i / 200 for i in range(200)], out=sys.argv[1], progress=lambda *at: print(at, flush=True))
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
    assert 20 <= done < 200 and not out.exists()
    with journal.open("a") as file:
        file.write('{"case": "cut sho')
    started, counted = time.time(), []
    k = [i / 200 for i in range(200)]
    table = ex.sweep(own(), grid=4, k=k, out=out, progress=lambda *at: counted.append(at))
    assert len(table) == 200 and len(counted) <= 200 - done + 1 and time.time() > started
    whole = ex.sweep(own(), grid=4, k=k)
    pd.testing.assert_frame_equal(
        table.drop(columns="seconds"), whole.drop(columns="seconds"), check_dtype=False
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
