"""A light installation: tables without pyarrow read back exactly, pictures without matplotlib are refused in a line."""

import subprocess
import sys

import numpy as np
import pytest

from expost.errors import InputError
from expost.mechanisms.export.csv_files import read_csv, write_csv

LIGHT = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("pyarrow", "matplotlib") else real(name, *rest)
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pyarrow", "matplotlib"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import expost as ex
run = ex.solve("jmmz", 3)
run.save("run"), run.page("page.html")
assert ex.verify("run").passed and ex.open("run").welfare == run.welfare
import pathlib
assert sorted(path.name for path in pathlib.Path("run").iterdir() if path.name.startswith("prices")) == ["prices.csv"]
try:
    run.plot
except ex.InputError as error:
    assert "expost[plot]" in str(error)
else:
    raise AssertionError
"""


def test_a_light_installation_solves_saves_and_verifies(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_numbers_and_names_read_back_exactly(tmp_path):
    numbers = np.array(
        [0.1, 1 / 3, np.inf, -np.inf, np.nan, 5e-324, -0.0, 1e300, *np.random.default_rng(0).random(5000)]
    )
    names = np.array(['a "b", c', "=1+1", "", "NA", "nan", "'-x", "#x", "ü", *["x"] * 5000])
    columns = {"buyer": names, 'v "w", #': numbers, "k": np.arange(5008)}
    write_csv(columns, tmp_path / "t.csv", ("a note",))
    back = read_csv(tmp_path / "t.csv")
    assert list(back) == list(columns) and (back["buyer"] == names).all()
    assert back['v "w", #'].tobytes() == numbers.tobytes() and (back["k"] == np.arange(5008)).all()


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n", "a,b\n1\n", "a\nx\n", "a\n\x00\n", 'a\n"1\n'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError):
        read_csv(tmp_path / "t.csv")


def test_what_pyarrow_wrote_is_read(tmp_path):
    """Folders of older versions hold tables as pyarrow wrote them."""
    pa, csv = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.csv")
    columns = {"buyer": ["1", "=2"], "p": [0.1 + 0.2, None], "price": [float("inf"), 1e-05], "n": [1, 2]}
    csv.write_csv(pa.table(columns), tmp_path / "t.csv")
    back = read_csv(tmp_path / "t.csv")
    assert back["buyer"].tolist() == ["1", "=2"] and back["p"][0] == 0.1 + 0.2 and np.isnan(back["p"][1])
    assert back["price"].tolist() == [np.inf, 1e-05] and back["n"].tolist() == [1.0, 2.0]
