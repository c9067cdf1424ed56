"""Foreign solvers in processes of their own: silence, limits, threads, Ctrl-C, death on either side."""

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from expost.errors import InputError, SolverError
from expost.solver import processes
from expost.solver.processes import call, prepare

IMPORTING = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
"""For processes of their own, which run tasks of ``support``."""


def task(name: str, /, **options):
    return call(f"support.tasks:{name}", who="tester", **options)


def gone(number: int, seconds: float = 5.0) -> bool:
    """Whether a process has ended, or does so soon."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_whatever_a_task_prints_stays_over_there_and_descriptors_stay_as_they_are(capfd):
    before = [os.fstat(number) for number in (0, 1, 2)]
    stream = sys.stdout
    assert task("shout").answer != os.getpid()
    assert sys.stdout is stream and [os.fstat(number) for number in (0, 1, 2)] == before
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""


def test_arrays_go_there_and_back():
    for array in (np.arange(300_000.0), np.empty((0, 2)), np.arange(12).reshape(3, 4)[:, ::2]):
        answer = task("echo", array=array, times=3).answer
        np.testing.assert_array_equal(answer, 3 * array)
        answer += 1  # ours to write to


def test_a_worker_is_used_again():
    prepare()
    assert task("shout").answer == task("shout").answer


def test_the_environment_of_the_moment_counts(monkeypatch):
    monkeypatch.setenv("EXPOST_TEST_WORD", "one")
    assert task("variable", name="EXPOST_TEST_WORD").answer == "one"
    monkeypatch.delenv("EXPOST_TEST_WORD")
    assert task("variable", name="EXPOST_TEST_WORD").answer is None


@pytest.mark.parametrize("name", ["hang", "hold"])
def test_a_task_that_ignores_its_limit_is_ended_with_its_children_and_nobody_else_is(name):
    mine = subprocess.Popen(["sleep", "600"])
    try:
        told = []
        reply = task(name, seconds=1.5, heard=told.append)
        assert reply.ended and reply.stopped == "time limit" and reply.answer is None
        assert all(gone(number) for number in told[0])
        later = subprocess.Popen(["sleep", "600"])  # nor is anybody ended afterwards
        time.sleep(0.3)
        assert later.poll() is None and mine.poll() is None
        later.kill()
        later.wait()
    finally:
        mine.kill()
        mine.wait()


@pytest.mark.slow
def test_a_task_that_ignores_its_limit_is_ended_within_a_tenth_and_two_seconds():
    begun = time.monotonic()
    task("hang", seconds=1.5)
    assert time.monotonic() - begun < 1.5 * 1.1 + 2.0


def test_a_task_that_stops_when_told_is_heard_and_kept():
    told = []
    reply = task("obey", seconds=0.8, heard=told.append)
    assert reply.answer == "so far" and reply.stopped == "time limit" and not reply.ended
    assert task("shout").answer == told[0][0]


def test_two_tasks_run_at_once_in_two_threads(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        pair = [
            pool.submit(task, "meet", folder=str(tmp_path), me=k, other=1 - k, seconds=60.0) for k in (0, 1)
        ]
        assert all(0.0 < future.result(timeout=60).answer < 60.0 for future in pair)


def test_where_no_interpreter_can_be_started_it_is_said(monkeypatch):
    """A frozen application would start itself again."""
    monkeypatch.setattr(processes, "_WAITING", [])
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(SolverError, match="no process for a solver could be started: no Python interpreter"):
        task("shout")


def test_failures_are_the_solvers_and_the_next_task_works():
    with pytest.raises(SolverError, match=r"tester died \(SIGSEGV\)"):
        task("die")
    with pytest.raises(SolverError, match="tester died: ZeroDivisionError: nothing to divide"):
        task("fail")
    with pytest.raises(InputError, match="backend: a stone; expected bread") as refused:
        task("refuse")
    assert refused.value.where == "backend"
    with pytest.raises(SolverError, match="no_such_module"):
        call("no_such_module:task", who="tester")
    assert task("shout").answer


def test_what_the_caller_raises_meanwhile_ends_the_task():
    told = []

    def idle() -> bool:
        if told:
            raise LookupError("mine")
        return True

    with pytest.raises(LookupError, match="mine"):
        task("hang", heard=told.append, idle=idle)
    assert all(gone(number) for number in told[0])


@pytest.mark.parametrize(("name", "answer"), [("obey", "so far"), ("hang", None)])
def test_ctrl_c_asks_for_what_there_is_and_restores_the_handler(name, answer):
    handler = signal.getsignal(signal.SIGINT)
    told = []

    def heard(note):
        told.append(note)
        _thread.interrupt_main()

    reply = task(name, heard=heard)
    assert reply.stopped == "interrupted" and reply.answer == answer
    assert signal.getsignal(signal.SIGINT) is handler
    assert answer is not None or all(gone(number) for number in told[0])


def test_a_second_ctrl_c_raises_at_once():
    told = []

    def heard(note):
        told.append(note)
        _thread.interrupt_main()
        threading.Timer(0.3, _thread.interrupt_main).start()

    with pytest.raises(KeyboardInterrupt):
        task("hang", heard=heard, seconds=60.0)
    assert all(gone(number) for number in told[0])


def test_a_handler_of_somebody_else_is_left_alone():
    calls = []
    found = signal.signal(signal.SIGINT, lambda *_: calls.append(1))
    mine = signal.getsignal(signal.SIGINT)
    try:
        reply = task("obey", seconds=1.0, heard=lambda _: _thread.interrupt_main())
        assert signal.getsignal(signal.SIGINT) is mine and calls == [1] and reply.stopped == "time limit"
    finally:
        signal.signal(signal.SIGINT, found)


PARENT = """
import sys
from expost.solver.processes import call
call("support.tasks:" + sys.argv[1], who="tester", heard=lambda note: print(*note, flush=True))
"""


@pytest.mark.parametrize("name", ["hang", "hold", "obey"])
def test_a_worker_dies_with_its_parent_and_leaves_nothing(name, tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, name],
        stdout=subprocess.PIPE,
        env=IMPORTING | {"TMPDIR": str(tmp_path)},
    )
    numbers = [int(word) for word in parent.stdout.readline().split()]
    assert numbers and list(tmp_path.iterdir())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert all(gone(number) for number in numbers)
    if name != "hold":
        assert list(tmp_path.iterdir()) == []


ENDING = """
import sys
from expost.solver.processes import call
print(call("support.tasks:shout", who="tester").answer)
"""


CLOSED = """
import os, sys
for number in (0, 1, 2):
    os.close(number)
from expost.solver.processes import call
answer = call("support.tasks:echo", who="tester", array=20, times=2).answer
os._exit(answer)
"""


def test_standard_streams_may_be_closed():
    done = subprocess.run([sys.executable, "-c", CLOSED], timeout=60, check=False, env=IMPORTING)
    assert done.returncode == 40


def test_a_program_ends_without_a_word_and_without_its_workers(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", ENDING],
        capture_output=True,
        text=True,
        timeout=60,
        env=IMPORTING | {"TMPDIR": str(tmp_path)},
        check=True,
    )
    assert done.stderr == "" and gone(int(done.stdout)) and list(tmp_path.iterdir()) == []


def test_a_forked_process_has_workers_of_its_own():
    first = task("shout").answer
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(task("shout").answer).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    second = int(os.read(reading, 100))
    os.close(reading)
    assert second != first and gone(second)
    assert task("shout").answer == first
