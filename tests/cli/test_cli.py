"""The command line as its users type it: output, exit codes, one line for every bad input."""

import json
import subprocess
import sys

import pytest

import expost as ex
from expost.cli import run_command


@pytest.fixture
def expost(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder; its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_instances_lists_the_catalogue_with_citations(expost):
    code, out, _ = expost("instances")
    assert code == 0
    for name in ("jmmz", "privatization", "public-rival", "linear", "one-dimensional", "common-value"):
        assert name in out
    assert "Bikhchandani" in out and "Zik" in out
    code, out, _ = expost("instances", "--json")
    assert code == 0 and len(json.loads(out)["instances"]) >= 6


def test_one_instance_shows_its_file_and_its_assumptions(expost, tmp_path):
    code, out, _ = expost("instances", "jmmz")
    assert code == 0 and out.count("holds at") == 3
    (tmp_path / "copy.toml").write_text(out)
    assert expost("solve", "copy.toml", "--grid", 4, "--json")[0] == 0
    code, out, _ = expost("instances", "jmmz", "--json")
    assert code == 0 and all(report["holds"] for report in json.loads(out)["assumptions"])
    assert expost("instances", "nonsense")[0] == 2


def test_solve_prints_a_table_and_writes_a_folder_that_verifies(expost, tmp_path):
    code, out, _ = expost("solve", "jmmz", "--grid", 4)
    assert code == 0 and "0.883057" in out and "runs/jmmz-static-4" in out
    assert expost("verify", "runs/jmmz-static-4")[0] == 0
    expost("solve", "jmmz", "--grid", 4)
    assert (tmp_path / "runs" / "jmmz-static-4-2").is_dir()


KEYS = {
    "instance",
    "timing",
    "grid",
    "backend",
    "status",
    "welfare",
    "upper_bound",
    "gap",
    "first_best",
    "revenue",
    "sold",
    "states",
    "binaries",
    "seconds",
    "peak_memory_mb",
}


def test_solve_json_is_one_object_with_the_keys_of_the_contract(expost, tmp_path):
    code, out, _ = expost("solve", "jmmz", "--grid", 4, "--json")
    record = json.loads(out)
    assert code == 0 and set(record) >= KEYS
    assert set(record["seconds"]) >= {"build", "solve", "audit", "total"}
    assert record["status"] == "optimal" and record["welfare"] == pytest.approx(0.883057, abs=5e-7)
    assert record["states"] == 256 and record["binaries"] == 512 and record["grid"] == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["auto", "mincut", "highs"])
def test_backends_agree(expost, backend):
    _, out, _ = expost("solve", "jmmz", "--grid", 8, "--backend", backend, "--json")
    assert json.loads(out)["welfare"] == pytest.approx(0.8528022766, abs=1e-9)


def test_an_instance_of_ones_own(expost, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[[buyers]]\nname = "A"\nsignals = ["x", "y"]\nvalue = "x + y*z"\n'
        '[[buyers]]\nname = "B"\nsignals = ["z"]\nvalue = "z + 0.5*y"\n'
        '[priors.x]\ndistribution = "beta"\na = 2.0\nb = 3.0\n'
    )
    code, out, _ = expost("solve", "mine.toml", "--grid", "x=6,y=5,z=7", "--out", "here", "--json")
    record = json.loads(out)
    assert (
        code == 0
        and record["run"] == "here"
        and record["states"] == 210
        and record["grid"] == {"x": 6, "y": 5, "z": 7}
    )
    code, out, _ = expost("verify", "here", "--json")
    assert code == 0 and json.loads(out)["passed"] is True


def test_verify_exits_with_1_when_a_check_fails(expost, tmp_path):
    expost("solve", "jmmz", "--grid", 3, "--out", "run")
    path = tmp_path / "run" / "result.json"
    path.write_text(path.read_text().replace('"welfare": 0.', '"welfare": 0.1'))
    code, out, _ = expost("verify", "run")
    assert code == 1 and "FAILED" in out


BAD = [
    ("solve", "nonsense", "--grid", "4"),
    ("solve", "missing.toml", "--grid", "4"),
    ("solve", "jmmz", "--grid", "0"),
    ("solve", "jmmz", "--grid", "-4"),
    ("solve", "jmmz", "--grid", "2.5"),
    ("solve", "jmmz", "--grid", "3000"),
    ("solve", "jmmz", "--grid", "p1=4"),
    ("solve", "jmmz", "--grid", "4", "--points", "2"),
    ("solve", "jmmz", "--grid", "4", "--timing", "later"),
    ("solve", "jmmz", "--grid", "4", "--first", "p1"),
    ("solve", "jmmz", "--grid", "4", "--objective", "2"),
    ("solve", "jmmz", "--grid", "4", "--restrict", "ex-ante"),
    ("solve", "jmmz", "--grid", "4", "--time-limit", "-1"),
    ("solve", "jmmz", "--grid", "4", "--time-limit", "soon"),
    ("solve", "jmmz", "--grid", "4", "--backend", "nonsense"),
    ("solve", "jmmz", "--grid", "4", "--out", "."),
    ("solve", "jmmz", "--grid", "4", "--out", "/proc/none/run"),
    ("solve", "jmmz"),
    ("solve", "jmmz", "--grid", "4", "--frobnicate"),
    ("nonsense",),
    ("verify", "missing"),
    ("verify", "."),
]


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_is_one_line_and_exit_code_2(expost, tmp_path, arguments):
    code, out, err = expost(*arguments)
    assert code == 2 and out == ""
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"name = ", b'name = "x"\ncolour = 3\n', b"[[buyers]]\n"]
)
def test_bad_files_are_one_line_and_exit_code_2(expost, tmp_path, content):
    (tmp_path / "bad.toml").write_bytes(content)
    code, out, err = expost("solve", "bad.toml", "--grid", 4)
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1 and "bad.toml" in err


def test_an_error_names_an_option_only_where_the_command_has_it(expost):
    lines = (("dominate", "--run"), ("verify",), ("menu",), ("explain",), ("plot", "--out", "x.svg"))
    for line in lines:
        code, _, errors = expost(*line, "nowhere")
        assert code == 2 and ("--run" in errors) == ("--run" in line), errors


def test_help_is_quick_to_import():
    """The faces import late: --help loads neither scipy nor numba nor cvxpy."""
    code = (
        "import sys; from expost.cli import run_command; run_command(['--help']); "
        "heavy = {'numpy', 'scipy', 'numba', 'cvxpy', 'pulp', 'highspy', 'matplotlib', 'rich.table'}; "
        "print(sorted(set(sys.modules) & heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_next_to_nothing_is_loaded_before_ctrl_c_is_heard(tmp_path):
    """A Ctrl-C until then is Python's own: a traceback, and death by the signal."""
    code = (
        "import sys; before = set(sys.modules); import expost.__main__; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "expost.__main__" in loaded and loaded <= {
        "expost",
        "expost._version",
        "expost.__main__",
        "__future__",
    }


def test_ctrl_c_is_heard_while_the_command_is_loaded(tmp_path):
    (tmp_path / "typer.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from expost.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "expost: interrupted\n")


def test_ctrl_c_in_a_command_is_one_line(expost, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ex, "solve", interrupted)
    assert expost("solve", "jmmz", "--grid", 2) == (130, "", "expost: interrupted\n")


def test_the_program_is_written_for_other_solvers(expost, tmp_path):
    import highspy

    for name in ("model.lp", "model.mps"):
        assert expost("solve", "jmmz", "--grid", 3, "--json", "--write-model", name)[0] == 0
        other = highspy.Highs()
        other.silent()
        other.readModel(str(tmp_path / name))
        other.run()
        _, out, _ = expost("solve", "jmmz", "--grid", 3, "--json")
        assert other.getObjectiveValue() == pytest.approx(json.loads(out)["welfare"], abs=1e-9)
    code, out, err = expost("solve", "jmmz", "--grid", 3, "--json", "--write-model", "model.txt")
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1


def test_a_small_solve_imports_no_more_than_it_takes(tmp_path):
    """Half of its time went there: pandas for a Parquet file, linear algebra that compiled code might have called."""
    ex.solve("jmmz", 3)  # compiled now, whoever comes first
    code = (
        "import sys; from expost.cli import run_command; run_command(['solve', 'jmmz', '--grid', '3']); "
        "heavy = {'pandas', 'xarray', 'scipy.linalg', 'scipy.optimize', 'numba.np.random', 'highspy', 'matplotlib'}; "
        "print(sorted(set(sys.modules) & heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
    assert (tmp_path / "runs" / "jmmz-static-3" / "prices.parquet").is_file()
