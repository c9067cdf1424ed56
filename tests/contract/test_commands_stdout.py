"""Real processes: every command that prints figures prints one JSON object and nothing else, for one to four buyers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import expost as ex

EXPOST = Path(sys.executable).parent / "expost"
BUYERS = {"privatization": 1, "jmmz": 2, "three-buyers": 3, "four-buyers": 4}


def high(name, first="1"):
    """Prices at which only the first buyer ever buys, as one types them."""
    buyers = [buyer.name for buyer in ex.load(name).buyers]
    return "; ".join([f"{buyers[0]}: {first}", *(f"{buyer}: 99" for buyer in buyers[1:])])


OF_INSTANCES = {
    "instances": lambda name, n: ["instances", name],
    "solve": lambda name, n: ["solve", name, "--grid", "2"],
    "lotteries": lambda name, n: ["solve", name, "--grid", "2", "--lotteries"],
    "bracket": lambda name, n: ["bracket", name, "--accuracy", "0.5", "--time-limit", "10"],
    "compare": lambda name, n: ["compare", name, "--grid", "2", "--brackets", "0"],
    "check": lambda name, n: ["check", name, "--prices", high(name), "--grid", "2"],
    "fit": lambda name, n: [
        "fit",
        name,
        "--prices",
        high(name, "1 + a"),
        "--over",
        "a=0:0.5",
        "--time-limit",
        "10",
    ],
    "dominate": lambda name, n: ["dominate", name, "--prices", high(name) if n == 1 else "t*", "--grid", "2"],
    "sweep": lambda name, n: ["sweep", name, "--grid", "1|2"],
    "frontier": lambda name, n: ["frontier", name, "--grid", "2", "--points", "3"],
    "bayesian": lambda name, n: ["bayesian", name, "--grid", "2"],
    "epsilon": lambda name, n: ["epsilon", name, "--grid", "1", "--epsilon", "0,0.1"],
}
ALONE = {
    "catalogue": ["instances"],
    "items": ["items", "example3-unit-demand", "--grid", "1"],
    "validate": ["validate", "B-Lemma-1", "Z-Claim-1", "B-Example-3", "--quick"],
    "sequential bracket": ["bracket", "privatization", "--timing", "sequential", "--accuracy", "0.2"],
}
OF_RUNS = {name: [name, "{run}"] for name in ("verify", "explain", "simplify")}
QUICK = {"check jmmz", "sweep three-buyers", "items"}
"""Tried by default."""


def cases():
    for command, line in OF_INSTANCES.items():
        for name, buyers in BUYERS.items():
            yield f"{command} {name}", line(name, buyers)
    yield from ALONE.items()


def ran(*arguments, cwd):
    return subprocess.run(
        [EXPOST, *arguments], capture_output=True, text=True, timeout=500, check=False, cwd=cwd
    )


def the_object(done):
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr, done.stderr
    answer, end = json.JSONDecoder(parse_constant=pytest.fail).raw_decode(done.stdout)
    assert isinstance(answer, dict) and done.stdout[end:].strip() == ""
    return answer


@pytest.mark.parametrize(
    ("name", "line"),
    [pytest.param(*case, marks=() if case[0] in QUICK else pytest.mark.slow, id=case[0]) for case in cases()],
)
def test_one_object(name, line, tmp_path):
    assert the_object(ran(*line, "--json", cwd=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "buyers"), BUYERS.items())
def test_of_a_saved_run(name, buyers, tmp_path):
    the_object(ran("solve", name, "--grid", "2", "--out", "run", "--json", cwd=tmp_path))
    lines = [line for command, line in OF_RUNS.items() if command != "simplify" or name == "jmmz"]
    for line in lines:
        the_object(ran(*(word.format(run="run") for word in line), "--json", cwd=tmp_path))
    the_object(ran("menu", "run", "--format", "json", cwd=tmp_path))
    the_object(ran("dominate", "--run", "run", "--json", cwd=tmp_path))
    for line in (["plot", "run", "--out", "x.svg"], ["page", "run", "--out", "x.html"]):
        done = ran(*line, cwd=tmp_path)
        assert done.returncode == 0 and done.stdout == "" and "Traceback" not in done.stderr, done.stderr


def test_every_command_with_json_is_here():
    import typer

    from expost.cli import app

    commands = typer.main.get_command(app).commands
    able = {name for name, command in commands.items() if any("--json" in p.opts for p in command.params)}
    lines = [line for _, line in cases()] + list(OF_RUNS.values())
    assert {line[0] for line in lines} >= able
