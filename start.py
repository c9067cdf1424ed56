#!/usr/bin/env python3
"""Run a command of this project; the first time, make the environment it needs.

    python3 start.py expost solve jmmz --grid 16
    python3 start.py pytest

Needs Python 3.11 or newer and pip, nothing else. The environment is the folder .venv beside this file; it is made
once, and again only when pyproject.toml changes.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
EXTRAS = {"sphinx-build": "docs", "pre-commit": "hooks"}
"""Commands that few people need, and the extra that brings each: installed when one is first asked for."""


def wanted() -> str:
    """What the environment was made for: the project's declaration."""
    return hashlib.sha256((HERE / "pyproject.toml").read_bytes()).hexdigest()


def stamp(extra: str) -> Path:
    """The file that says that the environment is complete, or that an extra is there."""
    return ENVIRONMENT / (f"installed-{extra}" if extra else "installed")


def installed(extra: str) -> bool:
    """Whether the environment is complete and current, the extra included."""
    there = stamp(extra)
    return PYTHON.exists() and there.exists() and there.read_text() == wanted()


def with_pip() -> str:
    """A Python that has pip: the one that made .venv where that is active, which has none."""
    return (
        getattr(sys, "_base_executable", sys.executable)
        if Path(sys.prefix) == ENVIRONMENT
        else sys.executable
    )


def install(extra: str) -> None:
    """Make the environment. The stamp comes last, so that an interrupted installation is not taken for one."""
    what = f"adding what {extra} needs to" if extra else "setting up"
    print(f"expost: {what} .venv (once; about a minute) ...", file=sys.stderr, flush=True)
    stamp(extra).unlink(missing_ok=True)
    if not PYTHON.exists():
        venv.EnvBuilder(clear=True, with_pip=False, symlinks=os.name != "nt").create(ENVIRONMENT)
    arguments = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--editable",
        f"{HERE}[{extra or 'test'}]",
    ]
    subprocess.run(
        [with_pip(), "-m", "pip", "--python", str(PYTHON), *arguments], check=True, stdout=sys.stderr
    )
    stamp(extra).write_text(wanted())


def main() -> int:
    """Install if needed, then run the command given."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this with an older Python is told so
        print(f"start.py: Python {sys.version.split()[0]}; expected 3.11 or newer", file=sys.stderr)
        return 2
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    extras = ["", *([EXTRAS[sys.argv[1]]] if sys.argv[1] in EXTRAS else [])]
    for extra in extras:
        if installed(extra):
            continue
        try:
            install(extra)
        except subprocess.CalledProcessError as error:
            print(
                f"start.py: the installation failed (pip exit code {error.returncode}); its messages are above",
                file=sys.stderr,
            )
            return 2
    command = SCRIPTS / sys.argv[1]
    if not command.exists() and not command.with_suffix(".exe").exists():
        print(
            f"start.py: no command {sys.argv[1]!r} in .venv; expected expost, pytest, ruff, mypy, ...",
            file=sys.stderr,
        )
        return 2
    environment = os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run([str(command), *sys.argv[2:]], env=environment, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
