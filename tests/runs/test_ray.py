"""Sweeps and brackets on Ray, through its joblib backend: the same figures as here, workers that stay."""

import os

import joblib
import pandas as pd
import pytest

import expost as ex
from expost.brackets.workers import Workers

ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def started():
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    yield
    ray.shutdown()


def own():
    return ex.Instance(
        "own",
        [ex.Buyer("1", ["p1", "c1"], "p1 + k*c1*c2"), ex.Buyer("2", ["p2", "c2"], "p2 + k*c1*c2")],
        parameters={"k": 1.0},
    )


def test_a_sweep_gives_the_same_table():
    asked = {"grid": [3, 4], "k": [0.0, 0.5, 1.0], "timing": ["static", "sequential"]}
    here = ex.sweep(own(), **asked)
    with joblib.parallel_config("ray"):
        there = ex.sweep(own(), jobs=2, **asked)
    pd.testing.assert_frame_equal(here.drop(columns="seconds"), there.drop(columns="seconds"))


def test_a_bracket_gives_the_same_bounds():
    here = ex.bracket("one-dimensional", 0.1)
    with joblib.parallel_config("ray"):
        there = ex.bracket("one-dimensional", 0.1, jobs=2)
    assert (float(here.lower), float(here.upper)) == (float(there.lower), float(there.upper))


def test_workers_stay_from_call_to_call():
    """Ray's backend starts its actors with every call of joblib, and kills them after it, unless they are kept."""

    def process(_):  # sent as it is: a worker cannot import this module
        return os.getpid()

    with joblib.parallel_config("ray"), Workers(2) as workers:
        seen = set().union(*(workers.map(process, range(6)) for _ in range(3)))
    assert os.getpid() not in seen and len(seen) <= 2
