"""What a buyer feels when another wins: in files, in Python, refused by name, and left out of nothing in silence."""

import pytest

import expost as ex
from expost.cli import run_command

TEXT = """
name = "caring"
[parameters]
h = 0.1
[[buyers]]
name = "1"
signals = ["p1", "c1"]
value = "p1 + c1*c2"
loses_to.2 = "-h*p2"
[[buyers]]
name = "2"
signals = ["p2", "c2"]
value = "p2 + c1*c2"
loses_to = { "1" = "-0.2" }
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "caring.toml"
    file.write_text(TEXT)
    return file


def test_a_file_says_it_and_a_file_is_written(path):
    stated = ex.load(path)
    assert stated.buyers[0].loses_to == {"2": "-h*p2"}
    again = path.with_name("again.toml")
    ex.write_instance(stated, again)
    assert ex.load(again).buyers == stated.buyers
    assert "loses_to" not in ex.instance_to_toml(ex.load("jmmz"))


def test_it_is_what_the_keyword_says(path):
    by_file = ex.epsilon(path, 2)
    by_word = ex.epsilon("jmmz", 2, loses_to={"1": {"2": "-0.1*p2"}, "2": {"1": "-0.2"}})
    assert by_file.welfare == by_word.welfare < ex.epsilon("jmmz", 2).welfare
    assert ex.epsilon(ex.load(path, h=0.3), 2).welfare < by_file.welfare
    buyer = ex.Buyer("1", ["p1", "c1"], "p1 + c1*c2", loses_to={"2": lambda p2: -0.1 * p2})
    other = ex.Buyer("2", ["p2", "c2"], "p2 + c1*c2", loses_to={"1": -0.2})
    assert ex.epsilon(ex.Instance("own", [buyer, other]), 2).welfare == by_file.welfare


def test_the_command_line_takes_it_saves_it_and_gives_it_back(path, capsys):
    out = path.with_name("run")
    assert run_command(["epsilon", str(path), "--epsilon", "0,0.1", "--out", str(out), "--json"]) == 0
    assert '"certified_upper_bound"' in capsys.readouterr().out
    assert run_command(["verify", str(out)]) == 0
    assert ex.open(out).instance.buyers == ex.load(path).buyers


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("loses_to.2", "loses_to.9", "buyer 1: loses_to"),
        ("loses_to.2", "loses_to.1", "buyer 1: loses_to"),
        ('"-h*p2"', '"-h*q"', "loses_to.2"),
        ('"-h*p2"', '"open(1)"', "loses_to"),
        ('loses_to.2 = "-h*p2"', 'loses_to = "-h*p2"', "loses_to"),
        ('loses_to.2 = "-h*p2"', "loses_to.2 = [1]", "loses_to"),
        ("loses_to.2", "loses_for.2", "loses_for"),
    ],
)
def test_bad_files_get_one_line_that_names_the_place(path, old, new, words, capsys):
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(ex.InputError, match=words) as error:
        ex.load(path)
    assert "\n" not in str(error.value)
    assert run_command(["epsilon", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_values_that_are_no_numbers_are_refused(path):
    path.write_text(TEXT.replace("-h*p2", "log(p2 - 0.5)"))
    with pytest.raises(ex.InputError, match=r"loses_to\.2"):
        ex.epsilon(path, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: ex.solve(p, 2),
        lambda p: ex.solve(p, 2, lotteries=True),
        ex.bracket,
        lambda p: ex.bayesian(p, 2),
        lambda p: ex.compare(p, 2),
        lambda p: ex.dominate(p, "t*", 2),
        lambda p: ex.sweep(p, 2),
        lambda p: ex.frontier(p, 2),
        lambda p: ex.check(p, "1: p2; 2: p1"),
        lambda p: ex.validate("B-Theorem-1", p),
    ],
)
def test_what_leaves_it_out_refuses_it_by_name(path, call):
    with pytest.raises(ex.InputError, match="loses_to"):
        call(path)
