"""Instance files: what is written reads back as it was, and bad files are refused in one line."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expost.errors import InputError
from expost.instances import (
    Buyer,
    Instance,
    Prior,
    catalogue,
    instance_from_toml,
    instance_to_toml,
    load,
    random_instance,
    read_instance,
    write_instance,
)

BASE = 'name = "x"\n[[buyers]]\nname = "1"\nsignals = ["p1", "c1"]\nvalue = "p1 + c1"\n'


@pytest.mark.parametrize("name", catalogue.names())
def test_the_catalogue_round_trips(name):
    instance = catalogue.load(name)
    assert instance_from_toml(instance_to_toml(instance)) == instance


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["general", "linear", "private", "ties"]),
    st.sampled_from(["uniform", "beta", "conditional"]),
    st.booleans(),
    st.booleans(),
)
def test_random_instances_round_trip(seed, buyers, signals, family, priors, seller, externalities):
    instance = random_instance(seed, buyers=buyers, signals=signals, family=family, priors=priors,
                               seller=seller, externalities=externalities)  # fmt: skip
    assert instance_from_toml(instance_to_toml(instance)) == instance


TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
PRINTABLE = st.builds(
    "{}{}".format,
    st.sampled_from("aZ9_é漢🙂$[%"),
    st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=29),
)
"""Printable by how they are made: filters reject too much on some days."""


@settings(max_examples=100, deadline=None)
@given(PRINTABLE, TEXT, PRINTABLE, st.floats(0.001, 1e6), st.floats(-1e90, 1e90), st.booleans())
def test_any_names_and_numbers_round_trip(name, citation, buyer, scale, number, staged):
    instance = Instance(
        name,
        (
            Buyer(
                buyer, ("p", "c"), number, externality="c\n + p", stages=(("c",), ("p",)) if staged else None
            ),
        ),
        {"p": Prior("uniform", {"scale": scale}), "c": Prior()},
        seller=number,
        citation=citation,
    )
    assert instance_from_toml(instance_to_toml(instance)) == instance


def test_numbers_stand_for_formulas():
    text = BASE.replace('"p1 + c1"', "3") + "externality = 0.5\n[seller]\nvalue = 1\n"
    instance = instance_from_toml(text)
    assert (instance.buyers[0].value, instance.buyers[0].externality, instance.seller) == (
        "3.0",
        "0.5",
        "1.0",
    )


PROBLEMS = {
    "": "f.toml: nothing in it",
    " \n": "f.toml: nothing in it",
    "name = ": "malformed TOML: .*line|malformed TOML: Invalid value",
    "x = " + "[" * 5000: "nested too deeply|malformed",
    "x = " + "9" * 5000: "malformed",
    "x = 1": r"top level: no key 'name' \(and 2 more\)",
    'name = "x"': "top level: no key 'buyers'",
    'name = "x"\nbuyers = 3': "buyers: 3; expected a list",
    'name = "x"\nbuyers = []': r"buyers: \[\]; expected at least one",
    'name = "x"\nbuyers = [3]': "buyers number 1: 3; expected a table",
    BASE.replace('name = "x"', "name = 3"): "f.toml: name: 3; expected a name to print",
    BASE.replace('name = "x"', 'name = ""'): "f.toml: name: ''",
    BASE.replace(
        'name = "x"', 'name = "x"\nsignal = 3'
    ): "top level: unknown key 'signal'; expected only name",
    BASE.replace('name = "x"', 'name = "x"\ncitation = 3'): "citation: 3; expected text",
    BASE.replace('["p1", "c1"]', '"p1"'): "buyers number 1: signals: 'p1'; expected a list",
    BASE.replace('["p1", "c1"]', "[]"): r"buyers number 1: signals: \[\]; expected at least one",
    BASE.replace('["p1", "c1"]', '["p1", 3]'): "buyers number 1: signals number 2: 3",
    BASE.replace('["p1", "c1"]', '["p1", "p1", "c1"]'): "signal 'p1' is declared twice",
    BASE.replace('["p1", "c1"]', '["p1"]'): "buyer 1: value: uses 'c1', which no buyer observes",
    BASE.replace('"p1 + c1"', "true"): "buyers number 1: value: True; expected formula text or a number",
    BASE.replace('"p1 + c1"', "[1]"): r"value: \[1\]; expected formula text or a number",
    BASE.replace('"p1 + c1"', "9" * 400): "value: an astronomically large number",
    BASE.replace('"p1 + c1"', "nan"): "value: the number nan",
    BASE.replace('"p1 + c1"', '"p1.real"'): "buyers number 1: value: an attribute at column 1",
    BASE + 'valu = "p1"': "buyers number 1: unknown key 'valu'; .*did you mean 'value'",
    BASE + "stages = 3": "stages: 3; expected a list",
    BASE + 'stages = ["p1", "c1"]': r"stages number 1: 'p1' \(and 1 more\); expected a list",
    BASE + 'stages = [["p1"]]': "buyer 1: stages: stages of p1; expected each of .* exactly once",
    BASE + "[seller]\nvalu = 3": "seller: unknown key 'valu'",
    BASE + '[seller]\nvalue = "zz"': "seller: value: uses 'zz'",
    BASE + "[priors]\np1 = 3": "priors.p1: 3; expected a table",
    BASE + "[priors.p1]\ndistribution = 3": "priors.p1.distribution: 3",
    BASE + '[priors.p1]\ndistribution = "beta"\na = 1': "priors.p1: beta without b",
    BASE + "[priors.p1]\nscale = true": "priors.p1.scale: True",
    BASE + "[priors.p1]\nscale = -1.0": "priors.p1: impossible parameters of uniform: scale = -1",
    BASE + "[priors.q]\nscale = 1.0": "priors.q: a prior of 'q', which no buyer observes",
    BASE + '[priors.p1]\nscale = "1/"': "priors.p1.scale: a syntax error",
    BASE + '[priors.p1]\nscale = "c1"': "priors.p1: depends on 'c1'",
}


@pytest.mark.parametrize("text", PROBLEMS)
def test_every_problem_of_a_text_is_one_line(text):
    with pytest.raises(InputError, match=PROBLEMS[text]) as caught:
        instance_from_toml(text, where="f.toml")
    assert str(caught.value).startswith("f.toml: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_all_problems_are_counted():
    text = 'name = 3\nfoo = 1\n[seller]\nvalue = "foo()"\n[[buyers]]\nname = "1"\nsignals = ["p"]\nvalue = "p +"\n'
    with pytest.raises(InputError, match=r"\(and 3 more\)"):
        instance_from_toml(text)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(BASE)), st.integers(0, 30), st.text(max_size=5))
def test_damaged_text_is_an_instance_or_is_refused(start, length, insert):
    text = BASE[:start] + insert + BASE[start + length :]
    try:
        assert isinstance(instance_from_toml(text), Instance)
    except InputError as error:
        assert "\n" not in str(error)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_binary_files_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("binary") / "x.toml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_instance(path)


def test_unusable_files(tmp_path):
    (tmp_path / "empty.toml").touch()
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    (tmp_path / "large.toml").write_bytes(b"#" * 4_000_001)
    os.mkfifo(tmp_path / "pipe.toml")
    for name, reason in (
        ("missing.toml", "no such file"),
        ("", "not a file"),
        ("pipe.toml", "not a file"),
        ("empty.toml", "nothing in it"),
        ("latin.toml", "byte 9 is not UTF-8 text"),
        ("large.toml", "more than 4000000 bytes"),
        ("x" * 300 + ".toml", "no such file|cannot be read"),
        ("a\x00b.toml", "no such file|cannot be read"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            read_instance(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert read_instance(path).signals == ("p1", "c1")


def test_names_of_the_catalogue_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("jmmz") == catalogue.load("jmmz")
    write_instance(random_instance(4), tmp_path / "jmmz")
    assert load("./jmmz") == load(tmp_path / "jmmz") == random_instance(4)
    assert load("jmmz") == catalogue.load("jmmz")
    with pytest.raises(InputError, match=r"no instance 'jmmx' in the catalogue.*did you mean 'jmmz'"):
        load("jmmx")
    with pytest.raises(InputError, match="no such file"):
        load("jmmx.toml")


def test_writing_replaces_at_once_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    path = tmp_path / "x.toml"
    write_instance(catalogue.load("jmmz"), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="Python callable"):
        write_instance(Instance("x", (Buyer("1", ("p",), lambda p: p),)), path)
    monkeypatch.setattr(os, "fsync", _full_disk)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        write_instance(random_instance(1), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.toml"]


def _full_disk(descriptor):
    raise OSError(28, "No space left on device")


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("folder", "missing/x.toml", "x" * 300):
        with pytest.raises(InputError, match="cannot be written"):
            write_instance(catalogue.load("jmmz"), tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_writer_killed_at_any_moment_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.toml"
    write_instance(catalogue.load("jmmz"), path)
    code = (
        "import os, sys; from expost.instances import random_instance, write_instance\n"
        "os.fsync = lambda descriptor: os._exit(9)\n"
        "write_instance(random_instance(1), sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert read_instance(path) == catalogue.load("jmmz")
