"""What every test relies on."""

import signal


def pytest_configure():
    """Hear Ctrl-C also where a script started the tests in the background: its children ignore it from birth, and the
    tests of interrupts would wait for solvers that nobody stops."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
