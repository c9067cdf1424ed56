"""Hostile inputs, made systematically: every option of every command with values that are none of its kind, hostile
instance files, formulas, priors, mechanism files, folders, and targets that nothing can be written to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LONG = "k" * 100_000
REFUSED = frozenset({2})
ANY = frozenset({0, 1, 2, 3})
"""Where a value is odd and not unusable: no traceback, and one of the exit codes of the contract."""

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A command line in a folder of its own. files: what lies there, by name: bytes, or what makes it. codes: the exit
    codes that are right."""

    name: str
    arguments: tuple[str, ...]
    files: dict[str, bytes | Make] = field(default_factory=dict)
    codes: frozenset[int] = REFUSED

    def lay(self, folder: Path) -> None:
        """Put the files there."""
        for name, content in self.files.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                content(folder / name)


PRICES = "1: 1 + a; 2: 9"
COMMANDS: dict[str, tuple[str, ...]] = {
    "instances": ("instances", "jmmz"),
    "solve": ("solve", "jmmz", "--grid", "2"),
    "bracket": ("bracket", "one-dimensional", "--accuracy", "0.5"),
    "compare": ("compare", "one-dimensional", "--grid", "2", "--brackets", "0"),
    "dominate": ("dominate", "jmmz", "--prices", "t*", "--grid", "2"),
    "check": ("check", "jmmz", "--prices", "1: 2; 2: 2", "--grid", "2"),
    "fit": ("fit", "jmmz", "--prices", PRICES, "--over", "a=0.5:0.6"),
    "sweep": ("sweep", "jmmz", "--grid", "2"),
    "frontier": ("frontier", "jmmz", "--grid", "2"),
    "bayesian": ("bayesian", "jmmz", "--grid", "2"),
    "items": ("items", "example3-unit-demand", "--grid", "1"),
    "epsilon": ("epsilon", "jmmz", "--grid", "2"),
    "validate": ("validate", "B-Lemma-1", "--quick"),
    "simplify": ("simplify", "{static}", "--terms", "1"),
    "explain": ("explain", "{static}"),
    "verify": ("verify", "{static}"),
    "menu": ("menu", "{static}"),
    "plot": ("plot", "{static}", "--out", "x.svg"),
    "page": ("page", "{static}", "--out", "x.html"),
}
"""A command line of each command that works, and is quick."""

NUMBERS = ("", "x", "nan", "inf", "-inf", "1e999", "0x10", "٣", "--json", "1;2", "\x1b[31m", "1\n2")
BAD: dict[str, tuple[str, ...]] = {
    "--grid": ("", "0", "-1", "2.5", "nan", "inf", "1e3", "x", "p1=", "p1=0", "q=2", "p1=2,p1=3", "99999999999999",
               LONG, "p1=2", "999999999", "=2", ","),
    "--timing": ("", "later", "static,static,static", "sequential,", "STATIC;", LONG, "\x07"),
    "--first": ("q", "p1", "p1,c1", ",", "c1,c1", LONG, "[red]"),
    "--set": ("k", "k=", "=1", "k=x", "k=nan", "k=inf", "q=1", "k=1,k=2", f"{LONG}=1", "p1=1", "[/bold]=2"),
    "--points": ("2", "-0.1", "nan", "inf", "middle", LONG),
    "--objective": ("2", "-1", "nan", "inf", "profit", LONG),
    "--restrict": ("foo", LONG, "conditional;"),
    "--backend": ("nonsense", "pulp:", "pulp:NOBODY", "cvxpy:NOBODY", ":", "highs:x", LONG),
    "--time-limit": (*NUMBERS, "-1", "soon"),
    "--gap": (*NUMBERS, "-1", "2"),
    "--accuracy": (*NUMBERS, "0", "-1", "1.5"),
    "--brackets": (*NUMBERS, "-1"),
    "--seed": ("", "x", "nan", "-1", "1.5", "99999999999999999999999999"),
    "--jobs": ("", "x", "nan", "0", "1.5", "-99999999999", "99999999999"),
    "--digits": ("", "x", "-1", "1.5", "99999999999"),
    "--prices": ("", "nonsense", "1", "1:", ": p2", "1: p2; 1: p2", "3: p2", "1: p2 +; 2: p1",
                 "1: __import__('os'); 2: 0", "missing.toml", "1: q; 2: 0", f"1: {LONG}; 2: 0",
                 "1: log(-1); 2: p1", "1: complete; 2: complete"),
    "--over": ("", "k", "k=", "a=1", "a=1:0", "a=nan:1", "a=0:inf", "q=0:1:3", "a=0:1:0", "a=0:1:999999999", LONG,
               "k=x:y:z"),
    "--between": ("", "welfare", "welfare,welfare", "1,9", "a,b,c", LONG),
    "--terms": ("", "x", "0", "-1", "1.5", "nan"),
    "--add": ("q", "p2 +", "__import__('os')", "log(-1)", LONG),
    "--samples": ("", "x", "0", "-1", "1.5", "nan"),
    "--participation": ("", "ex ante", LONG),
    "--epsilon": ("", "x", "-1", "nan", "inf", "0,,1", LONG),
    "--loses-to": ("1", "1<2", "1<9: 0", "9<1: 0", "1<1: 0", "1<2: q", "1<2: 1/0", LONG),
    "--format": ("", "word", LONG, "../csv"),
    "--axes": ("q,c1", "p1,p1", "p1", "p1,c1,c2", LONG, "$,$"),
    "--at": ("p1", "p1=", "p1=nan", "p1=x", "q=1", "p1=1,p1=2", f"{LONG}=1"),
    "--run": ("missing", ".", "\0", LONG, "/dev/null", "/dev/zero", "/"),
    "--study": ("missing.toml", ".", "/dev/null/x", "/dev/zero", LONG, "\0"),
    "--rows": ("missing.csv", ".", "/dev/null/x", "/dev/zero", LONG, "\0"),
    "--keep": ("\0", "/proc/none", "/dev/null", LONG),
    "--out": ("\0", "/proc/none/x.csv", LONG + ".csv", ".", "/dev/null/x.csv"),
    "--write-model": ("\0.lp", "/proc/none/x.lp", LONG + ".lp", ".", "model.txt", "/dev/full/x.mps"),
}  # fmt: skip
"""For every option what no command may take for it."""

MEANS_ELSE = {
    ("sweep", "--grid"): ("2|x", "2||3", "2|"),
    ("sweep", "--timing"): ("later", "static,static,static"),
    ("sweep", "--over"): ("", "k", "k=", "k=nan:1:2", "k=0:inf:3", "q=0:1:3", "k=0:1:0", "k=0:1:999999999", LONG,
                          "grid=0|x", "timing=later", "seed=x", "seed=-1", "time_limit=-1", "=1|2"),
    ("check", "--timing"): (),
    ("plot", "--over"): ("q", "p1,c1", LONG, "$"),
    ("menu", "--timing"): ("static", "later", "sequential", LONG),
    ("plot", "--out"): ("x.docx", "x", "\0.png", "/proc/none/x.png", LONG + ".png", ".", "none/x.svg"),
    ("page", "--out"): ("\0.html", "/proc/none/x.html", LONG + ".html", ".", "none/x.html"),
}  # fmt: skip
"""Where an option is of another kind than elsewhere."""

HARMLESS = {
    ("--first", ","), ("--timing", "sequential,"), ("--axes", "p1"), ("--seed", "99999999999999999999999999"),
}  # fmt: skip
"""Odd, and fine: any exit code of the contract."""


def options() -> Iterator[Case]:
    """Every option of every command, with every value that is none."""
    import typer

    from expost.cli import app

    for name, command in typer.main.get_command(app).commands.items():
        if name == "report":  # another name for page
            continue
        for parameter in command.params:
            flag = next((opt for opt in parameter.opts if opt.startswith("--")), None)
            if flag is None or getattr(parameter, "is_flag", False) or flag == "--help":
                continue
            for value in MEANS_ELSE.get((name, flag), BAD[flag]):
                yield _with(name, flag, value)


def _with(name: str, flag: str, value: str) -> Case:
    base = list(COMMANDS[name])
    if flag in base:
        base[base.index(flag) + 1] = value
    else:
        base += [flag, value]
    if name == "dominate" and flag == "--run":
        base = ["dominate", flag, value]
    fine = (flag, value) in HARMLESS or (name, flag, value) in HARMLESS_HERE or (name, flag) in BESIDE_PRICES
    return Case(f"{name} {flag} {_short(value)}", tuple(base), codes=ANY if fine else REFUSED)


def _short(value: str) -> str:
    return ascii(value if len(value) < 40 else value[:10] + "..." + value[-6:])


HARMLESS_HERE = {("frontier", "--points", "2")} | {
    (name, "--prices", "") for name in ("compare", "bracket", "items", "plot", "page")
}
BESIDE_PRICES = {(name, flag) for name in ("plot", "page") for flag in ("--grid", "--set")} | {
    ("items", "--samples")
}
"""Options of prices, which mean nothing where none are given."""

ODD = {
    "limits of nothing": [(*base, "--time-limit", "0") for base in (
        COMMANDS[name] for name in ("solve", "bracket", "compare", "dominate", "check", "fit", "sweep", "frontier",
                                    "bayesian", "items", "epsilon", "explain")
    )],
    "limits next to nothing": [
        (*COMMANDS[name], "--time-limit", value)
        for name in ("solve", "bracket", "frontier", "bayesian", "items", "fit")
        for value in ("1e-320", "1e-9")
    ],
    "backends and limits": [
        ("solve", "three-buyers", "--grid", "2", "--backend", backend, "--time-limit", value)
        for backend in ("highs", "pulp", "cvxpy", "pdlp", "nbuyers") for value in ("0", "0.001")
    ],
    "nothing of what is there": [
        ("fit", "jmmz", "--prices", "t*", "--over", "a=0:1"), ("check", "jmmz", "--prices", "1: 1e300; 2: complete"),
        ("sweep", "jmmz", "--grid", "2", "--over", "k=1"), ("frontier", "jmmz", "--grid", "1"),
        ("solve", "jmmz", "--grid", "1"), ("bayesian", "jmmz", "--grid", "1"), ("epsilon", "jmmz", "--grid", "1"),
        ("check", "jmmz", "--prices", "1: -1e300; 2: 1e300", "--grid", "2"), ("",), ("\0",),
        ("solve", "jmmz", "--grid", "1", "--points", "endpoint"), ("validate", "B", "Z", LONG), ("--version", "x"),
        ("menu", "{static}", "--format", "latex", "--digits", "0"),
        ("plot", "{static}", "--out", "x.png", "--axes", "c1,c2"),
        ("instances", LONG), ("instances", "\x1b[31m"), ("instances", "\udcff"), ("solve", "jmmz ", "--grid", "2"),
        ("solve", "[red]jmmz", "--grid", "2"), ("solve", "jmmz", "--grid", "2", "--" + LONG), ("--" + LONG,), (LONG,),
        ("solve", "jmmz", "--grid", "2", LONG), ("items", "jmmz"), ("solve", "example3", "--grid", "2"),
        ("items", "example3", "--grid", "9999"), ("bayesian", "jmmz", "--grid", "9999"),
        ("epsilon", "jmmz", "--grid", "9999"), ("frontier", "jmmz", "--grid", "9999"),
        ("sweep", "jmmz", "--grid", "9999"), ("check", "jmmz", "--prices", "t*", "--grid", "9999"),
        ("dominate", "jmmz", "--prices", "t*", "--grid", "9999"),
        ("compare", "jmmz", "--grid", "9999", "--brackets", "0"),
        ("solve", "jmmz", "--grid", "9999", "--lotteries"), ("solve", "jmmz", "--grid", "9999", "--symmetric"),
        ("solve", "three-buyers", "--grid", "99"), ("solve", "privatization", "--grid", "99999"),
    ],
}  # fmt: skip


def odd() -> Iterator[Case]:
    """What is odd and perhaps usable: any exit code of the contract, no traceback."""
    for kind, lines in ODD.items():
        for line in lines:
            yield Case(f"{kind}: {' '.join(map(_short, line))}", tuple(line), codes=ANY)


GOOD = """name = "mine"
[[buyers]]
name = "1"
signals = ["a"]
value = "a + 0.5*b"
[[buyers]]
name = "2"
signals = ["b"]
value = "b"
"""

INSTANCES: dict[str, bytes] = {
    "nothing": b"",
    "bytes": bytes(range(256)),
    "utf-16": GOOD.encode("utf-16"),
    "latin-1": GOOD.replace("mine", "m\xefne").encode("latin-1"),
    "half": GOOD[:60].encode(),
    "nulls": bytes(1000),
    "deep": b"a = " + b"[" * 5000 + b"]" * 5000,
    "deep tables": b"[" + b"a." * 5000 + b"a]\nb = 1",
    "a number": b"name = 3",
    "a list": b"name = []",
    "a date": b"name = 1979-05-27",
    "no buyers": b'name = "x"\nbuyers = []',
    "buyers a table": b'name = "x"\n[buyers]\nname = "1"',
    "a key twice": GOOD.encode() + b'value = "b"\n',
    "an unknown key": GOOD.encode() + b"colour = 3\n",
    "a long key": GOOD.encode() + LONG.encode() + b" = 3\n",
    "a long value": GOOD.replace("mine", LONG).encode(),
    "a control character": GOOD.replace("mine", "m\\u0007ne").encode(),
    "a newline in a name": GOOD.replace("mine", "m\\nne").encode(),
    "a name of nothing": GOOD.replace('"1"', '""').encode(),
    "a name twice": GOOD.replace('"2"', '"1"').encode(),
    "a signal twice": GOOD.replace('["b"]', '["a"]').encode(),
    "a signal of nobody": GOOD.replace('"b"\n', '"q"\n').encode(),
    "signals that are numbers": GOOD.replace('["b"]', "[1]").encode(),
    "no signals": GOOD.replace('["b"]', "[]").encode(),
    "a signal called pi": GOOD.replace('["b"]', '["pi"]').encode(),
    "a signal called where": GOOD.replace('["b"]', '["where"]').encode(),
    "a signal of 100 kB": GOOD.replace('["b"]', f'["{LONG}"]').encode(),
    "units of nothing": GOOD.encode().replace(b"\n[[", b"\nunits = 0\n[[", 1),
    "units that are no number": GOOD.encode().replace(b"\n[[", b'\nunits = "2"\n[[', 1),
    "units without end": GOOD.encode().replace(b"\n[[", b"\nunits = 99999999999999999999999\n[[", 1),
    "stages of nobody": GOOD.encode() + b'stages = [["q"], ["b"]]\n',
    "stages that are empty": GOOD.encode() + b"stages = [[], []]\n",
    "stages twice": GOOD.encode() + b'stages = [["b"], ["b"]]\n',
    "a parameter that is text": GOOD.encode() + b'[parameters]\nk = "1"\n',
    "a parameter that is no number": GOOD.encode() + b"[parameters]\nk = nan\n",
    "a parameter without end": GOOD.encode() + b"[parameters]\nk = inf\n",
    "a parameter that is a signal": GOOD.encode() + b"[parameters]\na = 1.0\n",
    "a parameter of 100 kB": GOOD.encode() + b"[parameters]\n" + LONG.encode() + b" = inf\n",
    "a prior of nobody": GOOD.encode() + b'[priors.q]\ndistribution = "uniform"\n',
    "a density of text": GOOD.encode() + b"[joint]\ndensity = true\n",
    "a density that is negative": GOOD.encode() + b'[joint]\ndensity = "-1"\n',
    "a density of nothing": GOOD.encode() + b'[joint]\ndensity = "0"\n',
    "a density that is no number": GOOD.encode() + b'[joint]\ndensity = "1/(a-a)"\n',
    "a seller who is a list": GOOD.encode() + b"[seller]\nvalue = []\n",
    "a seller of nobody": GOOD.encode() + b'[seller]\nvalue = "q"\n',
}

FORMULAS: dict[str, str] = {
    "nothing": "",
    "a space": " ",
    "an import": "__import__('os').system('id')",
    "an attribute": "a.__class__",
    "an item": "a[0]",
    "a lambda": "(lambda: 1)()",
    "a comprehension": "[x for x in (1, 2)]",
    "a walrus": "(x := 1)",
    "a string": "'a'",
    "an f-string": "f'{a}'",
    "a long name": LONG,
    "a long sum": "a" + " + a" * 50_000,
    "many minus signs": "-" * 5000 + "a",
    "many brackets": "(" * 3000 + "a" + ")" * 3000,
    "a huge power": "9**9**9**9",
    "a huge constant": "1e400",
    "an integer of 9000 digits": "9" * 9000,
    "a division by nothing": "1/0",
    "a division by a difference": "1/(a - a)",
    "a logarithm of nothing": "log(a - a)",
    "a root of less than nothing": "sqrt(-1 - a)",
    "a power of less than nothing": "(-1 - a)**0.5",
    "overflow": "exp(1000*a + 1000)",
    "a complex number": "1j",
    "true": "True",
    "none": "None",
    "an unknown function": "open(1)",
    "a function without arguments": "exp()",
    "a function with too many": "exp(1, 2)",
    "a keyword": "exp(x=1)",
    "a star": "min(*a)",
    "a modulus": "a % 2",
    "a shift": "a << 2",
    "an and": "a and b",
    "a semicolon": "a; b",
    "a newline": "a\\n+ b",
    "a null": "a\\u0000",
    "a bell": "a\\u0007",
    "a fullwidth letter": "\\uff41 + exp(\\u0661)",
    "a comment": "a # b",
    "an ellipsis": "...",
    "min of one": "min(a)",
    "where of two": "where(a, b)",
    "a chain of nothing": "a <",
    "an is": "a is b",
    "an in": "a in b",
}
FINE_INSTANCES = {"units without end"}
FINE_FORMULAS = {"a comment", "a newline", "a fullwidth letter", "a space", "a semicolon"}
"""Odd, and for the language to judge."""

PRIORS: dict[str, str] = {
    "an unknown one": 'distribution = "nonsense"',
    "a method of scipy": 'distribution = "rv_continuous"',
    "a discrete one of scipy": 'distribution = "poisson"\nmu = 3.0',
    "a dunder": 'distribution = "__class__"',
    "a list": "distribution = []",
    "without its parameters": 'distribution = "beta"',
    "a parameter too many": 'distribution = "uniform"\nq = 1.0',
    "a scale of nothing": 'distribution = "uniform"\nscale = 0.0',
    "a scale below nothing": 'distribution = "norm"\nscale = -1.0',
    "a scale without end": 'distribution = "norm"\nscale = inf',
    "a place that is no number": 'distribution = "norm"\nloc = nan',
    "shapes below nothing": 'distribution = "beta"\na = -1.0\nb = 2.0',
    "a formula of its own": 'distribution = "uniform"\nscale = "b"',
    "a formula of another's": 'distribution = "uniform"\nscale = "a"',
    "a formula of nobody": 'distribution = "uniform"\nscale = "q"',
    "no atoms": 'distribution = "discrete"\nvalues = []',
    "atoms without a number": 'distribution = "discrete"\nvalues = [1.0, nan]',
    "atoms without end": 'distribution = "discrete"\nvalues = [1.0, inf]',
    "an atom twice": 'distribution = "discrete"\nvalues = [1.0, 1.0]',
    "weights too few": 'distribution = "discrete"\nvalues = [1.0, 2.0]\nweights = [1.0]',
    "weights below nothing": 'distribution = "discrete"\nvalues = [1.0, 2.0]\nweights = [1.0, -1.0]',
    "weights of nothing": 'distribution = "discrete"\nvalues = [1.0, 2.0]\nweights = [0.0, 0.0]',
    "atoms that are text": 'distribution = "discrete"\nvalues = ["x"]',
    "no sample": 'distribution = "empirical"',
    "an empty sample": 'distribution = "empirical"\nsample = []',
    "a sample without a number": 'distribution = "empirical"\nsample = [1.0, nan]',
    "a sample and a file": 'distribution = "empirical"\nsample = [1.0]\nfile = "x.csv"',
    "a missing file": 'distribution = "empirical"\nfile = "none.csv"\ncolumn = "x"',
    "a device": 'distribution = "empirical"\nfile = "/dev/zero"\ncolumn = "x"',
    "a folder": 'distribution = "empirical"\nfile = "."\ncolumn = "x"',
    "a pipe": 'distribution = "empirical"\nfile = "pipe"\ncolumn = "x"',
    "a null byte": 'distribution = "empirical"\nfile = "a\\u0000"\ncolumn = "x"',
    "a table without the column": 'distribution = "empirical"\nfile = "bids.csv"\ncolumn = "y"',
    "a table of words": 'distribution = "empirical"\nfile = "words.csv"\ncolumn = "x"',
    "a table of bytes": 'distribution = "empirical"\nfile = "bytes.csv"\ncolumn = "x"',
    "a sum that takes for ever": 'distribution = "ksone"\nn = 1000000.0',
    "another": 'distribution = "kstwo"\nn = 1e300',
    "a stable law": 'distribution = "levy_stable"\nalpha = 0.0\nbeta = 0.0',
    "denormal": 'distribution = "uniform"\nscale = 5e-324',
    "huge": 'distribution = "norm"\nscale = 1e308',
}
ODD_PRIORS = {"denormal", "huge", "a sum that takes for ever", "a stable law", "another", "an atom twice"}

TWO = """items = ["a", "b"]
[[buyers]]
name = "1"
signals = ["x"]
values = { a = "x", b = "x" }
"""

ITEMS: dict[str, bytes] = {
    "no items": b'name = "x"',
    "items that are numbers": TWO.replace('["a", "b"]', "[1, 2]").encode(),
    "an item twice": TWO.replace('["a", "b"]', '["a", "a"]').encode(),
    "forty items": TWO.replace('["a", "b"]', str([f"i{k}" for k in range(40)])).encode(),
    "no buyers": b'items = ["a"]\nbuyers = []',
    "buyers of text": b'items = ["a"]\nbuyers = ["x"]',
    "a buyer without a name": TWO.replace('name = "1"\n', "").encode(),
    "a buyer without signals": TWO.replace('signals = ["x"]\n', "").encode(),
    "signals of text": TWO.replace('["x"]', '"x"').encode(),
    "a signal twice": TWO.replace('["x"]', '["x", "x"]').encode(),
    "no values": TWO.replace("values", "worth").encode(),
    "values too few": TWO.replace(', b = "x"', "").encode(),
    "values a list": TWO.replace('{ a = "x", b = "x" }', "[1, 2]").encode(),
    "a value a list": TWO.replace('a = "x"', "a = []").encode(),
    "a value of nobody": TWO.replace('a = "x"', 'a = "q"').encode(),
    "bundles of nothing": TWO.encode() + b"bundles = {}\n",
    "bundles unknown": TWO.encode() + b'bundles = "more"\n',
    "bundles a truth": TWO.encode() + b"bundles = true\n",
    "bundles without end": TWO.encode() + b"bundles = [1.0, inf]\n",
    "bundles of lists": TWO.encode() + b'bundles = { "a+b" = [] }\n',
    "bundles of nobody": TWO.encode() + b'bundles = { "a+q" = "x" }\n',
    "parameters a list": b"parameters = [1]\n" + TWO.encode(),
    "a parameter without end": TWO.encode() + b"[parameters]\nk = inf\n",
    "stages": TWO.encode() + b'stages = [["x"], ["x"]]\n',
    "an unknown key": b"colour = 3\n" + TWO.encode(),
    "a long key": LONG.encode() + b" = 3\n" + TWO.encode(),
    "a value that is no number": TWO.replace('a = "x"', 'a = "1/(x - x)"').encode(),
}

STUDIES: dict[str, bytes] = {
    "half": b"[over",
    "over a list": b"over = [1]",
    "an unknown key": b"colour = 1",
    "a grid of text": b'[over]\ngrid = ["x"]',
    "an empty list": b"[over]\ngrid = []",
    "a table": b"[over.grid]\nq = 2",
    "a date": b"[over]\ngrid = [1979-05-27]",
    "a timing that is none": b'[over]\ntiming = ["later", 3]',
    "deep": b"a = " + b"[" * 5000 + b"]" * 5000,
    "an output of its own": b'out = "x.csv"',
    "jobs of text": b'jobs = "x"',
    "an instance of its own": b'instance = "linear"',
}
ROWS: dict[str, bytes] = {
    "nothing": b"",
    "a header": b"grid\n",
    "bytes": bytes(range(256)),
    "an unknown column": b"colour\n1\n",
    "a column twice": b"grid,grid\n2,3\n",
    "rows of different lengths": b"grid\n2,3,4\n2\n",
    "no numbers": b"grid\nx\n",
    "an empty cell": b"grid,timing\n2,\n,static\n",
}
ODD_ROWS = {"an empty cell", "rows of different lengths"}

MECHANISMS: dict[str, bytes] = {
    "nothing": b"",
    "bytes": bytes(range(256)),
    "half": b"[prices",
    "no terms": b'name = "x"',
    "both": b'[prices]\n1 = "0"\n2 = "0"\n[strikes]\n1 = "0"\n2 = "0"',
    "prices a list": b"prices = [1, 2]",
    "a term a list": b"[prices]\n1 = [1]\n2 = 0",
    "a term a date": b"[prices]\n1 = 1979-05-27\n2 = 0",
    "a truth": b"[prices]\n1 = true\n2 = 0",
    "a buyer of nobody": b'[prices]\n1 = "0"\n3 = "0"',
    "a buyer too few": b'[prices]\n1 = "0"',
    "an unknown key": b'colour = 1\n[prices]\n1 = "0"\n2 = "0"',
    "a long key": LONG.encode() + b' = 1\n[prices]\n1 = "0"\n2 = "0"',
    "a parameter that is text": b'[parameters]\na = "x"\n[prices]\n1 = "a"\n2 = "a"',
    "a parameter without end": b'[parameters]\na = inf\n[prices]\n1 = "a"\n2 = "a"',
    "parameters a list": b'parameters = [1]\n[prices]\n1 = "0"\n2 = "0"',
    "a price of one's own signal": b'[prices]\n1 = "p1"\n2 = "0"',
    "a price of code": b'[prices]\n1 = "open(\'x\')"\n2 = "0"',
    "a strike of the second signal": b'[strikes]\n1 = "c1"\n2 = "p1 + 1"',
    "no number anywhere": b'[prices]\n1 = "log(-1 - p2)"\n2 = "9"',
}
ODD_MECHANISMS = {"a strike of the second signal", "a buyer too few"}

FOLDERS: dict[str, bytes | Make] = {
    "a file": b"x",
    "an empty folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a loop": lambda path: path.symlink_to(path.name),
    "a broken link": lambda path: path.symlink_to("nowhere"),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "the root": lambda path: path.symlink_to("/"),
    "a record of nothing": lambda path: (path.mkdir(), (path / "result.json").write_text("")),
    "a record that is a list": lambda path: (path.mkdir(), (path / "result.json").write_text("[]")),
    "a record that is deep": lambda path: (path.mkdir(), (path / "result.json").write_text("[" * 100_000)),
    "a record that is a folder": lambda path: (path / "result.json").mkdir(parents=True),
    "a record of bytes": lambda path: (path.mkdir(), (path / "result.json").write_bytes(bytes(range(256)))),
    "a record of another kind": lambda path: (
        path.mkdir(),
        (path / "result.json").write_text('{"schema": 1, "status": NaN}'),
    ),
    "half a bracket": lambda path: (path.mkdir(), (path / "bracket.json").write_text('{"lower": {')),
    "a bracket of nothing": lambda path: (path.mkdir(), (path / "bracket.json").write_text("{}")),
}
READERS = {
    "simplify": ("simplify", "run"),
    "explain": ("explain", "run"),
    "verify": ("verify", "run"),
    "menu": ("menu", "run"),
    "plot": ("plot", "run", "--out", "x.svg"),
    "page": ("page", "run", "--out", "x.html"),
    "dominate": ("dominate", "--run", "run"),
}


def instances() -> Iterator[Case]:
    """Instance files, formulas and priors, in the commands that read them."""
    solve = ("solve", "mine.toml", "--grid", "2", "--json")
    for name, content in INSTANCES.items():
        codes = ANY if name in FINE_INSTANCES else REFUSED
        yield Case(f"instance {name}", solve, {"mine.toml": content}, codes)
    for name, text in FORMULAS.items():
        content = GOOD.replace("a + 0.5*b", text).encode()
        codes = ANY if name in FINE_FORMULAS else REFUSED
        yield Case(f"formula {name}", solve, {"mine.toml": content}, codes)
    beside: dict[str, bytes | Make] = {"pipe": os.mkfifo, "bids.csv": b"x\n1\n2\n", "words.csv": b"x\none\ntwo\n",
                                       "bytes.csv": bytes(range(256))}  # fmt: skip
    for name, text in PRIORS.items():
        content = f"{GOOD}[priors.b]\n{text}\n".encode()
        codes = ANY if name in ODD_PRIORS else REFUSED
        yield Case(f"prior {name}", solve, {"mine.toml": content, **beside}, codes)
    for command in (
        "bracket",
        "compare",
        "frontier",
        "bayesian",
        "epsilon",
        "fit",
        "sweep",
        "instances",
        "validate",
    ):
        for name in ("bytes", "a long key", "a signal of nobody", "a density that is no number"):
            line = tuple(
                "mine.toml" if word in ("jmmz", "one-dimensional") else word for word in COMMANDS[command]
            )
            line = (*line, "mine.toml") if command == "validate" else line
            codes = ANY if name == "a density that is no number" else REFUSED
            yield Case(f"{command} instance {name}", line, {"mine.toml": INSTANCES[name]}, codes)

    signals = ", ".join(f'"s{k}"' for k in range(33))
    many = f'name = "x"\n[[buyers]]\nname = "1"\nsignals = [{signals}]\nvalue = "s0 + s32"\n'.encode()
    for command in ("solve", "compare", "frontier", "bayesian", "epsilon", "check", "sweep"):
        prices = ("--prices", "1: 1") if command == "check" else ()
        yield Case(
            f"{command} 33 signals", (command, "mine.toml", "--grid", "1", *prices), {"mine.toml": many}
        )


def others() -> Iterator[Case]:
    """Files of mechanisms, items, studies, rows; folders of runs; and folders where a file should be."""
    for name, content in MECHANISMS.items():
        codes = ANY if name in ODD_MECHANISMS else REFUSED
        for command in ("check", "dominate"):
            line = (command, "jmmz", "--prices", "own.toml", "--grid", "2")
            yield Case(f"{command} mechanism {name}", line, {"own.toml": content}, codes)
    for name, content in ITEMS.items():
        yield Case(f"items file {name}", ("items", "two.toml", "--grid", "1"), {"two.toml": content})
    for name, content in STUDIES.items():
        yield Case(f"sweep study {name}", ("sweep", "jmmz", "--study", "s.toml"), {"s.toml": content})
    for name, content in ROWS.items():
        codes = ANY if name in ODD_ROWS else REFUSED
        yield Case(f"sweep rows {name}", ("sweep", "jmmz", "--rows", "r.csv"), {"r.csv": content}, codes)
    for name, make in FOLDERS.items():
        for command, line in READERS.items():
            codes = frozenset({1, 2}) if command == "verify" and "bracket" in name else REFUSED
            yield Case(f"{command} folder {name}", line, {"run": make}, codes)
    for name, make in FOLDERS.items():
        for command, line in {
            "solve": ("solve", "run", "--grid", "2"),
            "check": ("check", "jmmz", "--prices", "own.toml"),
            "sweep study": ("sweep", "jmmz", "--study", "own.toml"),
            "sweep rows": ("sweep", "jmmz", "--rows", "own.toml"),
            "items": ("items", "run.toml"),
            "validate": ("validate", "run.toml", "B-Lemma-1"),
        }.items():
            if "record" not in name and "bracket" not in name:
                files = {file: make for file in line if file in ("run", "run.toml", "own.toml")}
                yield Case(f"{command} file {name}", line, files)


TARGETS: dict[str, tuple[str, dict[str, bytes | Make]]] = {
    "a folder": ("there{}", {"there{}": Path.mkdir}),
    "a full disk": ("full{}", {"full{}": lambda path: path.symlink_to("/dev/full")}),
    "a pipe that nobody reads": ("pipe{}", {"pipe{}": os.mkfifo}),
    "a link to itself": ("loop{}", {"loop{}": lambda path: path.symlink_to(path.name)}),
    "below a file": ("file/x{}", {"file": b"x"}),
    "below nothing": ("no/where/x{}", {}),
    "a name of 300 characters": ("x" * 300 + "{}", {}),
}
WRITERS: dict[str, tuple[tuple[str, ...], str]] = {
    "menu": (("menu", "{static}", "--out"), ".csv"),
    "menu parquet": (("menu", "{static}", "--format", "parquet", "--out"), ".parquet"),
    "plot": (("plot", "{static}", "--out"), ".svg"),
    "page": (("page", "{static}", "--out"), ".html"),
    "sweep": (("sweep", "jmmz", "--grid", "2", "--out"), ".csv"),
    "frontier": (("frontier", "jmmz", "--grid", "2", "--out"), ".csv"),
    "frontier plot": (("frontier", "jmmz", "--grid", "2", "--out"), ".png"),
    "bayesian": (("bayesian", "jmmz", "--grid", "2", "--out"), ".csv"),
    "items": (("items", "example3-unit-demand", "--grid", "1", "--out"), ".csv"),
    "model": (("solve", "jmmz", "--grid", "2", "--json", "--write-model"), ".lp"),
    "solve": (("solve", "jmmz", "--grid", "2", "--out"), ""),
    "lotteries": (("solve", "jmmz", "--grid", "2", "--lotteries", "--out"), ""),
    "bracket": (("bracket", "one-dimensional", "--accuracy", "0.5", "--out"), ""),
    "keep": (("sweep", "jmmz", "--grid", "2", "--keep"), ""),
}


def targets() -> Iterator[Case]:
    """Everything that is written, to where it cannot be."""
    for writer, (line, suffix) in WRITERS.items():
        for name, (target, files) in TARGETS.items():
            folder = not suffix
            if (folder and name == "below nothing") or (writer == "keep" and name == "a folder"):
                continue  # a folder's parents are made; a sweep's folder may be there
            codes = ANY if (writer, name) == ("sweep", "below nothing") else REFUSED
            made = {file.format(suffix): make for file, make in files.items()}
            yield Case(f"{writer} to {name}", (*line, target.format(suffix)), made, codes)


def all_cases() -> list[Case]:
    """Every case, in a fixed order."""
    return [*options(), *odd(), *instances(), *others(), *targets()]
