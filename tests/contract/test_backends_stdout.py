"""Real processes: with --json standard output is one JSON object whatever solver is loaded; nowhere a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPOST = Path(sys.executable).parent / "expost"
GRIDS = {"privatization": 3, "jmmz": 2, "three-buyers": 2, "four-buyers": 2}
"""One to four buyers."""

BACKENDS = {
    "auto": 4,
    "mincut": 2,
    "nbuyers": 4,
    "highs": 4,
    "pdlp": 4,
    "pulp": 3,
    "pulp:HiGHS": 3,
    "cvxpy": 4,
    "cvxpy:SCIPY": 3,
}
"""The number of buyers up to which each is tried."""

EVERY = [
    ("solve", name, "--grid", str(grid), "--backend", backend)
    for backend, most in BACKENDS.items()
    for buyers, (name, grid) in enumerate(GRIDS.items(), 1)
    if buyers <= most
]
FEW = [
    ("solve", "jmmz", "--grid", "2", "--backend", "highs"),
    ("solve", "three-buyers", "--grid", "2"),
    ("solve", "three-buyers", "--grid", "2", "--backend", "highs"),
    ("solve", "three-buyers", "--grid", "2", "--backend", "pulp"),
    ("solve", "three-buyers", "--grid", "2", "--backend", "cvxpy"),
    ("solve", "four-buyers", "--grid", "2", "--backend", "pdlp"),
]
OTHERS = [
    ("compare", "three-buyers", "--grid", "2"),
    ("dominate", "three-buyers", "--prices", "t*", "--grid", "2"),
]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EXPOST, *arguments, "--json"], capture_output=True, text=True, timeout=300, check=False
    )


def assert_one_object(done: subprocess.CompletedProcess[str]) -> dict:
    assert "Traceback" not in done.stderr, done.stderr
    answer, end = json.JSONDecoder().raw_decode(done.stdout)
    assert isinstance(answer, dict) and done.stdout[end:].strip() == ""
    return answer


@pytest.mark.parametrize(
    "arguments", [*FEW, *(pytest.param(case, marks=pytest.mark.slow) for case in OTHERS)], ids=" ".join
)
def test_json_is_all_there_is_on_standard_output(arguments):
    done = ran(*arguments)
    assert done.returncode == 0, done.stderr
    assert_one_object(done)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_every_backend_and_number_of_buyers(arguments):
    done = ran(*arguments)
    assert done.returncode == 0, done.stderr
    answer = assert_one_object(done)
    reference = assert_one_object(ran(*arguments[:4]))
    if arguments[-1] != "pdlp":
        assert answer["status"] == "optimal"
        assert answer["welfare"] == pytest.approx(reference["welfare"], abs=1e-9)
    assert answer["upper_bound"] >= reference["welfare"] - 1e-9


UNGUARDED = """
import multiprocessing
import joblib, numpy as np
from support.programs import random_program
from expost.solver.backends import solve_program


def welfare(seed):
    program = random_program(np.random.default_rng(seed), 3, 3)
    return round(program.value(solve_program(program, "highs").x), 9)


def answer(seed, queue):
    queue.put(welfare(seed))


here = [welfare(seed) for seed in range(4)]
assert joblib.Parallel(n_jobs=2)(joblib.delayed(welfare)(seed) for seed in range(4)) == here
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=answer, args=(1, queue), daemon=True)
process.start()
assert queue.get(timeout=60) == here[1]
process.join()
print(here)
"""


def test_workers_of_joblib_daemons_and_scripts_without_a_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert done.returncode == 0 and done.stderr == ""
    assert len(json.loads(done.stdout)) == 4
    assert not list(tmp_path.glob("expost-*"))
