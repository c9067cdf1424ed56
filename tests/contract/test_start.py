"""start.py, the one set-up: also from within the environment that it has made."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start():
    spec = importlib.util.spec_from_file_location("start", ROOT / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="not in an environment")
def test_an_active_environment_is_added_to_by_the_python_that_made_it(start, monkeypatch):
    monkeypatch.setattr(start, "ENVIRONMENT", Path(sys.prefix))
    made_by = start.with_pip()
    code = "import sys; print(sys.prefix)"
    found = subprocess.run([made_by, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found) == Path(sys.base_prefix)


def test_any_other_python_is_taken_as_it_is(start):
    assert start.with_pip() == sys.executable or Path(sys.prefix) == start.ENVIRONMENT
