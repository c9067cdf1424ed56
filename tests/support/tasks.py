"""Tasks for workers: what foreign solvers do at their worst."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from expost.errors import InputError


def shout(line) -> int:
    """Write to every stream there is; the answer is the process's number."""
    print("python", flush=True)
    print("python", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError):
        os.write(1, b"c level\n")
        os.write(2, b"c level\n")
    subprocess.run(["echo", "a child"], check=True)
    return os.getpid()


def echo(line, *, array: np.ndarray, times: int) -> np.ndarray:
    return array * times


def variable(line, *, name: str) -> str | None:
    return os.environ.get(name)


def hang(line) -> None:
    """Start a process, tell both numbers, leave a file behind and hear nothing any more."""
    child = subprocess.Popen(["sleep", "600"])
    line.tell((os.getpid(), child.pid))
    Path("left behind").write_text("something")
    while True:
        time.sleep(1)


def hold(line) -> None:
    """Tell the number, then never let any other thread run: a search that takes years, in C."""
    with line.dying_with_parent():
        line.tell((os.getpid(),))
        re.match(r"(a+)+$", "a" * 64 + "b")


def obey(line) -> str:
    """Stop when told to, with what there is."""
    line.tell((os.getpid(),))
    line.stop.wait()
    return "so far"


def meet(line, *, folder: str, me: int, other: int) -> float:
    """Wait until the other task runs too; seconds that were left."""
    (Path(folder) / str(me)).touch()
    while not (Path(folder) / str(other)).exists():
        time.sleep(0.01)
    return line.left()


def die(line) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fail(line) -> None:
    raise ZeroDivisionError("nothing to divide")


def refuse(line) -> None:
    raise InputError("a stone", where="backend", expected="bread")
