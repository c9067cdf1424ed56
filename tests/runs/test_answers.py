"""Saved answers beyond the deterministic run: reopened, re-checked without a solver, and every lie in them caught."""

import json
import shutil

import numpy as np
import pytest

import expost as ex
from expost.cli import run_command
from expost.runs.answers import HISTORY
from expost.runs.folder import digest

TWO = """
name = "two"
items = ["a", "b"]
[parameters]
k = 0.8
[[buyers]]
name = "1"
signals = ["x1", "y1"]
values = { a = "x1 + k*y1*y2", b = "y1 + 0.5*x2" }
[[buyers]]
name = "2"
signals = ["x2", "y2"]
values = { a = "x2 + k*y1*y2", b = "y2 + 0.5*x1" }
"""
FELT = {"1": {"2": "-0.1*p2"}, "2": {"1": "-0.3*p1"}}
KINDS = ("lotteries", "three", "functions", "epsilon", "items", "bayesian")
WITH_BRACKET = [*KINDS, pytest.param("bracket", marks=pytest.mark.slow)]


def made(kind, place):
    if kind == "lotteries":
        return ex.solve("lottery", 4, "sequential", lotteries=True)
    if kind == "three":
        return ex.solve("three-buyers", 2, lotteries=True)
    if kind == "functions":
        buyer = ex.Buyer("1", ["a", "b"], lambda a, b: 2 * a + b, externality=lambda a, b: -1.95 * a - 0.5)
        return ex.solve(ex.Instance("own", [buyer]), 4, "sequential", lotteries=True)
    if kind == "epsilon":
        return ex.epsilon("jmmz", 2, [0.0, 0.05], loses_to=FELT)
    if kind == "items":
        (place / "two.toml").write_text(TWO)
        return ex.items(place / "two.toml", 2, k=0.7)
    if kind == "bracket":
        return ex.lottery_bracket("lottery", accuracy=0.5, time_limit=None)
    return ex.bayesian("jmmz", 2)


class Answers(dict):
    """Answers by kind, computed and saved when first asked for."""

    def __init__(self, place):
        self.place = place

    def __missing__(self, kind):
        self[kind] = made(kind, self.place)
        self[kind].save(self.place / kind)
        return self[kind]

    def folder(self, kind):
        assert self[kind] is not None
        return self.place / kind


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    return Answers(tmp_path_factory.mktemp("answers"))


@pytest.fixture
def folder(answers, tmp_path, request):
    return shutil.copytree(answers.folder(request.param), tmp_path / request.param)


def forge(folder, **changes):
    """Change the record, and its digests to what is there."""
    path = folder / "answer.json"
    data = json.loads(path.read_text()) | changes
    data["files"] = {p.name: digest(p) for p in folder.iterdir() if p.name != path.name}
    path.write_text(json.dumps(data))


def caught(folder):
    """Whether checking ends in one line, and does not pass."""
    try:
        return not ex.verify(folder).passed
    except ex.InputError as error:
        return "\n" not in str(error)


every = pytest.mark.parametrize("folder", WITH_BRACKET, indirect=True)


@pytest.mark.parametrize("kind", WITH_BRACKET)
def test_reopened_it_says_the_same(answers, kind):
    place, found = answers.folder(kind), answers[kind]
    opened = ex.open(place)
    assert type(opened) is type(found)
    before, after = found.to_dict(), opened.to_dict()
    assert list(before) == list(after)
    assert all(before[key] == after[key] for key in before if key not in HISTORY)
    assert getattr(opened, "status", "") == getattr(found, "status", "")
    checked = ex.verify(place)
    assert checked.passed, checked.summary()
    assert run_command(["verify", str(place)]) == 0


@every
def test_every_figure_that_is_changed_is_caught(folder):
    forge(folder)
    assert not caught(folder)
    record = json.loads((folder / "answer.json").read_text())
    lies = {key: value + 0.01 for key, value in record.items() if isinstance(value, float)}
    for key in (
        "seconds",
        "ex_post_upper_bound",
        "accuracy",
        "confidence",
        "incentive_gain",
    ):  # history and words
        lies.pop(key, None)
    lies |= {"welfare": True, "instance": "another", "grid": 3, "status": "perfect", "rows": 1}
    for key in set(lies) & set(record):
        forge(folder, **{key: lies[key]})
        assert caught(folder), key
        forge(folder, **{key: record[key]})
    forge(folder, surprise=1)
    assert caught(folder)


@every
def test_a_bound_below_what_is_proved_is_never_called_proved(folder):
    record = json.loads((folder / "answer.json").read_text())
    if "upper_bound" in record:
        forge(folder, upper_bound=record["upper_bound"] - 1e-3)
    else:
        side = {name: record["upper"][name] - 0.01 for name in ("value", "estimate")}
        forge(folder, upper=record["upper"] | side, width=record["width"] - 0.01)
    assert caught(folder)


@every
def test_every_array_that_is_changed_is_caught(folder):
    path = folder / "answer.npz"
    content = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    for name, array in arrays.items():
        if name == "offsets":  # multipliers are as good elsewhere: still a bound
            continue
        changed = arrays | {name: array * 0.5 if array.dtype.kind == "f" else array + 1}
        np.savez_compressed(path, **changed)
        forge(folder)
        assert caught(folder), name
        np.savez_compressed(path, **{key: value for key, value in arrays.items() if key != name})
        forge(folder)
        assert caught(folder), name
    np.savez_compressed(path, **arrays, surprise=np.zeros(3))
    forge(folder)
    assert caught(folder)
    path.write_bytes(content[: len(content) // 2])
    forge(folder)
    assert caught(folder)


@every
def test_files_changed_missing_or_foreign_are_caught(folder):
    (folder / "note.txt").write_text("hello")
    assert caught(folder)
    (folder / "note.txt").unlink()
    table = next(folder.glob("*.csv"))
    text = table.read_text()
    table.write_text(text + text.splitlines()[-1].replace("1", "2") + "\n")
    assert caught(folder)
    forge(folder)
    assert caught(folder)
    table.write_text(text)
    forge(folder)
    assert not caught(folder)
    forge(folder, kind="nothing")
    assert caught(folder)


def test_another_instance_is_caught(answers, tmp_path):
    for kind, old, new in (
        ("lotteries", "0.05", "0.06"),
        ("epsilon", "0.3*p1", "0.2*p1"),
        ("items", "0.7", "0.6"),
        ("bayesian", "c1*c2", "c1"),
    ):
        folder = shutil.copytree(answers.folder(kind), tmp_path / kind)
        toml = folder / "instance.toml"
        text = toml.read_text()
        assert old in text, kind
        toml.write_text(text.replace(old, new))
        forge(folder)
        assert caught(folder), kind


def test_more_states_than_the_arrays_have_are_refused_before_they_are_made(answers, tmp_path):
    for kind in KINDS:
        folder = shutil.copytree(answers.folder(kind), tmp_path / kind)
        forge(folder, grid=10**6)
        assert caught(folder), kind


def test_feelings_are_saved_with_the_run(answers):
    opened = ex.open(answers.folder("epsilon"))
    assert opened.instance.buyers[0].loses_to == {"2": "-0.1*p2"}
    assert opened.instance.buyers[1].loses_to == {"1": "-0.3*p1"}


def test_runs_of_other_kinds_are_refused_by_name(answers, capsys):
    assert run_command(["explain", str(answers.folder("items"))]) == 2
    assert "ItemsRun" in capsys.readouterr().err
