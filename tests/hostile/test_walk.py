"""Hostile inputs over all commands and the front door: one line, the right exit code, nothing half-written."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.hostile import ANY, COMMANDS, all_cases
from support.hostile_calls import all_calls

import expost as ex
from expost.cli import run_command

CASES, CALLS = {case.name: case for case in all_cases()}, all_calls()
LONGEST = 2100
"""Characters of a line that says what is wrong."""
PATIENCE = 120
"""Seconds after which an input is taken to hang."""
STEP = 31
"""Every so many inputs are tried by default."""


def some(names):
    """All of them, most only among the long validations."""
    return [
        pytest.param(name, marks=() if k % STEP == 0 else pytest.mark.slow) for k, name in enumerate(names)
    ]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("saved")
    ex.solve("jmmz", 2).save(place / "static")
    return place


@pytest.fixture
def alarm():
    """End what hangs; only where the main thread is ours."""

    def hangs(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def contents(folder):
    """What lies in a folder: every name, and the bytes of every regular file."""
    return {
        entry.name: Path(entry).read_bytes() if entry.is_file(follow_symlinks=False) else None
        for entry in os.scandir(folder)
    }


def assert_refused(errors):
    assert errors.count("\n") == 1 and errors.startswith("expost: ") and len(errors) <= LONGEST
    assert errors[:-1].isprintable()


def assert_options_are_the_commands(errors, name):
    """A line that names an option names one that the command has."""
    import typer

    from expost.cli import app

    command = typer.main.get_command(app)
    own = command.commands.get(name, command).params
    if errors.startswith("expost: --"):
        option = re.split(r"[:=\s]", errors.removeprefix("expost: "), maxsplit=1)[0]
        assert option in {opt for parameter in own for opt in parameter.opts}, errors


def arguments_of(case, saved):
    return [word.replace("{static}", str(saved / "static")) for word in case.arguments]


def judge(case, code, out, errors, before, after):
    """What holds for every command line: the exit code, one line, nothing left behind."""
    assert code in case.codes, errors
    assert "Traceback" not in errors
    if code in (2, 3):
        assert out == ""
        assert_refused(errors)
        assert_options_are_the_commands(errors, case.arguments[0])
        assert after == before
    assert not [name for name in after if name.startswith(".") and name not in before]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", some(CASES))
def test_every_hostile_command_line(name, saved, tmp_path, monkeypatch, capfd, alarm):
    case = CASES[name]
    monkeypatch.chdir(tmp_path)
    case.lay(tmp_path)
    before = contents(tmp_path)
    code = run_command(arguments_of(case, saved))
    captured = capfd.readouterr()
    judge(case, code, captured.out, captured.err, before, contents(tmp_path))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", some(CALLS))
def test_every_hostile_call(name, tmp_path, monkeypatch, alarm):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ex.InputError) as caught:
        CALLS[name]()
    assert len(str(caught.value)) <= LONGEST and str(caught.value).isprintable()
    assert not list(tmp_path.iterdir())


def real(case):
    """Whether an argument can be passed to a process at all."""
    return not any("\0" in word or len(word) > 100_000 or "\udcff" in word for word in case.arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if real(case)][::19])
def test_some_in_processes_of_their_own(name, saved, tmp_path):
    case = CASES[name]
    case.lay(tmp_path)
    before = contents(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "expost", *arguments_of(case, saved)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE,
        check=False,
    )
    judge(case, done.returncode, done.stdout, done.stderr, before, contents(tmp_path))


def test_every_command_is_walked():
    import typer

    from expost.cli import app

    commands = set(typer.main.get_command(app).commands) - {"report"}
    assert commands == set(COMMANDS) and len(CASES) > 1000 and len(CALLS) > 300
    assert sum(case.codes == ANY for case in CASES.values()) < 250
    for name in commands:
        assert sum(case.arguments[0] == name for case in CASES.values()) > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_changed_works_as_it_stands(name, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = [word.replace("{static}", str(saved / "static")) for word in COMMANDS[name]]
    assert run_command(line) == 0
