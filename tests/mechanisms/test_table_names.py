"""Names that mean something to tables, spreadsheets and readers: every column is there and reads back exactly."""

import itertools
import os

import numpy as np
import pytest

from expost.errors import InputError
from expost.formulations.timing import buyer_stages, mixed_mechanism
from expost.instances import Buyer, Instance
from expost.mechanisms.export.csv_files import read_csv, write_csv
from expost.mechanisms.export.formats import SUFFIXES, export_table, read_table
from expost.mechanisms.export.menu_table import MENU_NOTES, menu_columns
from expost.mechanisms.export.parquet_files import read_parquet, write_parquet
from expost.mechanisms.export.tables import PRICE_NOTES, price_columns, signal_names
from expost.spaces.type_space import discretize

AWKWARD = [
    "price",
    "lower",
    "upper",
    "buyer",
    "first_signal",
    "option",
    "strike",
    "signal_price",
    "signal_buyer",
]
NAMES = ["=1+1", "+2", "-3", "@SUM(A1)", "'=quoted", "'plain", "''-x"]
NAMES += ["#1", "$x$", "[red]x[/bold]", "a,b", 'q"q', "%&_{}"]


def space_of(first, second, buyers=("1", "2")):
    signals = [[first, "x1"], [second, "x2"]]
    value = "{} + {}"
    return discretize(
        Instance("x", [Buyer(b, own, value.format(*own)) for b, own in zip(buyers, signals, strict=True)]), 2
    )


def table_of(space, timing):
    rule = space.values == space.values.max(axis=0)
    rule[1] &= ~rule[0]
    mechanism = mixed_mechanism(space, rule, buyer_stages(space, (timing,) * 2))
    if timing == "static":
        return price_columns(space.instance, space.types, mechanism.terms), PRICE_NOTES
    return menu_columns(space.instance, space.types, mechanism), MENU_NOTES


def same(read, written):
    assert list(read) == list(written)
    for name, column in written.items():
        if column.dtype.kind == "U":
            assert read[name].tolist() == column.tolist()
        else:
            np.testing.assert_array_equal(read[name], column.astype(float))


@pytest.mark.parametrize("timing", ["static", "sequential"])
@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise([*AWKWARD, "plain"])))
def test_signals_named_like_columns(tmp_path, timing, first, second):
    space = space_of(first, second)
    columns, notes = table_of(space, timing)
    plain, _ = table_of(space_of("u", "v"), timing)
    assert len(columns) == len(plain)
    for mine, theirs in zip(
        columns.values(), plain.values(), strict=True
    ):  # the same table under other names
        if mine.dtype.kind != "U":
            np.testing.assert_array_equal(mine, theirs)
    for form, suffix in SUFFIXES.items():
        path = tmp_path / f"t{suffix}"
        path.write_bytes(export_table(columns, notes, form))
        same(read_table(path), columns)
    write_csv(columns, tmp_path / "w.csv", notes)
    same(read_csv(tmp_path / "w.csv"), columns)
    write_parquet(columns, tmp_path / "w.parquet", notes)
    same(read_parquet(tmp_path / "w.parquet"), columns)


def test_names_are_found_that_nobody_else_has():
    called = signal_names(["price", "signal_price", "signal_price_", "p"], ("price", "buyer"))
    assert list(called.values()) == ["signal_price__", "signal_price", "signal_price_", "p"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_names_of_buyers_read_back_and_run_nothing(tmp_path, name, timing):
    columns, notes = table_of(space_of("p1", "p2", (name, "other")), timing)
    for form, suffix in SUFFIXES.items():
        path = tmp_path / f"t{suffix}"
        path.write_bytes(export_table(columns, notes, form))
        same(read_table(path), columns)
    write_csv(columns, tmp_path / "w.csv", notes)
    same(read_csv(tmp_path / "w.csv"), columns)
    for path in (tmp_path / "w.csv", tmp_path / "t.csv"):
        cells = [
            line.split(",")[0].strip('"')
            for line in path.read_text().splitlines()
            if not line.startswith("# ")
        ]
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_files_of_earlier_versions_read_as_they_did(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text('# a note\n"buyer","p1","lower","upper","price"\n"\'tis",0.5,-inf,1,0.75\n')
    read = read_csv(path)
    assert read["buyer"].tolist() == ["'tis"]
    assert read["lower"].tolist() == [-np.inf]


def test_what_is_no_table_is_refused_in_one_line(tmp_path):
    (tmp_path / "twice.csv").write_text('"buyer","p","p"\n"1",1,2\n')
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "text.csv").write_text('"buyer","p"\n"1",x\n')
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    (tmp_path / "bad.json").write_text('{"columns": [["a"]], "rows": []}')
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in (
        "twice.csv",
        "empty.csv",
        "text.csv",
        "bad.parquet",
        "bad.json",
        "folder.csv",
        "pipe.csv",
        "no.csv",
    ):
        with pytest.raises(InputError, match="expected the table that expost wrote") as caught:
            read_table(tmp_path / name)
        assert "\n" not in str(caught.value)
