from dataclasses import replace

import numpy as np
import pytest

import expost as ex
from expost.brackets import open_bracket, save_bracket
from expost.brackets.evidence import Dual
from expost.brackets.upper.basis import constant_prices
from expost.brackets.upper.dual import Quadrature, dual_limit
from expost.brackets.upper.reference import Reference, reference_nodes, reference_rule, table_shapes
from expost.brackets.upper.ridge import constant_ridge
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.mesh import mesh_points
from expost.spaces.quantile_space import quantile_space

PRIVATE = ex.Instance("private", [ex.Buyer("1", ["x"], "x"), ex.Buyer("2", ["y"], "y")])
SIZE = Quadrature(replicates=6, fibres=32, types=512, rows=8, bins=128)


def example_2(space, shift=0.0):
    """p_j + c_j**2 on the mesh, for every first level."""
    return Reference(
        tuple(
            np.tile(
                (points := mesh_points(reference_nodes(space, i), 2))[:, 0] + points[:, 1] ** 2, (shape[0], 1)
            )
            + shift
            for i, shape in enumerate(table_shapes(space))
        )
    )


def limit(space, u, reference, seed=1):
    return dual_limit(space, u, SIZE, 0.99, np.random.SeedSequence(seed), 11 / 12, reference=reference)


@pytest.fixture(scope="module")
def jmmz():
    return quantile_space(ex.load("jmmz"), "static", (None, None))


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_any_rule_gives_the_same_mean(timing):
    space = quantile_space(ex.load("jmmz"), timing, ("c1", "c2") if timing == "sequential" else (None, None))
    u = constant_prices(space.dims, 3, 0.0, 0.4)
    if timing == "static":
        u = replace(u, ridge=constant_ridge(space.dims, (1, 1), 3, 0.3))
    plain = limit(space, u, None)
    for rule in (example_2(space), example_2(space, 0.3)):
        found = limit(space, u, rule, seed=2)
        assert abs(found.mean - plain.mean) < found.error + plain.error


def test_the_best_rule_leaves_little_noise():
    space = quantile_space(PRIVATE, "static", (None, None))
    u = constant_prices(space.dims, 1, 0.0, 1.0)  # the lower of both values, which is optimal
    table = np.linspace(0.0, 1.0, reference_nodes(space, 0))[None]
    best, other = (
        dual_limit(space, u, SIZE, 0.99, np.random.SeedSequence(1), 2 / 3, reference=Reference((rule, rule)))
        for rule in (table, table**2)
    )
    assert best.error < 0.5 * other.error
    assert best.mean == pytest.approx(2 / 3, abs=1e-3)


def test_the_strikes_of_a_mechanism_are_read_on_the_mesh(jmmz):
    rule = reference_rule(SoloMechanism(jmmz, "1 alone", (0,), np.empty(0), 64))
    assert [table.shape for table in rule.strikes] == table_shapes(jmmz)
    assert all(np.isfinite(table).all() for table in rule.strikes)
    assert (rule.strikes[0] < 1.5).all() and (
        rule.strikes[1] > 1.9
    ).all()  # who never wins faces his highest value
    both = np.array([[0.5, 0.5]])
    assert rule.welfare(jmmz, both, np.array([[0.75, 0.5]])) == pytest.approx(-0.25)
    assert rule.welfare(jmmz, both, np.array([[0.25, 0.5]])) == pytest.approx(0.0)
    assert reference_rule(None) is None


def test_the_rule_is_saved_beside_the_shadow_prices(tmp_path):
    found = ex.bracket("one-dimensional", 0.3, seed=1)
    space, u = found.mechanism.space, constant_prices(found.mechanism.space.dims, 3, 0.0, 0.4)
    tables = tuple(np.full(shape, 0.5) for shape in table_shapes(space))
    evidence = Dual(u, SIZE, Reference(tables))
    proofs = tuple(
        replace(proof, evidence=evidence) if proof.bound.side == "upper" else proof for proof in found.proofs
    )
    again = open_bracket(save_bracket(replace(found, proofs=proofs), tmp_path / "saved"))
    read = next(proof.evidence for proof in again.proofs if proof.bound.side == "upper")
    values = [one.replicate(np.random.SeedSequence(4), space) for one in (read, evidence, Dual(u, SIZE))]
    assert values[0] == values[1] != values[2]
