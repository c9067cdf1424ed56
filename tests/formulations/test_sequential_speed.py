"""A two-buyer sequential grid of 24 points per signal takes at most four times the static time, audit included."""

import time

import pytest

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks, buyer_stages, mixed_mechanism
from expost.instances.catalogue import load
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.solver.backends import solve_program
from expost.spaces.type_space import discretize


def seconds(points, timing, first=()):
    """CPU time from the instance to the audited mechanism."""
    started, timings = time.process_time(), (timing,) * 2
    space = discretize(load("jmmz"), points)
    formulation = assemble(space, build_blocks(space, timings, first))
    rule = formulation.allocation(solve_program(formulation.program).x)
    mechanism = mixed_mechanism(space, rule, buyer_stages(space, timings, first))
    audit_mechanism(space.values, mechanism).require("the test")
    return time.process_time() - started


@pytest.mark.slow
@pytest.mark.parametrize("first", [(), ("p1", "c2"), ("c1", "c2")])
def test_24_points_within_four_times_the_static_time(first):
    for timing in ("static", "sequential"):
        seconds(6, timing)
    assert seconds(24, "sequential", first) <= 4.0 * seconds(24, "static")
