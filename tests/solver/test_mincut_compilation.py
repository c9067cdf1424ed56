"""Compiled code is kept, taken up again, replaced where it is stale or damaged, and nothing is compiled twice."""

import importlib.util
import inspect
import math
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.programs import max_program, reference_program

import expost as ex
from expost import _compiled, _limits
from expost.errors import LimitReached
from expost.solver.mincut import backend, kernels
from expost.solver.mincut.backend import solve_mincut
from expost.solver.nearby import Nearby
from expost.solver.result import Status

SOURCE = """
from expost._compiled import compiled

STEP = 1

@compiled()
def after(x):
    return x + STEP
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of one compiled function; loads it anew at each call, as a new process would."""
    monkeypatch.setattr(_compiled, "_announced", set())
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    path = tmp_path / "counting.py"
    path.write_text(SOURCE)

    def load():
        spec = importlib.util.spec_from_file_location("counting", path)
        assert spec is not None and spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    load.path = path
    return load


def test_code_is_compiled_once_and_said_so_once(module, capsys):
    first, again = module(), module()
    assert first.after(1) == again.after(1) == 2
    assert capsys.readouterr().err == _compiled.NOTICE + "\n"
    assert not again.after.stats.cache_misses
    assert sum(again.after.stats.cache_hits.values()) == 1


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [0, 10, 0.5, 0.99])
def test_a_truncated_cache_is_compiled_anew(module, capsys, suffix, left):
    module().after(1)
    (file,) = (module.path.parent / "__pycache__").glob(f"*.{suffix}")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(left * len(whole)) if left < 1 else left])
    damaged = module()
    assert damaged.after(1) == 2
    assert damaged.after.stats.cache_misses
    mended = module()
    assert mended.after(1) == 2
    assert mended.after.stats.cache_hits


def test_a_changed_file_is_compiled_anew(module, monkeypatch):
    monkeypatch.setattr(
        "sys.dont_write_bytecode", True
    )  # Python's own cache would not see a change within a second
    module().after(1)
    # as long as before, only the constant that is compiled into the code is another one
    module.path.write_text(SOURCE.replace("STEP = 1", "STEP = 5"))
    assert module().after(1) == 6


def test_a_full_disk_does_not_stop_the_computation(module, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    assert module().after(1) == 2


@pytest.fixture
def nowhere(tmp_path):
    """Runs a program beside the module in its own process; its cache folder is a file, and so is the user's home."""
    (tmp_path / "counting.py").write_text(SOURCE)
    (tmp_path / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    # numba takes the user's cache where the system says it is; none of these may be there
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG", "NUMBA"))}
    environment |= {"HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(program, **more):
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=environment | more,
            text=True,
            capture_output=True,
            check=True,
        )

    return run


def test_where_nothing_can_be_written_it_works_and_says_so(nowhere):
    done = nowhere("import counting; print(counting.after(1), counting.after(2))")
    assert done.stdout.split() == ["2", "3"]
    assert done.stderr == _compiled.UNCACHED + "\n"


def test_no_kernel_has_two_signatures():
    """A second signature would be compiled at a user's second solve, unannounced."""
    solve_mincut(reference_program())
    kept = [f for f in vars(kernels).values() if isinstance(getattr(f, "_cache", None), _compiled.KeptCache)]
    assert len(kept) > 5
    assert all(len(kernel.signatures) <= 1 for kernel in kept)


def test_all_that_is_inlined_is_in_the_same_file():
    inlined = [f for f in vars(kernels).values() if hasattr(f, "py_func")]
    assert {Path(f.py_func.__code__.co_filename) for f in inlined} == {Path(kernels.__file__)}


@pytest.fixture
def asked(monkeypatch):
    """The deadlines that were handed to the process that compiles, which never gets ready."""
    deadlines = []

    def never(function, signature, deadline, folder=None):
        deadlines.append(deadline)
        return False

    monkeypatch.setattr("expost._compiler.compile_elsewhere", never)
    return deadlines


def test_compiling_keeps_to_the_limit_of_the_call(module, asked):
    begun = time.monotonic()
    with _limits.within(50.0), pytest.raises(LimitReached, match="compiling"):
        module().after(1)
    (deadline,) = asked
    assert begun + 50.0 <= deadline <= time.monotonic() + 50.0
    assert module().after(1) == 2  # without a limit it is compiled here
    with _limits.within(50.0):
        assert module().after(1) == 2  # and with one it is there
    assert len(asked) == 1


def test_the_limit_goes_along_to_other_threads_and_processes(asked, module):
    with _limits.within(50.0):
        carried = _limits.Carried(module().after)
        sent = pickle.loads(pickle.dumps(_limits.Carried(_limits.until)))
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(LimitReached, match="compiling"):
            pool.submit(carried, 1).result()
        assert 0.0 < pool.submit(sent).result() - time.monotonic() <= 50.0
        assert pool.submit(_limits.until).result() == math.inf


def test_a_call_within_another_has_no_more_time_than_that():
    with _limits.within(50.0):
        outer = _limits.until()
        with _limits.within(500.0):
            assert _limits.until() == outer
        with _limits.within(5.0):
            assert _limits.until() < outer
        assert _limits.until() == outer


def test_where_no_interpreter_can_be_started_it_is_compiled_here(module, monkeypatch):
    monkeypatch.setattr("expost._compiler._child", None)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with _limits.within(500.0):
        assert module().after(1) == 2


def test_every_call_with_a_limit_says_it_to_whoever_compiles():
    @_limits.limited
    def call(what, time_limit=20.0):
        return _limits.until() - time.monotonic()

    assert 19.0 < call(0) <= 20.0 and 49.0 < call(0, time_limit=50.0) <= 50.0
    assert call(0, None) == call(0, "soon") == math.inf  # which the call itself refuses
    known = [getattr(ex, name) for name in ex.__all__]
    calls = [f for f in known if inspect.isroutine(f) and "time_limit" in inspect.signature(f).parameters]
    assert len(calls) >= 10
    assert [f.__name__ for f in calls if getattr(f, "__code__", None) is not call.__code__] == []


def test_wrong_arguments_are_refused_in_the_words_of_the_call():
    with pytest.raises(TypeError, match=r"solve\(\) missing"):
        ex.solve("jmmz", time_limit=1.0)


def test_what_answers_at_a_limit_is_compiled_before_the_limit(monkeypatch):
    """All that a solve calls when it is stopped has been called before it begins."""
    called = []
    for name, kernel in list(vars(kernels).items()):
        if isinstance(getattr(kernel, "_cache", None), _compiled.KeptCache):

            def tell(*given, name=name, kernel=kernel):
                called.append(name)
                return kernel(*given)

            monkeypatch.setattr(kernels, name, tell)
    solve = backend._solve

    def told(*given):
        called.append("solve")
        return solve(*given)

    monkeypatch.setattr(backend, "_solve", told)
    weights = np.array([1.0, -1.0, 5.0, -3.0, 5.0, -5.0, 1.0, 1.0])
    program = reference_program().reweighted(weights, 0.0)  # is not solved by the first look
    rule = np.array([0, 0, 0, 0, 0, 0, 1, 0], dtype=np.int8)
    alike = max_program(2, 4)
    near = Nearby(np.full(len(alike.packing), 0.01), rule=solve_mincut(alike).x)
    cases = [(program, None), (program, Nearby(np.full(4, 0.1), rule=rule)), (alike, None), (alike, near)]
    for program, start in cases:
        backend._rehearse.cache_clear()
        called.clear()
        assert solve_mincut(program, time_limit=1e-9, nearby=start).status is Status.TIME_LIMIT
        here = called.index("solve", 1)
        built = called.index("start", here)
        assert "close_up" in called[built:] and set(called[built:]) <= set(called[:here])
    assert "reflect" in called[built:]


@pytest.mark.slow
def test_another_process_compiles_for_a_call_with_a_limit(module, capsys):
    with _limits.within(60.0):
        assert module().after(1) == 2
    there = module()
    assert there.after(1) == 2
    assert there.after.stats.cache_hits
    assert capsys.readouterr().err == _compiled.NOTICE + "\n"


@pytest.mark.slow
def test_with_a_limit_and_nothing_to_write_to(tmp_path, nowhere):
    """What the other process compiles is handed over in a temporary folder, which is gone in the end."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    program = (
        "import counting\nfrom expost._limits import within\nwith within(60.0): print(counting.after(1))\n"
    )
    program += "print(sum(counting.after.stats.cache_hits.values()))"
    done = nowhere(program, TMPDIR=str(scratch))
    assert done.stdout.split() == ["2", "1"]
    assert done.stderr == _compiled.UNCACHED + "\n"
    assert not list(scratch.iterdir())


STOPPED = "the limit came while expost was still compiling"
COMMANDS = {
    "solve": ("solve jmmz --grid 16", 3),
    "sequential": ("solve jmmz --grid 6 --timing sequential --first c1,c2", 3),
    "three buyers": ("solve three-buyers --grid 3", 3),
    "highs": ("solve jmmz --grid 6 --backend highs", 0),
    "bracket": ("bracket jmmz --accuracy 0.04", 0),
    "compare": ("compare jmmz --grid 6 --brackets 0", 0),
    "check": ("check jmmz --prices example2", 0),
    "fit": ("fit jmmz --prices 1:p2+a*c2**2;2:p1+a*c1**2 --over a=0.5:1.5", 0),
    "dominate": ("dominate jmmz --prices t* --grid 6", 3),
    "sweep": ("sweep jmmz --grid 3|4 --timing static", 1),
}


@pytest.mark.slow
@pytest.mark.parametrize(("line", "code"), COMMANDS.values(), ids=COMMANDS)
def test_a_fresh_installation_keeps_limits(line, code, tmp_path):
    """Two seconds, which compiling takes several times: of the clock, so only true of a machine with time for it."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "expost", *line.split(), "--time-limit", "2"],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
        text=True,
        capture_output=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    cases = 2 if line.startswith("sweep") else 1  # each has its own limit
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert (STOPPED in done.stderr) == (code != 0)
    assert seconds < 1.5 + cases * (2 * 1.1 + 2.0)  # Python itself and its imports are not the call


@pytest.mark.slow
def test_every_call_gets_on_however_short_its_limit(tmp_path):
    codes = []
    while 0 not in codes:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "expost",
                *["solve", "jmmz", "--grid", "4", "--time-limit", "1", "--out", "run"],
            ],
            cwd=tmp_path,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            text=True,
            capture_output=True,
            check=False,
        )
        codes.append(done.returncode)
        assert len(codes) < 60 and "Traceback" not in done.stderr
    assert len(codes) > 1 and set(codes) == {0, 3}
