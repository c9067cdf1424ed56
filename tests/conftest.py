"""What every test relies on."""

import os
import signal

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(
        name, "1"
    )  # the tests themselves run in parallel; more threads only wait for each other
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # triples the start of every process that a test starts


def pytest_configure():
    """Hear Ctrl-C also where a script started the tests in the background: its children ignore it from birth, and the
    tests of interrupts would wait for solvers that nobody stops."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
