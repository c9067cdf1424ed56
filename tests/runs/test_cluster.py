"""Sweeps and brackets on a real Dask cluster: two worker processes of two threads each; the same figures as here."""

import os
import signal
import threading
import time

import joblib
import pandas as pd
import pytest

import expost as ex

distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
pytestmark = pytest.mark.slow


def own():
    return ex.Instance(
        "own",
        [ex.Buyer("1", ["p1", "c1"], "p1 + k*c1*c2"), ex.Buyer("2", ["p2", "c2"], "p2 + k*c1*c2")],
        parameters={"k": 1.0},
    )


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as made,
        distributed.Client(made) as client,
    ):
        yield client


def same(one, two):
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), two.drop(columns="seconds"))


def test_a_sweep_gives_the_same_table(cluster):
    asked = {"grid": [3, 4], "k": [0.0, 0.5, 1.0], "timing": ["static", "sequential"]}
    here = ex.sweep(own(), **asked)
    with joblib.parallel_config("dask"):
        there = ex.sweep(own(), jobs=4, **asked)
    same(here, there)


def test_three_buyers_in_workers_of_two_threads(cluster):
    here = ex.sweep("three-buyers", grid=[2, 3])
    with joblib.parallel_config("dask"):
        there = ex.sweep("three-buyers", grid=[2, 3], jobs=4)
    assert (here["welfare"] == there["welfare"]).all() and (there["error"] == "").all()


def test_a_bracket_gives_the_same_bounds(cluster):
    here = ex.bracket("one-dimensional", 0.1)
    with joblib.parallel_config("dask"):
        there = ex.bracket("one-dimensional", 0.1, jobs=4)
    assert (float(here.lower), float(here.upper)) == (float(there.lower), float(there.upper))


def test_nothing_is_lost_when_a_worker_dies(cluster):
    asked = {"grid": 6, "k": [i / 40 for i in range(40)]}
    here = ex.sweep(own(), **asked)
    pids = list(cluster.run(os.getpid).values())

    def kill():
        time.sleep(0.5)
        os.kill(pids[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    with joblib.parallel_config("dask"):
        killer.start()
        there = ex.sweep(own(), jobs=4, **asked)
    killer.join()
    same(here, there)
