"""The contract with the oldest and with the newest versions that pyproject.toml admits, each in a fresh environment."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CONTRACT = [ROOT / "tests" / "contract" / f"test_{name}_stdout.py" for name in ("backends", "commands")]
OFFLINE = ("Name or service not known", "NewConnectionError", "Temporary failure in name resolution")


def lowest() -> list[str]:
    """Each mandatory dependency, and what draws, at its lower bound, as pip wants a constraint."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["plot"]
    bounds = [re.fullmatch(r"([\w.-]+)(?:\[.*\])?>=([\w.]+)(?:,.*)?", line) for line in declared]
    assert all(bounds), "every dependency has a lower bound"
    return [f"{bound[1]}=={bound[2]}" for bound in bounds]


def test_every_dependency_has_a_lower_bound():
    assert len(lowest()) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("end", ["lowest", "newest"])
def test_the_contract_holds_at_both_ends_of_what_is_admitted(end, tmp_path):
    environment, constraints = tmp_path / "environment", tmp_path / "constraints.txt"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    constraints.write_text("\n".join(lowest() if end == "lowest" else []))
    wheels = ["--only-binary", ":all:", "--no-binary", "expost"]
    install = [environment / "bin" / "python", "-m", "pip", "install", "-q", "-c", constraints, *wheels]
    done = subprocess.run(
        [*install, f"{ROOT}[plot]", "pytest>=8"], capture_output=True, text=True, check=False
    )
    if any(word in done.stderr for word in OFFLINE):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    subprocess.run(
        [environment / "bin" / "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *CONTRACT],
        cwd=tmp_path,
        check=True,
    )
