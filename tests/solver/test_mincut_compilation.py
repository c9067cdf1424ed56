"""Compiled code is kept, taken up again, replaced where it is stale or damaged, and nothing is compiled twice."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import reference_program

from expost import _compiled
from expost.solver.mincut import kernels
from expost.solver.mincut.backend import solve_mincut

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


def test_where_nothing_can_be_written_it_works_and_says_so(tmp_path):
    """In a process of its own: the module's cache folder is a file, and so is the user's home."""
    (tmp_path / "counting.py").write_text(SOURCE)
    (tmp_path / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    # numba takes the user's cache where the system says it is; none of these may be there
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG", "NUMBA"))}
    environment |= {"HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "import counting; print(counting.after(1), counting.after(2))"],
        cwd=tmp_path,
        env=environment,
        text=True,
        capture_output=True,
        check=True,
    )
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
