"""Saved runs: written whole, re-opened, re-checked; every kind of tampering is caught."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from expost.errors import InputError
from expost.formulations.settings import Settings
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.runs.folder import save_run
from expost.runs.run import open_run
from expost.runs.solve import solve_settings as solve
from expost.runs.verify import verify
from expost.spaces.type_space import Grid


@pytest.fixture(scope="module")
def run():
    return solve(catalogue.load("jmmz"), Settings(Grid(5)))


@pytest.fixture
def folder(run, tmp_path):
    return save_run(run, tmp_path / "run")


def failed(folder):
    return {check.name for check in verify(folder).checks if not check.passed}


def redigest(folder):
    """Forge the digests, as somebody would who wants the change to pass."""
    from expost.runs.folder import DIGESTS, digest

    path = folder / "result.json"
    data = json.loads(path.read_text())
    data[DIGESTS] = {p.name: digest(p) for p in folder.iterdir() if p.name != "result.json"}
    path.write_text(json.dumps(data))


def change_result(folder, **changes):
    path = folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(path, **changes):
    with np.load(path) as archive:
        arrays = dict(archive) | changes
    np.savez(path, **arrays)


def test_shadow_prices_come_with_the_run(run):
    assert (
        run.shadow_prices.dims == run.instance.signals
        and run.shadow_prices.min() >= 0.0 < run.shadow_prices.max()
    )


def test_an_untouched_run_passes_every_check(folder):
    checks = verify(folder).checks
    assert len(checks) > 15 and all(check.passed for check in checks)


@pytest.mark.parametrize(
    ("instance", "settings"),
    [
        ("jmmz", Settings(Grid({"p1": 5, "c1": 3, "p2": 4, "c2": 2}, 0.3))),
        ("jmmz", Settings(Grid(4, "endpoint"), alpha=0.0)),
        ("jmmz", Settings(Grid(4), alpha=0.5, conditional=True)),
        ("one-dimensional", Settings(Grid(9))),
        ("privatization", Settings(Grid(6))),
        ("common-value", Settings(Grid(4), conditional=True)),
    ],
)
def test_every_kind_of_run_comes_back_as_it_was(tmp_path, instance, settings):
    solved = solve(catalogue.load(instance), settings)
    folder = save_run(solved, tmp_path / "run")
    saved = open_run(folder)
    assert saved.record == solved.record and saved.instance.name == solved.instance.name
    assert failed(folder) == set()


@pytest.mark.parametrize(
    ("key", "check"),
    [
        ("welfare", "welfare"),
        ("revenue", "revenue"),
        ("sold", "sold"),
        ("first_best", "first_best"),
        ("value", "value"),
        ("upper_bound", "gap"),
        ("certified_upper_bound", "certified upper bound"),
        ("gap", "gap"),
    ],
)
def test_a_changed_figure_is_caught(folder, key, check):
    change_result(folder, **{key: json.loads((folder / "result.json").read_text())[key] + 1e-6})
    assert check in failed(folder)


@pytest.mark.parametrize(
    "change", [{"grid": 4}, {"points": "endpoint"}, {"restrict": "conditional"}, {"instance": "other"}]
)
def test_changed_settings_are_caught(folder, change):
    change_result(folder, **change)
    assert failed(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"welfare": True},
        {"welfare": None},
        {"welfare": "0.85"},
        {"upper_bound": []},
        {"grid": "5"},
        {"details": 3},
        {"restrict": 5},
    ],
)
def test_a_value_of_another_type_makes_the_record_unusable(folder, changes):
    change_result(folder, **changes)
    with pytest.raises(InputError, match=next(iter(changes))):
        verify(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "foo"},
        {"upper_bound": None, "gap": None},
        {"scale_exponent": 3},
        {"rounding": 0.5},
        {"audit_worst_gain": 5.0},
        {"audit_allowed_gain": -1.0},
        {"files": {}},
        {"timing": "later"},
        {"objective": "fame"},
    ],
)
def test_every_other_field_is_checked_too(folder, changes):
    change_result(folder, **changes)
    assert failed(folder)


def test_a_forged_rule_without_certificate_is_not_optimal(folder):
    """Never selling, with every figure, table and digest forged to match, and the certificate taken away."""
    forged = solve(catalogue.load("jmmz"), Settings(Grid(5)))
    from expost.runs.solved import figures
    from expost.runs.tables import write_terms

    nothing = np.zeros_like(forged.mechanism.allocation)
    mechanism = forged.formulation.mechanism(nothing)
    np.savez_compressed(folder / "allocation.npz", winner=np.zeros(forged.space.shape, dtype=np.uint8))
    write_terms(forged.space, mechanism, folder)
    (folder / "certificate.npz").unlink()
    change_result(
        folder,
        **figures(forged.formulation, mechanism),
        upper_bound=0.0,
        gap=0.0,
        certified_upper_bound=None,
        scale_exponent=None,
        rounding=None,
        audit_worst_gain=0.0,
    )
    redigest(folder)
    assert failed(folder) == {"optimal"}


@pytest.mark.parametrize("name", ["smallest", "largest"])
def test_a_changed_extreme_is_caught(folder, name):
    with np.load(folder / "allocation.npz") as archive:
        arrays = dict(archive)
    rewrite(folder / "allocation.npz", **{name: np.zeros_like(arrays[name])})
    redigest(folder)
    assert failed(folder)


def test_flipped_bytes_in_an_archive_never_raise_anything_else(folder):
    content = bytearray((folder / "allocation.npz").read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(0, 8))
        (folder / "allocation.npz").write_bytes(damaged)
        assert failed(folder)


def test_a_folder_in_place_of_a_file_is_caught(folder):
    (folder / "prices.csv").unlink()
    (folder / "prices.csv").mkdir()
    assert failed(folder)


def test_small_units_change_nothing_but_the_figures(tmp_path):
    """All tolerances are relative: values of 1e-13 are solved, audited and verified like values of 1."""
    tiny = Instance(
        "tiny",
        (Buyer("1", ("p1", "c1"), "1e-13*(p1 + c1*c2)"), Buyer("2", ("p2", "c2"), "1e-13*(p2 + c1*c2)")),
    )
    solved = solve(tiny, Settings(Grid(4)))
    assert solved.record.welfare == pytest.approx(0.883056640625e-13, rel=1e-12)
    folder = save_run(solved, tmp_path / "tiny")
    assert failed(folder) == set()
    change_result(folder, welfare=solved.record.welfare * 1.001)
    assert "welfare" in failed(folder)


@pytest.mark.parametrize("backend", ["pulp", "cvxpy", "highs"])
def test_every_backends_answer_for_two_buyers_is_proved(tmp_path, backend):
    solved = solve(catalogue.load("jmmz"), Settings(Grid(3)), backend=backend)
    assert all(
        check.passed and check.proved
        for check in verify(save_run(solved, tmp_path / "run")).checks
        if check.name != "not recomputed"
    )


def test_what_rests_on_a_solvers_word_is_said(tmp_path):
    solved = solve(catalogue.load("three-buyers"), Settings(Grid(2)), backend="pulp")
    checks = verify(save_run(solved, tmp_path / "run")).checks
    assert all(check.passed for check in checks)
    assert {check.name for check in checks if not check.proved} == {
        "upper bound",
        "optimal",
        "not recomputed",
    }


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_allocation_is_caught_even_with_forged_digests(folder, seed):
    rng = np.random.default_rng(seed)
    with np.load(folder / "allocation.npz") as archive:
        winner = archive["winner"].copy()
    state = tuple(rng.integers(0, size) for size in winner.shape)
    winner[state] = (winner[state] + 1) % 3
    rewrite(folder / "allocation.npz", winner=winner)
    assert "file allocation.npz" in failed(folder)
    redigest(folder)
    assert failed(folder) and "file allocation.npz" not in failed(folder)


def test_a_changed_price_is_caught_even_with_forged_digests(folder):
    path = folder / "prices.csv"
    lines = path.read_text().splitlines()
    price = lines[-1].split(",")[-1]
    lines[-1] = lines[-1][: -len(price)] + repr(float(price) + 1e-9)
    path.write_text("\n".join(lines) + "\n")
    assert {"file prices.csv", "prices.csv"} <= failed(folder)
    redigest(folder)
    assert failed(folder) == {"prices.csv"}


@pytest.mark.parametrize(
    "name", ["prices.csv", "prices.parquet", "allocation.npz", "certificate.npz", "instance.toml"]
)
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "binary"])
def test_missing_and_damaged_files_are_caught(folder, name, damage):
    path = folder / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {
                "truncated": content[: len(content) // 2],
                "empty": b"",
                "binary": np.random.default_rng(len(name)).bytes(100),
            }[damage]
        )
    assert failed(folder)
    redigest(folder)
    light = damage == "missing" and name == "prices.parquet"  # what an installation without pyarrow writes
    assert bool(failed(folder)) is not light


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"files": 3}', b"\xff\xfe"])
def test_a_damaged_result_is_unusable_input(folder, content):
    (folder / "result.json").write_bytes(content)
    with pytest.raises(InputError):
        verify(folder)


def test_a_certificate_of_another_instance_is_caught(folder, tmp_path):
    other = save_run(solve(catalogue.load("common-value"), Settings(Grid(5))), tmp_path / "other")
    (folder / "certificate.npz").write_bytes((other / "certificate.npz").read_bytes())
    redigest(folder)
    assert failed(folder)


def test_multipliers_that_prove_less_than_was_claimed_are_caught(folder):
    with np.load(folder / "certificate.npz") as archive:
        packing = archive["packing"] // 2
    rewrite(folder / "certificate.npz", packing=packing)
    redigest(folder)
    assert {"certified upper bound", "optimal"} <= failed(folder)


def test_an_existing_folder_is_refused_and_left_alone(run, tmp_path):
    target = tmp_path / "here"
    target.mkdir()
    (target / "precious").write_text("1")
    with pytest.raises(InputError, match="exists"):
        save_run(run, target)
    assert [path.name for path in tmp_path.rglob("*")] == ["here", "precious"]


def test_a_file_in_the_way_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        save_run(run, tmp_path / "file" / "run")


def test_python_values_are_saved_as_sampled_and_the_record_says_so(tmp_path):
    instance = Instance(
        "python",
        (
            Buyer("1", ("a", "b"), lambda a, d: a + d * d, externality=lambda b: 0.1 * b),
            Buyer("2", ("d",), "d + 0.5*a"),
        ),
        seller=lambda a, d: 0.1 * a * d,
    )
    solved = solve(instance, Settings(Grid(4)))
    folder = save_run(solved, tmp_path / "run")
    assert failed(folder) == set()
    again = open_run(folder)
    assert again.record == solved.record and again.record.sampled == ["value.1", "externality.1", "seller"]
    assert (again.space.values == solved.space.values).all() and (
        again.space.gains == solved.space.gains
    ).all()
    with pytest.raises(InputError, match="sampled"):
        solve(again.instance, Settings(Grid(5)))
    rewrite(folder / "sampled.npz", **{"value.1": again.space.values[0] + 0.01})
    redigest(folder)
    assert failed(folder)


KILLED = """
import sys, time
from pathlib import Path
from expost.instances import catalogue
from expost.spaces.type_space import Grid
from expost.runs import folder
from expost.formulations.settings import Settings
from expost.runs.solve import solve_settings as solve
run = solve(catalogue.load("jmmz"), Settings(Grid(4)))
write = folder.write_terms
def slow(*args):
    write(*args)
    print("writing", flush=True)
    time.sleep(60)
folder.write_terms = slow
folder.save_run(run, Path(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_killed_while_writing_leaves_no_folder(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(number)
    process.wait(timeout=20)
    time.sleep(0.05)
    assert not (tmp_path / "run").exists()
    if number == signal.SIGINT:
        assert list(tmp_path.iterdir()) == []
