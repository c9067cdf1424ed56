"""What takes seconds to make is made once, by the first of all the processes of pytest that needs it."""

import os
import pickle

try:
    import fcntl
except ImportError:  # Windows: every process makes its own
    fcntl = None


def once(tmp_path_factory, name, make):
    """The folder ``name`` as ``make(folder)`` has filled it, and what that returned; tests copy what they change."""
    base = tmp_path_factory.getbasetemp()
    if fcntl is not None and "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, answer = base / name, base / f"{name}.pickle"
    with (base / f"{name}.lock").open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        if not answer.exists():  # nor where an earlier attempt has failed
            folder.mkdir(exist_ok=True)
            answer.write_bytes(pickle.dumps(make(folder)))
    return folder, pickle.loads(answer.read_bytes())
