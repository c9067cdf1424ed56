"""The linear relaxation: both methods, what it proves, and that randomization can help three buyers."""

import numpy as np
import pytest
from support.programs import max_program, random_program

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.instances.random_instances import unstructured_instance
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.linear import rows_of
from expost.solver.nbuyers.relaxation import lifted_price, relax
from expost.solver.reduction import reduced
from expost.solver.result import Status
from expost.spaces.type_space import discretize


def unstructured(seed, types):
    """Three buyers, every value drawn on its own: the family of docs/randomization.md."""
    space = discretize(unstructured_instance(seed, buyers=3, types=types), types)
    return assemble(space, build_blocks(space, ("static",) * 3)).program


@pytest.mark.parametrize(("seed", "percent"), [(18, 0.0592), (27, 0.0443), (0, 0.0)])
def test_randomization_helps_as_the_page_says(seed, percent):
    program = unstructured(seed, 6)
    best = solve_program(program)
    assert best.status is Status.OPTIMAL
    point = relax(program, method="simplex").fractional
    rows = rows_of(program)
    sums = np.add.reduceat(rows.value * point[rows.index], rows.start[:-1])
    assert (sums <= rows.upper + 1e-9).all() and point.min() >= -1e-9 and point.max() <= 1 + 1e-9
    gain = 100 * ((program.weights * point).sum() / best.details["value"] - 1)
    assert gain == pytest.approx(percent, abs=1e-4)
    assert solve_program(program, "highs").details["value"] == pytest.approx(best.details["value"], abs=1e-9)


@pytest.mark.parametrize("method", ["simplex", "pdlp"])
def test_both_methods_prove_the_same_value(method):
    program = max_program(3, 3)
    reduction = reduced(program, program.fixings)
    answer = relax(reduction.program, method=method)
    priced = lifted_price(program, reduction, answer.packing, answer.covering)
    report = check(program, priced.certificate)
    assert report.valid
    assert report.upper_bound == pytest.approx(
        (reduction.program.weights * answer.fractional).sum(), abs=1e-7
    )


def test_prices_put_back_through_fixings_and_covering_rows_still_prove():
    tight = 0
    for seed in range(30):
        program = random_program(np.random.default_rng(seed), 3, 2, cover=0.1, fix=0.1)
        best = solve_program(program, "highs")
        if best.x is None:
            continue
        reduction = reduced(program, program.fixings)
        answer = relax(reduction.program)
        report = check(program, lifted_price(program, reduction, answer.packing, answer.covering).certificate)
        assert report.valid and report.upper_bound >= best.details["value"] - 1e-12
        tight += report.upper_bound <= best.details["value"] + 1e-6
    assert tight >= 10
