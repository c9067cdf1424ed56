"""Killed at random moments while they write: what is visible is whole, and the next run clears the rest."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import expost as ex
from expost.files import write_whole

WRITER = """
import itertools, os, sys
from pathlib import Path
import expost as ex
from expost.files import write_whole

place, run, bracket = Path(sys.argv[1]), ex.open(sys.argv[2]), ex.open(sys.argv[3])


def write(number):
    for k in itertools.count():
        run.save(place / f"run-{number}-{k}")
        bracket.save(place / f"bracket-{number}-{k}")
        ex.write_instance(run.instance, place / "one.toml")
        write_whole(place / "many.bin", bytes([k % 256]) * 200_000)


print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        write(int(line))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""
"""For every line a process that saves runs, brackets and files over and over, until it is killed."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("saved")
    ex.solve("jmmz", 2).save(place / "run")
    ex.bracket("one-dimensional", 0.5).save(place / "bracket")
    return place


def hidden(place):
    return [entry.name for entry in os.scandir(place) if entry.name.startswith(".")]


def assert_whole(place):
    """Everything that one can see in the folder; it is taken away once it was looked at."""
    for entry in list(os.scandir(place)):
        path = Path(entry.path)
        if entry.name.startswith("run-"):
            assert ex.verify(path).passed
        elif entry.name.startswith("bracket-"):
            assert ex.open(path).width >= 0.0 and (path / "mechanism.json").is_file()
        elif entry.name == "one.toml":
            assert ex.load(path).name == "jmmz"
        elif entry.name == "many.bin":
            content = path.read_bytes()
            assert len(content) == 200_000 and len(set(content)) == 1


@pytest.fixture
def writer(saved, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, place, saved / "run", saved / "bracket"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    yield process, place
    process.stdin.close()
    process.wait(timeout=60)


def killed(process, number, moment):
    """One writer, killed ``moment`` seconds after it began."""
    process.stdin.write(f"{number}\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    assert process.stdout.readline() == "gone\n"


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills, saved, writer):
    process, place = writer
    rng, left, seen = random.Random(11), 0, 0
    run = ex.open(saved / "run")
    for number in range(kills):
        killed(process, number, rng.uniform(0.0, 0.25))
        left += bool(hidden(place))
        seen += len(list(place.glob("*-*")))
        assert_whole(place)
        run.save(place / f"run-next-{number}")
        ex.write_instance(run.instance, place / "one.toml")
        write_whole(place / "many.bin", bytes(200_000))
        assert hidden(place) == []
        for entry in list(place.glob("*-*")):
            shutil.rmtree(entry)
    assert kills < 100 or (left and seen), "no kill met a write: the moments are badly chosen"


@pytest.mark.slow
def test_commands_killed_at_random_moments(tmp_path):
    rng = random.Random(12)
    for number in range(40):
        line = [sys.executable, "-m", "expost", "solve", "jmmz", "--grid", "3", "--out", f"run-{number}"]
        process = subprocess.Popen(
            line, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(rng.uniform(0.0, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        assert_whole(tmp_path)
    ex.solve("jmmz", 2).save(tmp_path / "run-last")
    assert hidden(tmp_path) == []
