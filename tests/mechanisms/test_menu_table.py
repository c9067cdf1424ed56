"""Menus as files: complete, described, and read back exactly, in every format; the LaTeX compiles."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import Buyer, Instance
from expost.mechanisms.export.formats import FORMATS, SUFFIXES, export_table, read_table, table_document
from expost.mechanisms.export.menu_table import MENU_NOTES, TERM_COLUMNS, menu_columns, require_menus
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.menu import menu_from_rule
from expost.mechanisms.prices import implementing_prices
from expost.spaces.stages import stages_of

AWKWARD = r"a & b_\{}%~^#$<|>, é"


def example(first=("p", "option")):
    """Two buyers, the second with a signal named like a column; None for a static buyer."""
    buyers = (Buyer(AWKWARD, ("p", "c"), "p + c*option"), Buyer("2", ("option", "d"), "d + c*option"))
    instance = Instance("awkward", buyers)
    points = (np.arange(4) + 0.5) / 4
    grids = np.meshgrid(points, points, indexing="ij")
    types = tuple({name: grid.ravel() for name, grid in zip(b.signals, grids, strict=True)} for b in buyers)
    signals = {
        name: column.reshape((-1, 1) if i == 0 else (1, -1))
        for i, own in enumerate(types)
        for name, column in own.items()
    }
    values = np.stack([np.broadcast_to(instance.value(i, signals), (16, 16)) for i in range(2)])
    wins = np.stack(
        [signals["p"] > signals["option"] + 0 * values[0], signals["option"] >= signals["p"] + 0 * values[0]]
    )
    terms = tuple(
        implementing_prices(values[i], values[i] > 1.0, i)
        if name is None
        else menu_from_rule(values[i], wins[i], stages_of(instance, i, (4, 4), name))
        for i, name in enumerate(first)
    )
    return instance, types, Mechanism(wins, terms)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("first", [("p", "option"), ("p", None), (None, None)])
def test_every_format_reads_back_exactly(form, first, tmp_path):
    columns = menu_columns(*example(first))
    path = tmp_path / f"menu{SUFFIXES[form]}"
    path.write_bytes(export_table(columns, MENU_NOTES, form))
    back = read_table(path)
    assert (
        list(back)
        == list(columns)
        == ["buyer", "first_signal", "p", "c", "signal_option", "d", *TERM_COLUMNS]
    )
    for name, column in columns.items():
        if column.dtype.kind == "U":
            assert (back[name] == column).all()
        else:
            np.testing.assert_array_equal(back[name], column.astype(float))


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_says_what_each_column_is(form, tmp_path):
    data = export_table(menu_columns(*example()), MENU_NOTES, form)
    if form == "parquet":
        from pyarrow import parquet

        (tmp_path / "menu.parquet").write_bytes(data)
        data = parquet.read_schema(tmp_path / "menu.parquet").metadata[b"description"]
    text = data.decode()
    assert all(json.dumps(note)[1:-1] in text or note in text for note in MENU_NOTES)
    described = " ".join(MENU_NOTES)
    assert (
        all(name in described for name in ("buyer", "first_signal", *TERM_COLUMNS))
        and "units of value" in described
    )


def test_options_cover_every_first_stage_type_once_and_keep_strikes_and_fees():
    instance, types, mechanism = example()
    columns = menu_columns(instance, types, mechanism)
    for i, menu in enumerate(mechanism.terms):
        mine = columns["buyer"] == instance.buyers[i].name
        assert columns["types"][mine].sum() == menu.strike.size
        assert (
            np.repeat(columns["strike"][mine], columns["types"][mine]).tolist()
            == menu.strike.ravel().tolist()
        )
        assert (
            np.repeat(columns["seller_best_fee"][mine], columns["types"][mine]).tolist()
            == menu.seller_best.ravel().tolist()
        )
        sold = (columns["exercise"][mine] * columns["types"][mine]).sum() / menu.strike.size
        assert sold == pytest.approx(mechanism.allocation[i].mean())
        assert (columns["first_from"][mine] <= columns["first_to"][mine]).all()


def test_a_static_buyer_has_one_line_per_state_of_the_others():
    instance, types, mechanism = example((None, None))
    columns = menu_columns(instance, types, mechanism)
    assert len(columns["buyer"]) == 32 and (columns["option"] == 1).all()
    assert columns["strike"][:16].tolist() == mechanism.terms[0].price.tolist()
    assert not columns["seller_best_fee"].any()
    with pytest.raises(InputError, match="static timing"):
        require_menus(mechanism.terms, "runs/x")
    require_menus(example(("p", None))[2].terms, "runs/x")


def test_json_has_no_infinities_and_null_for_nothing():
    document = table_document(menu_columns(*example()), MENU_NOTES)
    text = json.dumps(document, allow_nan=False)
    row = dict(zip(document["columns"], document["rows"][0], strict=True))
    assert row["p"] is None and row["buyer"] == AWKWARD
    assert '"inf"' in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("menu.json", "{}"),
        ("menu.json", "["),
        ("menu.tex", "x"),
        ("menu.csv", "\x00"),
        ("menu.parquet", "x"),
        ("menu.xls", "x"),
        ("menu.json", '{"columns": ["strike"], "rows": [["cheap"]]}'),
        ("menu.tex", "% rows"),
    ],
)
def test_a_damaged_table_is_refused(name, content, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError):
        read_table(path)


def test_an_unknown_format_is_refused():
    with pytest.raises(InputError, match="csv, json, parquet, latex"):
        export_table({}, (), "xlsx")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_the_latex_table_compiles(tmp_path):
    table = export_table(menu_columns(*example()), MENU_NOTES, "latex", caption="100% of $x_1$").decode()
    head = r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}"
    (tmp_path / "menu.tex").write_text(f"{head}\n{table}\\end{{document}}\n")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "menu.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "menu.pdf").stat().st_size > 1000


def test_latex_braces_balance_and_specials_are_escaped():
    text = export_table(menu_columns(*example()), MENU_NOTES, "latex").decode()
    body = text.split("% rows\n")[1].split("% end of rows")[0]
    plain = body.replace(r"\{", "").replace(r"\}", "")
    assert plain.count("{") == plain.count("}")
    cells = len(menu_columns(*example()))
    assert all(line.count(" & ") == cells - 1 and line.endswith(r" \\") for line in body.splitlines())


def test_latex_is_a_fragment_with_as_many_decimals_as_asked():
    columns = {"x_1": np.array([0.25, np.inf, np.nan]), "none": np.full(3, np.nan), "n": np.arange(3)}
    text = export_table(columns, ("a note",), "latex", digits=3, caption="50% off").decode()
    assert "documentclass" not in text and r"\caption{50\% off}" in text and r"x\_1 & n \\" in text
    assert [line for line in text.splitlines() if " & " in line][1:] == [
        r"0.250 & 0 \\",
        r"{$\infty$} & 1 \\",
        r" & 2 \\",
    ]
    for digits in (-1, 18, 2.0, True):
        with pytest.raises(InputError, match="digits"):
            export_table(columns, (), "latex", digits=digits)
    with pytest.raises(InputError, match="digits"):
        export_table(columns, (), "csv", digits=3)
    assert r"\begin{longtable}" in export_table({"x": np.zeros(41)}, (), "latex").decode()
