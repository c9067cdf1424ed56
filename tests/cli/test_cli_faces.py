"""Menus, plots, reports, dominance and comparison from the command line."""

import csv
import io
import json
import shutil

import numpy as np
import pytest

from expost.cli import run_command


@pytest.fixture
def expost(capsysbinary, tmp_path, monkeypatch):
    """Run a command in an empty folder; its exit code, standard output (bytes) and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = run_command([str(argument) for argument in arguments])
        captured = capsysbinary.readouterr()
        return code, captured.out, captured.err.decode()

    return call


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A run of two buyers with two stages, from the command line."""
    folder = tmp_path_factory.mktemp("solved") / "run"
    words = ["solve", "jmmz", "--grid", "4", "--timing", "sequential", "--first", "c1,c2"]
    assert run_command([*words, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def sequential(solved, expost, tmp_path):
    shutil.copytree(solved, tmp_path / "run")
    return "run"


def test_menus_read_back_as_tables(expost, sequential):
    code, out, _ = expost("menu", sequential)
    lines = [line for line in out.decode().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert code == 0 and {row["first_signal"] for row in rows} == {"c1", "c2"}
    by_menu = {}
    for row in rows:
        by_menu.setdefault((row["buyer"], row["p1"], row["c1"], row["p2"], row["c2"]), []).append(
            float(row["strike"])
        )
    assert len(by_menu) == 32
    assert all(strikes == sorted(strikes, reverse=True) for strikes in by_menu.values())
    code, out, _ = expost("menu", sequential, "--format", "json")
    assert code == 0 and len(json.loads(out)["rows"]) == len(rows)
    code, out, _ = expost("menu", sequential, "--format", "latex")
    assert code == 0 and (b"tabular" in out or b"longtable" in out)


def test_a_parquet_menu_goes_to_a_file(expost, sequential, tmp_path):
    from pyarrow import parquet

    assert expost("menu", sequential, "--format", "parquet", "--out", "menu.parquet")[0] == 0
    assert parquet.read_table(tmp_path / "menu.parquet").num_rows > 32


def test_a_static_run_has_a_one_line_menu_and_no_sequential_one(expost):
    expost("solve", "jmmz", "--grid", 3, "--out", "run")
    code, out, _ = expost("menu", "run", "--format", "json")
    assert code == 0 and len(json.loads(out)["rows"]) == 18
    code, out, err = expost("menu", "run", "--timing", "sequential")
    assert code == 2 and out == b"" and len(err.strip().splitlines()) == 1


def test_the_menu_of_a_bracket_is_its_strikes_at_random_states(expost, tmp_path):
    import expost as ex

    found = ex.bracket("one-dimensional", 0.3, seed=1)
    found.save(tmp_path / "bracket")
    code, out, _ = expost("menu", "bracket")
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    strikes = found.mechanism.prices(
        {name: np.array([float(row[name]) for row in rows]) for name in ("s1", "s2")}
    )
    assert code == 0 and len(rows) == 1024
    assert np.array([float(row["strike_1"]) for row in rows]) == pytest.approx(strikes[0], abs=1e-6)
    code, out, err = expost("menu", "bracket", "--format", "json")
    assert code == 2 and out == b"" and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plots_are_files_of_their_kind(expost, sequential, tmp_path, suffix):
    assert expost("plot", sequential, "--out", f"figure.{suffix}")[0] == 0
    head = (tmp_path / f"figure.{suffix}").read_bytes()[:200]
    assert {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}[suffix] in head or (
        suffix == "svg" and b"<?xml" in head
    )


def test_a_report_is_one_page_with_its_figures(expost, sequential, tmp_path):
    assert expost("report", sequential, "--out", "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    welfare = json.loads((tmp_path / "run" / "result.json").read_text())["welfare"]
    assert f"{welfare:.9g}" in page and "<svg" in page and "0 failed" in page


def test_dominance_of_both_constructions_and_of_a_run(expost):
    for name in ("t*", "example2"):
        code, out, _ = expost("dominate", "jmmz", "--prices", name, "--grid", 4, "--json")
        verdict = json.loads(out)
        assert code == 0 and verdict["gain"] > 0 and verdict["constrained_efficient"] is False
        assert verdict["dominating_welfare"] == pytest.approx(verdict["welfare"] + verdict["gain"])
    expost("solve", "jmmz", "--grid", 4, "--out", "run")
    code, out, _ = expost("dominate", "--run", "run", "--json")
    verdict = json.loads(out)
    assert code == 0 and verdict["gain"] == 0 and verdict["constrained_efficient"] is True


def test_compare_puts_everything_side_by_side(expost):
    code, out, _ = expost("compare", "jmmz", "--grid", 3, "--brackets", 0, "--json")
    full = json.loads(out)
    welfare = {row["name"]: row["welfare"] for row in full["rows"] + full["constructions"]}
    assert code == 0 and {"t*", "example2", "first best", "static second best"} <= set(welfare)
    assert welfare["t*"] < welfare["example2"] < welfare["static second best"] < welfare["first best"]
    code, out, _ = expost("compare", "one-dimensional", "--grid", 3, "--brackets", 1)
    assert code == 0 and b"constructions" in out and b"continuum" in out


def test_values_without_a_mean_have_a_comparison_but_no_bracket(expost, tmp_path):
    file = tmp_path / "heavy.toml"
    file.write_text(
        'name = "heavy"\n[[buyers]]\nname = "1"\nsignals = ["x"]\nvalue = "x"\n'
        '[priors.x]\ndistribution = "pareto"\nb = 0.7\n'
    )
    code, out, _ = expost("compare", file, "--grid", 4, "--brackets", 1, "--json")
    found = json.loads(out)
    assert code == 0 and found["brackets"] == [] and "without a finite mean" in found["no_bracket"]
    assert found["rows"]


BAD = [
    ("dominate", "jmmz"),
    ("dominate", "jmmz", "--prices", "nonsense"),
    ("dominate", "--prices", "t*"),
    ("dominate", "jmmz", "--run", "x", "--prices", "t*"),
    ("dominate", "--run", "missing"),
    ("bracket", "jmmz", "--accuracy", "0"),
    ("bracket", "jmmz", "--accuracy", "1.5"),
    ("bracket", "jmmz", "--timing", "later"),
    ("bracket", "jmmz", "--first", "p1"),
    ("compare", "jmmz", "--brackets", "-1"),
    ("compare", "nonsense"),
    ("compare", "jmmz", "--grid", "x"),
    ("menu", "missing"),
    ("plot", "missing", "--out", "x.png"),
    ("report", "missing", "--out", "x.html"),
    ("solve", "one-dimensional", "--grid", "3", "--timing", "sequential"),
    ("solve", "jmmz", "--grid", "3", "--timing", "sequential", "--objective", "revenue"),
    ("solve", "jmmz", "--grid", "3", "--timing", "sequential", "--first", "q"),
    ("solve", "jmmz", "--grid", "3", "--timing", "sequential", "--first", "p1,c1"),
]


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_is_one_line_and_exit_code_2(expost, tmp_path, arguments):
    code, out, err = expost(*arguments)
    assert code == 2 and out == b"" and len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("menu", "run", "--format", "word"),
        ("plot", "run", "--out", "x.docx"),
        ("plot", "run", "--out", "none/x.png"),
        ("report", "run", "--out", "none/x.html"),
    ],
)
def test_bad_outputs_are_one_line_and_exit_code_2(expost, sequential, arguments):
    code, out, err = expost(*arguments)
    assert code == 2 and out == b"" and len(err.strip().splitlines()) == 1


def test_a_bracket_holds_what_is_known_and_its_mechanism_is_saved(expost, tmp_path):
    code, out, _ = expost(
        "bracket", "one-dimensional", "--accuracy", "0.05", "--time-limit", 20, "--out", "best", "--json"
    )
    found = json.loads(out)
    assert code == 0 and found["lower"]["value"] <= found["upper"]["value"]
    assert {path.name for path in (tmp_path / "best").iterdir()} >= {"mechanism.json", "instance.toml"}
    code, out, _ = expost("bracket", "privatization", "--accuracy", "0.001")
    assert code == 0 and b"at most" in out and b"at least" in out
