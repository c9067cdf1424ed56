"""Real processes whose standard streams are pipes that close, full disks, closed descriptors and ascii terminals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "runs" / "data" / "schema1" / "one-buyer"
EXPOST = f"{sys.executable} -m expost"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="shells and descriptors of POSIX")


def shell(line, **environment):
    """Exit code, standard output and standard error of a line of bash."""
    found = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        timeout=120,
        env=os.environ | environment,
        check=False,
    )
    return found.returncode, found.stdout, found.stderr.decode()


@pytest.mark.parametrize("command", [f"verify {RUN}", f"menu {RUN}", "instances", "--help"])
def test_a_reader_who_leaves_is_no_failure(command):
    assert shell(f"{EXPOST} {command} | head -c 0")[::2] == (0, "")


@pytest.mark.parametrize("command", [f"verify {RUN} --json", f"menu {RUN} --format parquet"])
@pytest.mark.parametrize(("where", "reason"), [(">/dev/full", "No space left"), (">&-", "it is closed")])
def test_output_that_cannot_be_written_is_one_line(command, where, reason):
    code, _, errors = shell(f"{EXPOST} {command} {where}")
    assert code == 2 and errors.count("\n") == 1 and reason in errors


def test_a_failed_check_stays_a_failed_check_when_nobody_reads(tmp_path):
    folder = tmp_path / "run"
    shell(f"cp -r {RUN} {folder} && echo >> {folder}/prices.csv")
    assert shell(f"{EXPOST} verify {folder} | head -c 0")[0] == 1


def test_an_ascii_terminal_and_a_closed_standard_error():
    code, out, errors = shell(f"{EXPOST} verify {RUN}", PYTHONIOENCODING="ascii")
    assert code == 0 and out.isascii() and not errors
    assert shell(f"{EXPOST} verify {RUN} 2>&- | cat")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0.0, 0.3])
def test_signals_in_the_first_moments_are_no_tracebacks(number, after):
    """From the first line of ours; what Python does before it is not ours to change."""
    hear = "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    begin = f"{hear}; os.write(1, b'+'); from expost.__main__ import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", begin, "solve", "jmmz", "--grid", "40", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.read(1) == b"+"
    time.sleep(0.05 + after)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)
    assert errors.endswith(b"expost: interrupted\n" if number == signal.SIGINT else b"")
