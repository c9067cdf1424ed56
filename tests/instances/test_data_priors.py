"""Priors that are data or distributions of scipy: quantiles, files, refusals."""

import logging

import numpy as np
import pytest
import scipy.stats

from expost.errors import InputError
from expost.instances import (
    Buyer,
    Instance,
    Prior,
    discrete,
    empirical,
    instance_from_toml,
    instance_to_toml,
    load,
)

LEVELS = (np.arange(20) + 0.5) / 20
SAMPLE = [0.31, 0.12, 0.77, 0.5, 0.5, 0.93]


def one(prior):
    return Instance("x", [Buyer("1", ["s", "t"], "s + t")], {"s": prior})


@pytest.mark.parametrize(
    "law",
    [
        scipy.stats.beta(2, 3),
        scipy.stats.beta(2, b=3, loc=1, scale=2),
        scipy.stats.uniform(2, 3),
        scipy.stats.norm,
        scipy.stats.truncnorm(0, 2, loc=1),
        scipy.stats.lognorm(s=0.5),
    ],
)
def test_frozen_distributions_are_priors(law):
    instance = one(law)
    np.testing.assert_allclose(instance.prior("s").quantile(LEVELS), law.ppf(LEVELS), rtol=1e-12)
    np.testing.assert_allclose(
        instance.prior("s").level(instance.prior("s").quantile(LEVELS)), LEVELS, rtol=1e-9
    )
    assert instance_from_toml(instance_to_toml(instance)) == instance


def test_discrete_distributions_with_finitely_many_values_become_atoms():
    values, weights = one(scipy.stats.binom(3, 0.25)).prior("s").atoms
    assert values.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(weights, [27 / 64, 27 / 64, 9 / 64, 1 / 64])


def test_atoms_have_the_quantiles_of_a_step_function():
    prior = discrete([3, 1, 2], [1, 2, 5])
    values, weights = prior.atoms
    assert values.tolist() == [1, 2, 3]
    assert weights.tolist() == [0.25, 0.625, 0.125]
    levels = np.array([0.0, 0.2, 0.25, 0.26, 0.8749, 0.875, 0.9, 1.0])
    assert prior.quantile(levels).tolist() == [1, 1, 1, 2, 2, 2, 3, 3]
    assert [float(end) for end in prior.support()] == [1.0, 3.0]
    assert prior.quantile(prior.level(values)).tolist() == values.tolist()


def test_a_sample_is_its_own_grid():
    prior = empirical(SAMPLE)
    assert prior.observations == 6
    middle = (np.arange(6) + 0.5) / 6
    np.testing.assert_allclose(prior.quantile(middle), sorted(SAMPLE), rtol=1e-15)
    np.testing.assert_allclose(
        prior.quantile(LEVELS), np.quantile(SAMPLE, LEVELS, method="hazen"), rtol=1e-14
    )
    assert [float(end) for end in prior.support()] == [0.12, 0.93]
    np.testing.assert_allclose(prior.quantile(prior.level(np.array(SAMPLE))), SAMPLE, rtol=1e-14)


def test_a_sample_says_what_it_does_not_know(caplog):
    with caplog.at_level(logging.WARNING, logger="expost"):
        empirical(np.array(SAMPLE))
    assert "6 observations from 0.12 to 0.93" in caplog.text


@pytest.mark.parametrize("prior", [discrete([0, 1], [0.4, 0.6]), discrete([1, 2, 4]), empirical(SAMPLE)])
def test_data_round_trip(prior):
    instance = one(prior)
    read = instance_from_toml(instance_to_toml(instance))
    assert read == instance
    assert read.prior("s").quantile(LEVELS).tolist() == prior.quantile(LEVELS).tolist()


def test_a_file_beside_the_instance(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bids.csv").write_text("who,value\na,0.5\nb,0.25\n\nc, 1.5\n")
    text = 'name = "x"\n[[buyers]]\nname = "1"\nsignals = ["s"]\nvalue = "s"\n[priors.s]\n'
    table = 'distribution = "empirical"\nfile = "data/bids.csv"\ncolumn = "value"\n'
    (tmp_path / "x.toml").write_text(text + table)
    monkeypatch.chdir(tmp_path.parent)
    read = load(tmp_path / "x.toml")
    assert read.prior("s") == empirical([0.25, 0.5, 1.5])
    assert instance_from_toml(instance_to_toml(read)) == read


FILES = {
    "value\n": "column value of f.csv is empty",
    "": r"no column 'value' in f.csv; expected a header",
    "price\n1\n": "no column 'value' in f.csv; expected one of price",
    "value\n1\nabc\n": "'abc' in line 3 of f.csv, column value; expected a number",
    "a,value\n1,2\n3\n": "'' in line 3 of f.csv",
    "value\n1\n1\n": "2 observations, all of them 1",
    "value\n1\nnan\n": "nan among the numbers",
    "value\n\xff\n": "cannot be read",
}


@pytest.mark.parametrize("content", FILES)
def test_bad_data_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "f.csv").write_text(content, encoding="latin-1")
    table = '[priors.s]\ndistribution = "empirical"\nfile = "f.csv"\ncolumn = "value"\n'
    text = 'name = "x"\n[[buyers]]\nname = "1"\nsignals = ["s"]\nvalue = "s"\n' + table
    with pytest.raises(InputError, match=FILES[content]) as caught:
        instance_from_toml(text, folder=tmp_path)
    assert "\n" not in str(caught.value)
    assert "priors.s" in str(caught.value)


TABLES = {
    'distribution = "discrete"': "priors.s.values: no numbers",
    'distribution = "discrete"\nvalues = 3': "priors.s.values: 3; expected a list",
    'distribution = "discrete"\nvalues = ["a"]': "priors.s.values number 1: 'a'; expected a number",
    'distribution = "discrete"\nvalues = [true, 1]': "values number 1: True; expected a number",
    'distribution = "discrete"\nvalues = [1, 1]': "the value 1 twice",
    'distribution = "discrete"\nvalues = [1, nan]': "nan among the numbers",
    'distribution = "discrete"\nvalues = [1, 2]\nweights = [1]': "2 values and 1 weights",
    'distribution = "discrete"\nvalues = [1, 2]\nweights = [1, -1]': "a weight of -1",
    'distribution = "discrete"\nvalues = [1, 2]\nwieghts = [1, 1]': "unknown key 'wieghts'|number",
    'distribution = "empirical"': "no sample",
    'distribution = "empirical"\nsample = [1]': "1 observations, all of them 1",
    'distribution = "empirical"\nsample = [1, 2]\nfile = "x"': "both a sample and a file",
    'distribution = "empirical"\nfile = "missing.csv"': "missing.csv is not a file",
    'distribution = "empirical"\nfile = 3': "priors.s.file: 3; expected text",
    'distribution = "beta"\nvalues = [1]\na = 1\nb = 1': "unknown parameter 'values' of beta",
    'distribution = "ksone"\nn = 1e6': "ksone with n = 1e\\+06.*of at most 10000",
}


@pytest.mark.parametrize("table", TABLES)
def test_bad_tables_are_refused_in_one_line(table):
    text = 'name = "x"\n[[buyers]]\nname = "1"\nsignals = ["s"]\nvalue = "s"\n[priors.s]\n' + table
    with pytest.raises(InputError, match=TABLES[table]) as caught:
        instance_from_toml(text)
    assert "\n" not in str(caught.value)


class Home(scipy.stats.rv_continuous):
    """A distribution that scipy does not know by name."""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (scipy.stats.poisson(2.0), "priors.s: scipy.stats.poisson, which takes infinitely many values"),
        (scipy.stats.beta, r"scipy.stats.beta without its parameters.*scipy.stats.beta\(a, b\)"),
        (scipy.stats.beta([1, 2], 3), r"a = \[1, 2\]; expected one number"),
        (scipy.stats.beta(-1, 3), "impossible parameters of beta"),
        (scipy.stats.gaussian_kde([1.0, 2.0, 4.0]), "no distribution that scipy.stats knows by name"),
        (scipy.stats.rv_histogram(np.histogram(SAMPLE)), "no distribution that scipy.stats knows"),
        (Home(name="beta")(), "no distribution|a prior of type"),
        (3.0, "a prior of type float"),
        ("beta", "a prior of type str"),
        (Prior("discrete", {}), "unknown distribution 'discrete'"),
    ],
)
def test_what_is_no_prior(given, message):
    with pytest.raises(InputError, match=message) as caught:
        one(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: discrete([]), "discrete.values: no numbers"),
        (lambda: discrete("ab"), "discrete.values: 'ab'"),
        (lambda: discrete([[1, 2]]), r"discrete.values: \[\[1, 2\]\]"),
        (lambda: discrete([1, "a"]), "'a' among the numbers"),
        (lambda: discrete([1, 2], [1, 2, 3]), "2 values and 3 weights"),
        (lambda: discrete(range(10_001)), "10001 atoms; expected at most 10000"),
        (lambda: empirical([]), "empirical.sample: no numbers"),
        (lambda: empirical([1, float("inf")]), "inf among the numbers"),
        (lambda: empirical(np.zeros(100_001)), "100001 observations; expected at most 100000"),
    ],
)
def test_what_the_makers_refuse(make, message):
    with pytest.raises(InputError, match=message):
        make()
