"""Priors: quantiles against scipy.stats, conditional ones, refusals, and no scipy where none is needed."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

from expost.errors import InputError
from expost.instances import UNIFORM, Buyer, Instance, Prior

LEVELS = (np.arange(8) + 0.5) / 8


@pytest.mark.parametrize(
    ("prior", "law"),
    [
        (UNIFORM, scipy.stats.uniform()),
        (Prior("uniform", {"loc": 2, "scale": 3}), scipy.stats.uniform(2, 3)),
        (Prior("beta", {"a": 2.0, "b": 3.0}), scipy.stats.beta(2, 3)),
        (Prior("truncnorm", {"a": 0, "b": 2, "loc": 1}), scipy.stats.truncnorm(0, 2, loc=1)),
        (Prior("norm"), scipy.stats.norm()),
        (Prior("expon", {"scale": 2}), scipy.stats.expon(scale=2)),
        (Prior("triang", {"c": 0.3}), scipy.stats.triang(0.3)),
    ],
)
def test_quantiles_are_those_of_scipy(prior, law):
    prior.check(where="priors.s")
    np.testing.assert_allclose(prior.quantile(LEVELS), law.ppf(LEVELS), rtol=1e-12)
    assert prior.support() == law.support()


def test_conditional_quantiles_invert_the_conditional_distribution():
    prior = Prior("beta", {"a": "1 + 2*p", "b": 3.0, "scale": "0.5 + p"})
    assert prior.conditions == ("p",)
    p = np.array([[0.0], [0.4], [1.0]])
    quantiles = prior.quantile(LEVELS[None, :], {"p": p})
    assert quantiles.shape == (3, 8)
    law = scipy.stats.beta(1 + 2 * p, 3.0, scale=0.5 + p)
    np.testing.assert_allclose(law.cdf(quantiles), np.broadcast_to(LEVELS, (3, 8)), rtol=1e-10)
    low, high = prior.support({"p": p})
    np.testing.assert_allclose((low, high), (np.zeros((3, 1)), 0.5 + p))


def test_a_uniform_prior_may_move_with_the_earlier_signal():
    prior = Prior(parameters={"loc": "p", "scale": "1 + p"})
    p = np.array([0.0, 0.5])
    np.testing.assert_allclose(prior.quantile(np.float64(0.5), {"p": p}), [0.5, 1.25])


@pytest.mark.parametrize(
    ("prior", "reason"),
    [
        (Prior("beta", {"a": 2.0}), "beta without b"),
        (Prior("beta", {"a": -1.0, "b": 2.0}), "impossible parameters of beta: a = -1, b = 2"),
        (
            Prior("beta", {"a": 1.0, "b": 2.0, "sclae": 1.0}),
            "unknown parameter 'sclae'.*did you mean 'scale'",
        ),
        (Prior("beta", {"a": float("nan"), "b": 2.0}), "a = nan"),
        (Prior("beta", {"a": True, "b": 2.0}), "a = True"),
        (Prior("beta", {"a": [1.0], "b": 2.0}), r"a = \[1.0\]"),
        (Prior("beta", {"a": "1 +", "b": 2.0}), "syntax error"),
        (Prior("uniform", {"scale": 0.0}), "impossible parameters of uniform: scale = 0"),
        (Prior("uniform", {"low": 0.0}), "unknown parameter 'low'"),
        (Prior("triang", {"c": 2.0}), "impossible parameters of triang"),
        (Prior("betta", {}), "unknown distribution 'betta'.*did you mean"),
        (Prior("poisson", {"mu": 2.0}), "unknown distribution 'poisson'.*continuous"),
        (Prior("__doc__", {}), "unknown distribution"),
        (Prior("rv_continuous", {}), "unknown distribution"),
        (Prior(3, {}), "type int"),
    ],
)
def test_impossible_priors_are_refused(prior, reason):
    with pytest.raises(InputError, match=f"^priors.s.*: .*{reason}"):
        Instance("x", (Buyer("1", ("s",), "s"),), {"s": prior})


def test_parameters_that_become_impossible_are_placed():
    prior = Prior("beta", {"a": "p - 0.5", "b": 1.0})
    with pytest.raises(InputError, match=r"a = -0.25, b = 1, p = 0.25"):
        prior.quantile(np.float64(0.5), {"p": np.array([0.75, 0.25])})
    with pytest.raises(InputError, match="no values for p"):
        prior.quantile(LEVELS)


def test_priors_depend_only_on_earlier_signals_of_the_same_buyer():
    def instance(signal, text, **buyer):
        first = Buyer("1", ("p1", "c1"), "p1 + c1*c2", **buyer)
        return Instance(
            "x", (first, Buyer("2", ("p2", "c2"), "p2 + c1*c2")), {signal: Prior("uniform", {"loc": text})}
        )

    assert instance("c1", "p1/2").prior("c1").conditions == ("p1",)
    with pytest.raises(InputError, match=r"priors.c1: depends on 'p2', a signal of another buyer.*fixed"):
        instance("c1", "p2")
    with pytest.raises(InputError, match=r"priors.p1: depends on 'c1', which does not come before it"):
        instance("p1", "c1")
    with pytest.raises(InputError, match=r"priors.c1: depends on 'c1'"):
        instance("c1", "c1")
    with pytest.raises(InputError, match=r"priors.c1: uses 'q'"):
        instance("c1", "q")
    with pytest.raises(InputError, match=r"priors.c1: depends on p1, which arrives in a later stage"):
        instance("c1", "p1", stages=(("c1",), ("p1",)))


def test_uniform_instances_need_neither_scipy_nor_pydantic():
    code = (
        "import sys, numpy, expost.instances; from expost.instances import catalogue\n"
        "i = catalogue.load('jmmz'); i.prior('p1').quantile(numpy.linspace(0, 1, 3)); catalogue.describe()\n"
        "print([m for m in ('scipy', 'pydantic', 'tomli_w', 'numba') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
